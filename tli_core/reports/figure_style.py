"""What all figures share: colours, axes, bands, and how a label is written."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from tli_core.i18n import translate
from tli_core.lists.pairs import WordPair
from tli_core.models.layers import layer_words
from tli_core.models.loaded_model import Provenance
from tli_core.reports.tables import caption

# After Okabe and Ito, told apart by every kind of colour vision and on light and dark pages; lines also differ in dash
# and marker.
BLUE, ORANGE, GREEN, GREY = "#1E88D6", "#D55E00", "#007A4D", "#8A8A8A"
DIVERGING = "PuOr"
SERIES = ((BLUE, "circle"), (ORANGE, "diamond"), (GREEN, "square"))
# The second of two runs in lighter kin of the first one's colours.
RUNS = ((2, "circle", (BLUE, ORANGE, GREEN)), (2, "x", ("#56B4E9", "#E69F00", "#CC79A7")))
HEIGHT = 460
PAIRS_DRAWN = 60
"""Pairs that are drawn one by one; more would only cover each other."""

# How Plotly is told what to show of a point under the pointer.
HOVER = {"value": "%{y:.3f}", "low": "%{customdata[0]:.3f}", "high": "%{customdata[1]:.3f}"}


def draw_band(figure: go.Figure, layers: list[int], edges, colour: str, opacity: float) -> None:
    """A pale band between two edges, (layers, 2), at these layers."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(
        x=layers + layers[::-1],
        y=list(edges[:, 1]) + list(edges[::-1, 0]),
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},{opacity})",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def layer_axis(figure: go.Figure, names: Sequence[str]) -> None:
    """An axis with a model's layers."""
    every = max(1, -(-len(names) // 8))
    last = len(names) - 1
    # The last one's name is longer than a number, and has the room of two.
    ticks = [i for i in range(len(names)) if i % every == 0 and i <= last - 1.5 * every] + [last]
    labels = [translate("out") if names[i] == "output" else str(i) for i in ticks]
    figure.update_xaxes(
        title=translate("layer (0: embeddings)"),
        tickvals=ticks,
        ticktext=labels,
        tickangle=0,
        # The last one's name is wider than its place, and would be left out.
        ticklabeloverflow="allow",
    )


def pair_words(pair: WordPair) -> str:
    """A pair as a label."""
    return plain_label(f"{pair.source} – {pair.target}")


def plain_label(text: str) -> str:
    """`<` opens a tag in Plotly's own small markup; a word must stay a word."""
    return text.replace("<", "&lt;")


GRID = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "automargin": True}

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
        "xaxis": GRID,
        "yaxis": GRID,
    }
)


def styled(figure: go.Figure, height: int, hovermode: str = "x unified", top: int = 12) -> go.Figure:
    """The figure in the style of all."""
    margin = {"l": 52, "r": 16, "t": top, "b": 44}
    figure.update_layout(template=STYLE, height=height, hovermode=hovermode, margin=margin)
    return figure


def captioned(figure: go.Figure, provenance: Provenance, layer: str | None = None) -> go.Figure:
    """The figure with what it is of above it, as a saved picture has nothing else to say so."""
    what = caption(provenance) if layer is None else f"{caption(provenance)} · {layer_words(layer)}"
    layout: Any = figure.layout
    figure.update_layout(
        title={
            "text": plain_label(what),
            "font": {"size": 11},
            "x": 0,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 4, "l": 4},
        },
        margin={"t": layout.margin.t + 16},
    )
    return figure
