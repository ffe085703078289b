"""Words of two languages in one plane → a Plotly figure: a panel a model, hue for language or topic."""

from collections import Counter

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tli_core.i18n import translate
from tli_core.measures.projection import Projection
from tli_core.reports.figure_style import GREY, HEIGHT, SERIES, ring, styled
from tli_core.reports.labels import pair_words, plain_label
from tli_core.reports.pair_charts import BY_LANGUAGE, Space

MARKERS = ("circle", "diamond")
"""Of source and target words; hollow where the words of a pair look alike."""

MOST_LABELS = 60
"""Pairs that have room for their words beside the points."""


def space_figure(space: Space, stacked: bool = False) -> go.Figure:
    """Both languages' words in one plane, a panel a model with the same axes, partners joined by a line.

    Args:
        stacked: one panel below the other, for a screen that is too narrow for two.
    """
    projection, labels = space.projection, space.labels
    count = len(labels)
    figure = make_subplots(
        rows=count if stacked else 1,
        cols=1 if stacked else count,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.1,
        subplot_titles=list(map(plain_label, labels)),
    )
    colours, legend = hues(projection, space.coloured)
    for number, points in enumerate(projection.points, 1):  # (n, 2, 2): pair, language, x or y
        place = {"row": number, "col": 1} if stacked else {"row": 1, "col": number}
        joined = np.full((len(points), 3, 2), np.nan)  # a gap after every line
        joined[:, :2] = points
        x, y = joined.reshape(-1, 2).T
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": GREY, "width": 1}, opacity=0.5, hoverinfo="skip",
            name=translate("partners"), showlegend=number == 1, **place,
        )  # fmt: skip
        for side, language in enumerate(projection.languages):
            figure.add_scatter(**_points(projection, points[:, side], side, colours[side], space.words), **place,
                               name=translate(language), showlegend=False)  # fmt: skip
        if space.picked is not None:
            pair = projection.pairs[space.picked]
            x, y = points[space.picked].T
            figure.add_scatter(x=x, y=y, **ring(plain_label(pair.source), plain_label(pair.target)), **place)
    for name, colour, marker in legend:
        look = {"color": colour, "size": 8, "symbol": marker}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=look, name=name, hoverinfo="skip")
    _name_axes(figure, space, stacked)
    # A finger scrolls the page; a mouse draws around the words to list.
    figure.update_layout(dragmode=False if stacked else "lasso")
    return styled(figure, (count if stacked else 1) * HEIGHT, "", hovermode="closest", top=30)


def _points(projection: Projection, points: np.ndarray, side: int, colours: list[str], words: bool) -> dict:
    """One language's points (n, 2) in one panel, as `add_scatter` takes them."""
    told = [
        f"{pair_words(pair)} ≈" if alike else pair_words(pair)
        for pair, alike in zip(projection.pairs, projection.look_alike, strict=True)
    ]
    marker = MARKERS[side]
    trace = {
        "x": points[:, 0],
        "y": points[:, 1],
        "mode": "markers",
        "marker": {
            "color": colours,
            "size": 8,
            "symbol": [f"{marker}-open" if alike else marker for alike in projection.look_alike],
            "opacity": 0.85,
        },
        "text": told,
        "hovertemplate": f"%{{text}}<extra>{translate(projection.languages[side])}</extra>",
    }
    if words:
        # Beside the points stands one word, and under the pointer the pair.
        shown = [plain_label(str(pair[side])) if i < MOST_LABELS else "" for i, pair in enumerate(projection.pairs)]
        trace |= {"mode": "markers+text", "texttemplate": shown, "textposition": "top center", "textfont": {"size": 10}}
    return trace


def hues(projection: Projection, coloured: str) -> tuple[list[list[str]], list[tuple[str, str, str]]]:
    """The colour of every point of both languages, and the legend: (name, colour, marker)."""
    n = len(projection.pairs)
    names = [translate(language) for language in projection.languages]
    if coloured == BY_LANGUAGE:
        hues = [SERIES[side][0] for side in range(2)]
        return [[hue] * n for hue in hues], list(zip(names, hues, MARKERS, strict=True))
    counted = Counter(pair.topic for pair in projection.pairs if pair.topic)
    hue_of = {topic: SERIES[i][0] for i, (topic, _) in enumerate(counted.most_common(len(SERIES)))}
    colours = [hue_of.get(pair.topic, GREY) for pair in projection.pairs]
    legend = [(translate(topic), hue, "square") for topic, hue in hue_of.items()]
    legend += [(translate("other topics, or none"), GREY, "square")] if GREY in colours else []
    return [colours, colours], [*legend, *((name, GREY, of) for name, of in zip(names, MARKERS, strict=True))]


def _name_axes(figure: go.Figure, space: Space, stacked: bool) -> None:
    """The same range in every panel, which move together, and what each axis is."""
    edges = space.projection.points.reshape(-1, 2)
    low, high = edges.min(axis=0), edges.max(axis=0)
    margin = 0.05 * (high - low) + 1e-9
    titles = space.axis_titles
    span = [[float(low[i] - margin[i]), float(high[i] + margin[i])] for i in range(2)]
    figure.update_xaxes(range=span[0], showticklabels=False, ticks="", matches="x", title=titles[0])
    figure.update_yaxes(range=span[1], showticklabels=False, matches="y")
    figure.update_yaxes(title=titles[1], col=None if stacked else 1)
