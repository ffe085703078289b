"""Results → Plotly figures. Nothing here measures; backgrounds are clear so that light and dark pages both serve."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .alignment import LayerAlignment
from .training import TrainingStep

# After Okabe and Ito, told apart by every kind of colour vision and on light and dark pages; lines also differ in dash
# and marker.
BLUE, ORANGE, GREEN, GREY = "#1E88D6", "#D55E00", "#009E73", "#8A8A8A"
SERIES = (BLUE, ORANGE)
HEIGHT = 460


def alignment_figure(results: Sequence[tuple[str, LayerAlignment]], pair_lines: bool = False) -> go.Figure:
    """Matched lines with their intervals over the mismatched bands, one colour a model; pairs' own lines on demand."""
    figure = go.Figure()
    for (label, result), colour, marker in zip(results, SERIES, ("circle", "diamond"), strict=False):
        layers = list(range(len(result.names)))
        mismatched, band = result.control
        _band(figure, layers, band, colour, 0.10)
        _band(figure, layers, result.matched_ci95, colour, 0.28)
        if pair_lines:
            _pair_lines(figure, result, colour, label)
        figure.add_scatter(
            x=layers,
            y=result.matched,
            name=f"{label}: right pairs (matched)",
            mode="lines+markers",
            line={"color": colour, "width": 3},
            marker={"size": 8, "symbol": marker},
            customdata=result.matched_ci95,
            hovertemplate="right pairs %{y:.3f}, 95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}",
        )
        figure.add_scatter(
            x=layers,
            y=mismatched,
            name=f"{label}: wrong pairs (mismatched)",
            mode="lines",
            line={"color": colour, "width": 2, "dash": "dot"},
            customdata=band,
            hovertemplate="wrong pairs %{y:.3f}, nine in ten from %{customdata[0]:.3f} to %{customdata[1]:.3f}",
        )
    names = results[0][1].names
    every = max(1, len(names) // 13)
    ticks = [i for i in range(len(names)) if i % every == 0 and i < len(names) - every / 2] + [len(names) - 1]
    labels = ["out" if i == len(names) - 1 else str(i) for i in ticks]
    figure.update_xaxes(title="layer (0: token embeddings)", tickvals=ticks, ticktext=labels, tickangle=0)
    figure.update_yaxes(title="cosine of the two words")
    return _styled(figure, HEIGHT)


def training_figure(steps: Sequence[TrainingStep], loss_name: str) -> go.Figure:
    """Loss by step, and below it the held-out pairs: matched, mismatched and P@1."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    seen = [step for step in steps if step.loss is not None]
    figure.add_scatter(
        x=[step.step for step in seen],
        y=[step.loss for step in seen],
        name=f"{loss_name} loss",
        line={"color": GREY, "width": 2},
        row=1,
        col=1,
    )
    checked = [step for step in steps if step.check]
    lines = (
        ("matched", "held out: right pairs", BLUE, "solid"),
        ("mismatched", "held out: wrong pairs", ORANGE, "dot"),
        ("p_at_1", "held out: P@1", GREEN, "dash"),
    )
    for field, name, colour, dash in lines:
        figure.add_scatter(
            x=[step.step for step in checked],
            y=[getattr(step.check, field) for step in checked],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 5},
            row=2,
            col=1,
        )
    if steps:
        figure.update_xaxes(range=[0, steps[-1].steps])
    figure.update_xaxes(title="step", row=2, col=1)
    figure.update_yaxes(title="loss", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="cosine, share", row=2, col=1)
    return _styled(figure, HEIGHT)


def _band(figure: go.Figure, layers: list[int], edges, colour: str, opacity: float) -> None:
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


def _pair_lines(figure: go.Figure, result: LayerAlignment, colour: str, label: str) -> None:
    layers = list(range(len(result.names)))
    for pair, cosines in zip(result.pairs, result.cosine, strict=True):
        # `<` opens a tag in Plotly's own small markup; a word must stay a word.
        words = f"{pair.swahili} – {pair.english}".replace("<", "&lt;")
        figure.add_scatter(
            x=layers,
            y=cosines,
            mode="lines",
            line={"color": colour, "width": 1},
            opacity=0.45,
            name=f"{label}: {words}",
            hovertemplate=f"{words}: %{{y:.3f}}<extra></extra>",
            showlegend=False,
        )


def _styled(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 52, "r": 12, "t": 12, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": -0.2, "x": 0, "yanchor": "top"},
        font={"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        hovermode="x unified",
    )
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False, "automargin": True}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure
