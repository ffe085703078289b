"""What a chart shows before there is anything to draw: words instead of an empty frame."""

import textwrap

import plotly.graph_objects as go


def empty_plot(words: str) -> go.Figure:
    """A chart without axes that says what will be drawn here."""
    figure = go.Figure(
        layout={
            "height": 240,
            "font": {"family": "system-ui, sans-serif", "size": 13},
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
    )
    # In short lines, for the width of a phone.
    lines = "<br>".join(textwrap.wrap(words, 34))
    figure.add_annotation(text=lines, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure
