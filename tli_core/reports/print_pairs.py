"""Charts with a mark for each pair, as Matplotlib draws them for print."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tli_core.i18n import translate
from tli_core.reports.chart import layer_ticks
from tli_core.reports.figure_style import DIVERGING, GREY, SERIES
from tli_core.reports.pair_charts import HeatMap, PairChart, Scatter, Space
from tli_core.reports.print_style import MARKS, Size, sheet
from tli_core.reports.space_figure import MARKERS, MOST_LABELS, hues


def draw_pairs(chart: PairChart, of: Size, titled: bool) -> Figure:
    """A heat map, a scatter or the space of words at a size; titled: with its title line above it."""
    if isinstance(chart, HeatMap):
        return _heat_map(chart, of, titled)
    return _scatter(chart, of, titled) if isinstance(chart, Scatter) else _space(chart, of, titled)


def _heat_map(chart: HeatMap, of: Size, titled: bool) -> Figure:
    rows = len(chart.pairs)
    figure = sheet(chart, of, titled, height=max(of.panel, rows * of.text * 1.3 / 72) + 8 * of.text / 72)
    axes = figure.subplots()
    reach = chart.reach
    drawn = axes.imshow(chart.apart, cmap=DIVERGING, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
    # Many pairs are named in small letters rather than over each other: title, axis and scale take an inch or two.
    letters = min(of.text, (of.tallest - 10 * of.text / 72) * 72 / 1.3 / rows)
    axes.set_yticks(range(rows), [f"{pair.source} – {pair.target}" for pair in chart.pairs], fontsize=letters)
    if chart.picked is not None and chart.picked < rows:
        axes.get_yticklabels()[chart.picked].set_fontweight("bold")
    ticks, labels = layer_ticks(chart.names)
    axes.set_xticks(ticks, labels, fontsize=of.text)
    axes.set_xticks(np.arange(len(chart.names)), minor=True)
    axes.set_xlabel(translate("layer (0: embeddings)"), fontsize=of.text)
    if chart.layer is not None:
        axes.axvline(chart.layer, color=GREY, linewidth=0.8, dashes=(8, 4))
    bar = figure.colorbar(drawn, ax=axes, location="bottom", fraction=0.06, pad=0.02)
    bar.ax.tick_params(labelsize=of.text)
    bar.set_label(chart.label, fontsize=of.text)
    return figure


def _scatter(chart: Scatter, of: Size, titled: bool) -> Figure:
    side = min(of.width, 2 * of.panel)
    figure = sheet(chart, of, titled, height=side)
    axes = figure.subplots()
    colour, mark = SERIES[1]
    look: dict[str, Any] = {"linestyle": "", "marker": MARKS[mark], "markersize": of.text / 2, "color": colour}
    hollow = {**look, "markerfacecolor": "none"}
    axes.plot(*chart.wrong.T, **hollow, alpha=0.7, label=translate("its wrong pairs' mean"))
    axes.plot(*chart.right.T, **look, alpha=0.7, label=translate("the right pair"))
    axes.plot(chart.ends, chart.ends, color=GREY, linewidth=0.8, linestyle="--", label=translate("no change"))
    if chart.picked is not None:
        pair = chart.pairs[chart.picked]
        _ring(axes, chart.right[chart.picked], f"{pair.source} – {pair.target}", of)
    axes.set_xlabel(translate("cosine before"), fontsize=of.text)
    axes.set_ylabel(translate("cosine after"), fontsize=of.text)
    _plain(axes, of)
    figure.legend(loc="outside lower left", fontsize=of.text, frameon=False, ncols=1 if of.columns == 1 else 3)
    return figure


def _space(chart: Space, of: Size, titled: bool) -> Figure:
    count, projection = len(chart.labels), chart.projection
    columns = min(count, of.columns)
    rows = -(-count // columns)
    side = of.width / columns
    figure = sheet(chart, of, titled, height=rows * min(side, 2 * of.panel) + 4 * of.text / 72)
    cells: Any = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    colours, legend = hues(projection, chart.coloured)
    for number, points in enumerate(projection.points):  # (n, 2, 2): pair, language, x or y
        axes = cells[divmod(number, columns)]
        axes.plot(*points.transpose(2, 1, 0), color=GREY, linewidth=0.4, alpha=0.5)
        for language in range(2):
            marks = MARKS[MARKERS[language]]
            hollow = projection.look_alike
            faces = ["none" if alike else hue for hue, alike in zip(colours[language], hollow, strict=True)]
            across, up = points[:, language].T
            axes.scatter(
                across, up, s=of.text, marker=marks, facecolors=faces, edgecolors=colours[language], linewidths=0.6
            )
            if chart.words:
                for pair, (x, y) in list(zip(projection.pairs, points[:, language], strict=True))[:MOST_LABELS]:
                    beside = {"xytext": (0, 2), "textcoords": "offset points", "fontsize": of.text * 0.7}
                    axes.annotate(str(pair[language]), (x, y), **beside)
        if chart.picked is not None:
            for language in range(2):
                _ring(axes, points[chart.picked, language], str(projection.pairs[chart.picked][language]), of)
        axes.set_title(chart.labels[number], fontsize=of.text)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(chart.axis_titles[0], fontsize=of.text)
        if number % columns == 0:
            axes.set_ylabel(chart.axis_titles[1], fontsize=of.text)
    samples = [
        Line2D([], [], linestyle="", marker=MARKS[marker], color=colour, markersize=of.text / 2, label=name)
        for name, colour, marker in legend
    ]
    in_a_row = max(1, int(of.width * 72 / (of.text / 2 * (5 + max(len(name) for name, *_ in legend)))))
    figure.legend(handles=samples, loc="outside lower left", fontsize=of.text, frameon=False, ncols=in_a_row)
    return figure


def _ring(axes: Axes, point: np.ndarray, words: str, of: Size) -> None:
    x, y = map(float, point)
    axes.plot([x], [y], linestyle="", marker="o", markersize=of.text, markerfacecolor="none", color=GREY)
    axes.annotate(words, (x, y), fontsize=of.text, xytext=(0, of.text * 0.7), textcoords="offset points", ha="center")


def _plain(axes: Axes, of: Size) -> None:
    axes.tick_params(labelsize=of.text, width=0.5)
    axes.grid(alpha=0.3, linewidth=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
