"""Results → Plotly figures. Nothing here measures; backgrounds are clear so that light and dark pages both serve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tli_core.i18n import N_, translate
from tli_core.measures.before_after import Evaluation
from tli_core.measures.projection import Projection
from tli_core.measures.registry import MATCHED
from tli_core.measures.result import LayerAlignment
from tli_core.reports.figure_style import (
    BLUE,
    DIVERGING,
    GREY,
    HEIGHT,
    HOVER,
    ORANGE,
    PAIRS_DRAWN,
    RUNS,
    SERIES,
    captioned,
    draw_band,
    layer_axis,
    pair_words,
    plain_label,
    styled,
)
from tli_core.training.history import TrainingStep

MATCHED_WRONG = (
    ("look_alike_wrong", N_("{label}: wrong pairs that look alike"), True),
    ("as_long_wrong", N_("{label}: wrong pairs as long"), "legendonly"),
    ("same_topic_wrong", N_("{label}: wrong pairs of one topic"), "legendonly"),
)
"""Lines of wrong pairs that are harder than any two words: the measure, its name, and whether it is drawn unasked."""


def alignment_figure(
    results: Sequence[tuple[str, LayerAlignment]], pair_lines: bool = False, picked: int | None = None
) -> go.Figure:
    """Matched lines with their intervals over the mismatched bands, one colour a model; pairs' own lines on demand.

    Args:
        picked: the number of a pair whose line is drawn so that it stands out.
    """
    figure = go.Figure()
    for (label, result), (colour, marker) in zip(results, SERIES, strict=False):
        layers = list(range(len(result.names)))
        mismatched, band = result.mismatched, result.mismatched_band
        draw_band(figure, layers, band, colour, 0.10)
        draw_band(figure, layers, MATCHED.interval(result), colour, 0.28)
        if pair_lines:
            _pair_lines(figure, result, colour, label)
        if picked is not None:
            words = pair_words(result.pairs[picked])
            figure.add_scatter(
                x=layers,
                y=result.cosine[picked],
                mode="lines+markers",
                name=f"{words}, {label}",
                line={"color": colour, "width": 2, "dash": "dash"},
                marker={"size": 9, "symbol": f"{marker}-open"},
                hovertemplate="%{y:.3f}",
            )
        figure.add_scatter(
            x=layers,
            y=result.matched,
            name=translate("{label}: right pairs", label=label),
            mode="lines+markers",
            line={"color": colour, "width": 3},
            marker={"size": 8, "symbol": marker},
            customdata=MATCHED.interval(result),
            hovertemplate="{value} ({low} – {high})".format(**HOVER),
        )
        figure.add_scatter(
            x=layers,
            y=mismatched,
            name=translate("{label}: wrong pairs", label=label),
            mode="lines",
            line={"color": colour, "width": 2, "dash": "dot"},
            customdata=band,
            hovertemplate="{value} ({low} – {high})".format(**HOVER),
        )
        for key, name, shown in MATCHED_WRONG:
            # Beside another model's lines, those that nobody asked for would only fill the legend.
            if np.isfinite(result.scores[key]).any() and (shown is True or len(results) == 1):
                figure.add_scatter(
                    x=layers,
                    y=result.scores[key],
                    name=translate(name, label=label),
                    mode="lines",
                    line={"color": colour, "width": 1, "dash": "dashdot"},
                    hovertemplate="%{y:.3f}",
                    visible=shown,
                )
    layer_axis(figure, results[0][1].names)
    figure.update_yaxes(title=translate("cosine of the two words"))
    return captioned(styled(figure, HEIGHT), results[-1][1].provenance)


def heat_map_figure(label: str, result: LayerAlignment) -> go.Figure:
    """The first PAIRS_DRAWN pairs at every layer: each cosine less the mean of wrong pairs there.

    Subtracting it makes layers comparable. Purple is above the wrong pairs and orange below: colour-blind readers can
    distinguish them.
    """
    mismatched = result.mismatched
    pairs, cosine = result.pairs[:PAIRS_DRAWN], result.cosine[:PAIRS_DRAWN]
    apart = cosine - mismatched  # (n, layers)
    reach = max(0.05, float(np.abs(apart).max()))
    figure = go.Figure(
        go.Heatmap(
            z=apart,
            x=list(range(len(result.names))),
            y=list(range(len(pairs))),
            customdata=np.dstack([cosine, np.broadcast_to(mismatched, apart.shape)]),
            text=[[pair_words(pair)] * len(result.names) for pair in pairs],
            hovertemplate="%{text}, "
            + translate(
                "layer {layer}: {value}, wrong pairs {wrong}",
                layer="%{x}",
                value="%{customdata[0]:.3f}",
                wrong="%{customdata[1]:.3f}",
            )
            + f"<extra>{plain_label(label)}</extra>",
            colorscale=DIVERGING,
            zmin=-reach,
            zmax=reach,
            # Below the map, as beside it a phone would have no room for the map.
            colorbar={
                "title": {"text": plain_label(label), "side": "bottom"},
                "thickness": 12,
                "orientation": "h",
                "yref": "container",
                "yanchor": "bottom",
                "y": 0,
            },
        )
    )
    layer_axis(figure, result.names)
    figure.update_yaxes(
        tickvals=list(range(len(pairs))), ticktext=[pair_words(pair) for pair in pairs], autorange="reversed"
    )
    return captioned(styled(figure, max(HEIGHT, 120 + 18 * len(pairs)), hovermode="closest"), result.provenance)


def differences_figure(evaluations: Sequence[Evaluation]) -> go.Figure:
    """After minus before at every layer: the matched cosine and the gap of each list, with 95 % intervals."""
    figure = go.Figure()
    for item, (colour, marker) in zip(evaluations, SERIES, strict=False):
        layers, moved = list(range(len(item.before.names))), item.differences
        for values, interval, p, name, dash in (
            (moved.matched, moved.matched_ci95, moved.matched_p, N_("right pairs"), "solid"),
            (moved.gap, moved.gap_ci95, moved.gap_p, N_("right less wrong (gap)"), "dot"),
        ):
            draw_band(figure, layers, interval, colour, 0.18)
            figure.add_scatter(
                x=layers,
                y=values,
                name=f"{translate(item.name)}: {translate(name)}",
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 7, "symbol": marker},
                customdata=np.column_stack([interval, p]),
                hovertemplate=translate(
                    "{value}, 95 % interval {low} to {high}, p {p} after Holm",
                    value="%{y:+.3f}",
                    low="%{customdata[0]:+.3f}",
                    high="%{customdata[1]:+.3f}",
                    p="%{customdata[2]:.2g}",
                ),
            )
    layer_axis(figure, evaluations[0].before.names)
    figure.update_yaxes(title=translate("change in cosine"))
    figure.add_hline(y=0, line={"color": GREY, "width": 1})
    return captioned(styled(figure, HEIGHT), evaluations[-1].after.provenance)


def scatter_figure(evaluation: Evaluation) -> go.Figure:
    """Every pair's cosine before and after at the evaluated layer, and its wrong partners' mean beside it."""
    figure, layer = go.Figure(), evaluation.layer
    before, after = evaluation.before, evaluation.after
    words = [pair_words(pair) for pair in before.pairs]
    for was, now, name, (colour, marker) in (
        (before.wrong_cosine, after.wrong_cosine, translate("its wrong pairs' mean"), SERIES[1]),
        (before.cosine, after.cosine, translate("the right pair"), SERIES[0]),
    ):
        figure.add_scatter(
            x=was[:, layer],
            y=now[:, layer],
            name=name,
            mode="markers",
            marker={"color": colour, "size": 7, "symbol": marker, "opacity": 0.7},
            text=words,
            hovertemplate="%{text}: %{x:.3f} → %{y:.3f}<extra>" + name + "</extra>",
        )
    ends = [
        float(np.nanmin([before.cosine[:, layer], before.wrong_cosine[:, layer], after.wrong_cosine[:, layer]])),
        float(np.nanmax([before.cosine[:, layer], after.cosine[:, layer]])),
    ]
    figure.add_scatter(
        x=ends, y=ends, mode="lines", name=translate("no change"), line={"color": GREY, "width": 1, "dash": "dash"}
    )
    figure.update_xaxes(title=translate("cosine before"))
    figure.update_yaxes(title=translate("cosine after"))
    return captioned(styled(figure, HEIGHT, hovermode="closest"), after.provenance, after.names[layer])


def distributions_figure(evaluation: Evaluation) -> go.Figure:
    """How right and wrong pairs' cosines are spread at the evaluated layer, before above after."""
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.12,
        subplot_titles=(translate("before"), translate("after")),
    )
    layer = evaluation.layer
    for row, result in enumerate((evaluation.before, evaluation.after), 1):
        for values, name, colour in (
            (result.wrong_quantiles[layer], translate("wrong pairs"), ORANGE),
            (result.cosine[:, layer], translate("right pairs"), BLUE),
        ):
            figure.add_histogram(
                x=values,
                name=name,
                histnorm="percent",
                marker={"color": colour},
                opacity=0.6,
                xbins={"size": 0.02},
                showlegend=row == 1,
                hovertemplate=translate("{share} % between {ends}", share="%{y:.0f}", ends="%{x}")
                + "<extra>"
                + name
                + "</extra>",
                row=row,
                col=1,
            )
    figure.update_xaxes(title=translate("cosine"), row=2, col=1)
    figure.update_yaxes(title=translate("% of pairs"))
    figure.update_layout(barmode="overlay")
    return captioned(
        styled(figure, HEIGHT, hovermode="closest", top=30), evaluation.after.provenance, evaluation.after.names[layer]
    )


