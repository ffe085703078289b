"""Charts → files for a paper or a slide: PDF, SVG and PNG on white, with the points, a caption and its citations.

Drawn by Matplotlib, which needs no browser; the same `Chart` is what the page draws.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tli_core.atomic_files import write_bytes, write_text
from tli_core.i18n import N_, translate
from tli_core.reports.chart import EACH_PAIR, Chart, Line, Panel, bar_of, best_columns, chart_csv, grid, layer_ticks
from tli_core.reports.citations import caption_text, citations
from tli_core.reports.figure_style import BAND, GREY, PALE_BAND, SERIES
from tli_core.reports.pair_charts import PairChart
from tli_core.reports.print_pairs import draw_pairs
from tli_core.reports.print_style import MARKS, SIZES, Size, sheet

TALLEST = 3
"""Panels that one column of a paper has room for below each other."""

FORMATS = ("pdf", "svg", "png")


DASHES: dict[str, Any] = {"solid": "-", "dot": ":", "dashdot": "-.", "dash": "--"}

# Text stays text in a PDF, in the fonts that publishers take, and the same chart gives the same bytes.
SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "svg.hashsalt": "lugha-lens"}
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def write_figure(
    chart: Chart | PairChart,
    folder: Path,
    name: str,
    size: str = "column",
    formats: tuple[str, ...] = FORMATS,
    board: Sequence[Sequence[str]] = (),
    titled: bool = True,
) -> list[Path]:
    """Write a chart in each format, its points (CSV), its caption (TXT) and what to cite (BIB); return the files.

    Args:
        board: rows of a leaderboard, written beside it as CSV.
        titled: whether its title line stands above it; a paper has that in the caption.

    Raises:
        ValueError: there is no such size or format.
    """
    if size not in SIZES:
        text = N_("There is no size {size!r}: choose one of {choices}.")
        raise ValueError(translate(text, size=size[:40], choices=", ".join(SIZES)))
    for form in formats:
        if form not in FORMATS:
            text = N_("A figure cannot be written as {form!r}: choose one of {choices}.")
            raise ValueError(translate(text, form=form[:40], choices=", ".join(FORMATS)))
    folder.mkdir(parents=True, exist_ok=True)
    drawn, written = print_figure(chart, size, titled), []
    with matplotlib.rc_context(SETTINGS):
        for form in formats:
            file = io.BytesIO()
            drawn.savefig(file, format=form, dpi=SIZES[size].dots, metadata=UNDATED[form], facecolor="white")
            written.append(folder / f"{name}.{form}")
            write_bytes(written[-1], file.getvalue())
    points = chart_csv(chart) if isinstance(chart, Chart) else chart.csv
    for ending, text in (("csv", points), ("txt", figure_caption(chart)), ("bib", citations(chart.models))):
        written.append(folder / f"{name}.{ending}")
        write_text(written[-1], text)
    if board:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(board)
        written.append(folder / f"{name}-leaderboard.csv")
        write_text(written[-1], table.getvalue())
    return written


def figure_caption(chart: Chart | PairChart) -> str:
    """The caption of any chart."""
    return caption_text(chart) if isinstance(chart, Chart) else chart.caption


def print_figure(chart: Chart | PairChart, size: str, titled: bool = True) -> Figure:
    """A chart as Matplotlib draws it, as large as a column, a page or a slide."""
    of = SIZES[size]
    return _lines(chart, of, titled) if isinstance(chart, Chart) else draw_pairs(chart, of, titled)


def _lines(chart: Chart, of: Size, titled: bool) -> Figure:
    # In one column of a paper many panels would be longer than its page.
    most = min(max(of.columns, 2 if len(chart.panels) > TALLEST else 1), len(chart.panels))
    columns = best_columns(chart.panels, most)
    places = grid(chart.panels, columns)
    rows = places[-1][0] + 1
    shown = _legend(chart, of)
    # A letter is half as wide as high, and the sample of a line as seven letters.
    in_a_row = max(1, int(of.width * 72 / (of.text / 2 * (9 + max(len(str(sample.get_label())) for sample in shown)))))
    legend_rows = -(-len(shown) // in_a_row)
    figure = sheet(chart, of, titled, height=rows * of.panel + (legend_rows + 2) * of.text * 1.5 / 72)
    cells: Any = figure.subplots(rows, columns, squeeze=False)
    for row, column in set(np.ndindex(rows, columns)) - set(places):
        cells[row, column].set_axis_off()
    first: dict[str, Axes] = {}
    for number, ((row, column), panel) in enumerate(zip(places, chart.panels, strict=True)):
        axes = cells[row, column]
        if panel.measure in first:
            axes.sharey(first[panel.measure])
        first.setdefault(panel.measure, axes)
        _draw(axes, panel, chart, of)
        # Said once where the panel to the left has the same.
        if column == 0 or chart.panels[number - 1].measure != panel.measure:
            axes.set_ylabel(panel.measure, fontsize=of.text)
        if all(below <= row for below, beside in places if beside == column):
            axes.set_xlabel(chart.axis.title, fontsize=of.text)
    figure.legend(
        handles=shown,
        loc="outside lower left",
        ncols=in_a_row,
        fontsize=of.text,
        frameon=False,
        # Long enough for a dash and a dot to be told apart.
        handlelength=3.5,
    )
    return figure


def _legend(chart: Chart, of: Size) -> list[Line2D]:
    """Samples of lines: each hue with what is compared, then each dash, in grey, with what it means."""
    width, samples = 2 * of.text / 20, []
    for entry, label in chart.labels.items():
        colour, mark = SERIES[entry]
        look = {"color": colour, "marker": MARKS[mark], "markersize": of.text / 2.4}
        samples.append(Line2D([], [], linewidth=width, label=label, **look))
    for dash, meaning in chart.dashes.items():
        samples.append(Line2D([], [], linewidth=width, label=meaning, color=GREY, linestyle=DASHES[dash]))
    return samples


def _draw(axes: Axes, panel: Panel, chart: Chart, of: Size) -> None:
    for line in panel.lines:
        if line.visible:
            _draw_line(axes, line, of)
            if (bar := bar_of(line, chart)) is not None:
                x, value, low, high = bar
                reach = [[value - low], [high - value]]
                colour, mark = SERIES[line.entry or 0]
                look = {"color": colour, "linewidth": 0.8, "capsize": 1.5, "marker": MARKS[mark]}
                look["markersize"] = of.text / 2.4
                axes.errorbar([x], [value], reach, **look)
    axes.set_title(panel.title, fontsize=of.text)
    axes.tick_params(labelsize=of.text, width=0.5)
    axes.grid(alpha=0.3, linewidth=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if panel.form.endswith("%"):
        axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    if panel.zero:
        axes.axhline(0, color=GREY, linewidth=0.8)
    if chart.layer is not None:
        axes.axvline(chart.layer, color=GREY, linewidth=0.8, dashes=(8, 4))
    if chart.axis.names:
        ticks, labels = layer_ticks(chart.axis.names)
        axes.set_xticks(ticks, labels)
        axes.set_xticks(np.arange(len(chart.axis.names)), minor=True)
    elif chart.axis.end:
        axes.set_xlim(0, chart.axis.end)


def _draw_line(axes: Axes, line: Line, of: Size) -> None:
    colour, mark = (GREY, "circle") if line.entry is None else SERIES[line.entry]
    if line.bounds is not None and line.banded:
        opacity = PALE_BAND if line.kind.pale else BAND
        axes.fill_between(line.x, *line.bounds.T, color=colour, alpha=opacity, linewidth=0)
    axes.plot(
        line.x,
        line.y,
        color=colour,
        linestyle=DASHES[line.kind.dash],
        linewidth=line.kind.width * of.text / 20,
        marker=MARKS[mark] if line.kind.marked else None,
        markersize=of.text / 2.4,
        markerfacecolor="white" if line.kind.dash == "dash" else colour,
        alpha=0.45 if line.kind is EACH_PAIR else 1,
    )
