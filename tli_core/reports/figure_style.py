"""What all figures share: colours, margins, and how a label is written."""

from typing import Any

import plotly.graph_objects as go

from tli_core.reports.labels import plain_label

# Told apart by every kind of colour vision, and three times as light or dark as light and dark pages; lines also differ
# in dash and marker.
BLUE, ORANGE, GREEN, GREY = "#1E88D6", "#D55E00", "#007A4D", "#8A8A8A"
DIVERGING = "PuOr"
SERIES = (
    (BLUE, "circle"),
    (ORANGE, "diamond"),
    (GREEN, "square"),
    ("#AA00FF", "triangle-up"),
    ("#A64285", "x"),
    ("#BF7C93", "cross"),
)
"""Hue and marker of what is compared, by its number."""

HEIGHT, PANEL_HEIGHT = 460, 250
BAND, PALE_BAND = 0.28, 0.10
"""How opaque bands are: intervals, and the wide ones of wrong pairs."""


def ring(*words: str) -> dict[str, Any]:
    """How marks of a picked pair are ringed and named, as `add_scatter` takes it."""
    return {
        "mode": "markers+text",
        "marker": {"color": GREY, "size": 16, "symbol": "circle-open", "line": {"width": 3}},
        "text": list(words),
        "textposition": "top center",
        "hoverinfo": "skip",
        "showlegend": False,
    }


GRID = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "automargin": True}
# The last layer's name is wider than its place, and would be left out.
ALONG = {"ticks": "outside", "ticklen": 5, "tickangle": 0, "ticklabeloverflow": "allow"}

# As a template, which is checked once, where a figure's own settings are checked one by one every time it is made.
STYLE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        # At the lower edge, whatever room the axis takes.
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE},
        # Of its own in both themes: Plotly's takes the page's background for white.
        "hoverlabel": {
            "bgcolor": "#1f2937",
            "bordercolor": GREY,
            "font": {"color": "#ffffff", "size": 10},
            "align": "left",
        },
        # A finger that scrolls the page must not zoom the chart instead.
        "dragmode": False,
        "xaxis": GRID | ALONG,
        "yaxis": GRID,
        "title": {"font": {"size": 11}, "x": 0, "y": 1, "yanchor": "top", "pad": {"t": 4, "l": 4}},
    }
)


def styled(figure: go.Figure, height: int, what: str, hovermode: str = "x unified", top: int = 12) -> go.Figure:
    """The figure in the style of all, with what it is of above it, as a saved picture has nothing else to say so."""
    margin = {"l": 52, "r": 16, "t": top + 16 * bool(what), "b": 44}
    title = {"text": plain_label(what)}
    figure.update_layout(template=STYLE, height=height, hovermode=hovermode, margin=margin, title=title)
    return figure