def shares_figure(results: Sequence[tuple[str, LayerAlignment]]) -> go.Figure:
    """How much of the vectors' squared length is BOS, and how much lies in three dimensions, by layer."""
    figure = go.Figure()
    for (label, result), (colour, marker) in zip(results, SERIES, strict=False):
        layers = list(range(len(result.names)))
        for share, name, dash in (
            (result.prefix_share, "BOS", "solid"),
            (result.rogue_share, translate("3 dimensions"), "dot"),
        ):
            figure.add_scatter(
                x=layers,
                y=share,
                name=f"{label}: {name}",
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 6, "symbol": marker},
                hovertemplate="%{y:.0%}",
            )
    layer_axis(figure, results[0][1].names)
    figure.update_yaxes(title=translate("share of squared length"), range=[-0.02, 1.05], tickformat=".0%")
    return captioned(styled(figure, HEIGHT), results[-1][1].provenance)


def space_figure(projection: Projection, labels: Sequence[str], stacked: bool = False) -> go.Figure:
    """Both languages' words in one plane, a panel a model with the same axes, partners joined by a line.

    Args:
        stacked: one panel below the other, for a screen that is too narrow for two.
    """
    count = len(labels)
    rows, columns = (count, 1) if stacked else (1, count)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.06,
        subplot_titles=list(map(plain_label, labels)),
    )
    for number, points in enumerate(projection.points, 1):  # (n, 2, 2): pair, language, x or y
        place = {"row": number, "col": 1} if stacked else {"row": 1, "col": number}
        joined = np.full((len(points), 3, 2), np.nan)  # a gap after every line
        joined[:, :2] = points
        x, y = joined.reshape(-1, 2).T
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": GREY, "width": 1}, opacity=0.5, hoverinfo="skip",
            name=translate("partners"), showlegend=number == 1, **place,
        )  # fmt: skip
        for side, (language, (colour, marker)) in enumerate(zip(projection.languages, SERIES, strict=False)):
            words = [
                f"{pair_words(pair)} ≈" if alike else pair_words(pair)
                for pair, alike in zip(projection.pairs, projection.look_alike, strict=True)
            ]
            figure.add_scatter(
                x=points[:, side, 0],
                y=points[:, side, 1],
                mode="markers",
                name=translate(language),
                marker={
                    "color": colour,
                    "size": 8,
                    "symbol": [f"{marker}-open" if alike else marker for alike in projection.look_alike],
                    "opacity": 0.85,
                },
                text=words,
                hovertemplate=f"%{{text}}<extra>{translate(language)}</extra>",
                showlegend=number == 1,
                **place,
            )
    edges = projection.points.reshape(-1, 2)
    low, high = edges.min(axis=0), edges.max(axis=0)
    margin = 0.05 * (high - low) + 1e-9
    for axis, i in (("xaxis", 0), ("yaxis", 1)):
        for number in range(1, count + 1):
            figure.layout[f"{axis}{number if number > 1 else ''}"].update(
                range=[low[i] - margin[i], high[i] + margin[i]], showticklabels=False
            )
    return styled(figure, rows * HEIGHT, hovermode="closest", top=30)


