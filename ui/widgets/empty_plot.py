"""A chart before there is anything to draw: words instead of an empty frame."""

import textwrap

import gradio as gr
import plotly.graph_objects as go

WORDS = "words"
"""The attribute of a plot that keeps its words."""


def empty_plot(words: str, elem_id: str) -> gr.Plot:
    """A place for a chart, with words on what will be drawn there; it keeps them as `words`, for their translation."""
    plot = gr.Plot(empty_figure(words), show_label=False, elem_id=elem_id)
    setattr(plot, WORDS, words)
    return plot


def empty_figure(words: str) -> go.Figure:
    """A figure without axes that says what will be drawn here."""
    figure = go.Figure(
        layout={
            "height": 240,
            "font": {"family": "system-ui, sans-serif", "size": 13},
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "dragmode": False,
        }
    )
    # In short lines, for the width of a phone.
    lines = "<br>".join(textwrap.wrap(words, 34))
    figure.add_annotation(text=lines, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)
    return figure
