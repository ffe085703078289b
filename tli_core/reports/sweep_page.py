"""A sweep → a self-contained HTML page with its map."""

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from tli_core.i18n import ENGLISH, in_language
from tli_core.reports.figure_style import DIVERGING, styled
from tli_core.reports.html import figure_div, provenance_line, templates
from tli_core.reports.sweep_map import (
    HOW_TO_READ,
    cell_rows,
    mean_change,
    sentences,
    setting_text,
    settings_text,
)
from tli_core.studies.sweep_cells import AS_SHUFFLED, RUNS_FAILED, Sweep

MARKS = {
    "improved": "▲",
    "improved one way": "△",
    "mixed": "±",
    "spelling": "s",
    AS_SHUFFLED: "≈",
    "no clear change": "·",
    "worse": "▼",
    "collapsed": "▼",
    RUNS_FAILED: "×",
}
"""What stands in a cell of the map for its verdict."""


def write_sweep(found: Sweep, folder: Path) -> Path:
    """Write report.html into a folder, and return it."""
    page = folder / "report.html"
    page.write_text(sweep_html(found), encoding="utf-8")
    return page


@in_language(ENGLISH)
def sweep_html(found: Sweep) -> str:
    """The page as one text: scripts inside, no request to anywhere."""
    shown = dict.fromkeys(cell.verdict for cell in found.cells)
    return templates().get_template("sweep.html.j2").render(
        provenance=found.base.provenance,
        sentences=sentences(found),
        marks=[(MARKS[verdict], verdict) for verdict in shown],
        figure=figure_div(map_figure(found), "map"),
        rows=cell_rows(found),
        how_to_read=HOW_TO_READ,
        line=provenance_line(found.base.provenance),
        plotly=get_plotlyjs(),
    )  # fmt: skip


def map_figure(found: Sweep) -> go.Figure:
    """How far the mean reciprocal rank moved: columns are the layers that the loss reads, rows the other settings."""
    others = [name for name in found.plan.axes if name != "layer"]
    row_of = [", ".join(setting_text(name, getattr(cell.config, name)) for name in others) for cell in found.cells]
    column_of = [str(cell.config.layer) for cell in found.cells]
    rows, columns = list(dict.fromkeys(row_of)), list(dict.fromkeys(column_of))
    shape = len(rows), len(columns)
    moved, marks, told = np.full(shape, np.nan), np.full(shape, "", dtype=object), np.full(shape, "", dtype=object)
    for cell, row, column in zip(found.cells, row_of, column_of, strict=True):
        place = rows.index(row), columns.index(column)
        moved[place], marks[place] = mean_change(cell), MARKS[cell.verdict]
        told[place] = f"{settings_text(found.plan, cell.config)}: {cell.verdict}"
    reach = max((abs(mean_change(cell)) for cell in found.cells), default=0) or 1
    figure = go.Figure(
        go.Heatmap(
            z=moved, x=columns, y=rows, text=marks, texttemplate="%{text}", customdata=told,
            hovertemplate="%{customdata}<br>%{z:+.3f}<extra></extra>",
            colorscale=DIVERGING, zmin=-reach, zmax=reach, xgap=2, ygap=2,
            colorbar={"title": {"text": "change of MRR", "side": "right"}, "thickness": 12},
        )
    )  # fmt: skip
    figure.update_xaxes(title="layer that the loss reads", type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    title = f"Held-out words at the output, {found.base.provenance.model}"
    return styled(figure, 160 + 60 * len(rows), title, hovermode="closest")