@dataclass(frozen=True)
class DrawnRun:
    """A run as it is drawn: a label (empty where it is alone), the name of its loss, and its steps so far."""

    label: str
    loss: str
    steps: Sequence[TrainingStep]


def training_figure(runs: Sequence[DrawnRun]) -> go.Figure:
    """Loss by step, and below it the held-out pairs: matched, mismatched and P@1; a second run has its own colours."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    lines = (
        ("matched", N_("right pairs"), "solid"),
        ("mismatched", N_("wrong pairs"), "dot"),
        ("p_at_1", "P@1", "dash"),
    )
    for run, (width, symbol, colours) in zip(runs, RUNS, strict=False):
        what = f"{plain_label(run.label)}, " if run.label else ""
        seen = [step for step in run.steps if step.loss is not None]
        figure.add_scatter(
            x=[step.step for step in seen],
            y=[step.loss for step in seen],
            name=what + translate("{kind} loss", kind=run.loss),
            line={"color": GREY, "width": width},
            row=1,
            col=1,
        )
        checked = [step for step in run.steps if step.check]
        for (field, name, dash), colour in zip(lines, colours, strict=True):
            figure.add_scatter(
                x=[step.step for step in checked],
                y=[getattr(step.check, field) for step in checked],
                name=what + translate("held out: {measure}", measure=translate(name)),
                mode="lines+markers",
                line={"color": colour, "width": width, "dash": dash},
                marker={"size": 5, "symbol": symbol},
                row=2,
                col=1,
            )
    longest = max((run.steps[-1].steps for run in runs if run.steps), default=None)
    if longest:
        figure.update_xaxes(range=[0, longest])
    figure.update_xaxes(title=translate("step"), row=2, col=1)
    figure.update_yaxes(title=translate("loss"), rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title=translate("cosine, share"), row=2, col=1)
    return styled(figure, HEIGHT)


def _pair_lines(figure: go.Figure, result: LayerAlignment, colour: str, label: str) -> None:
    layers = list(range(len(result.names)))
    for pair, cosines in list(zip(result.pairs, result.cosine, strict=True))[:PAIRS_DRAWN]:
        words = pair_words(pair)
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
