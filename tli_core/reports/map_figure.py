"""The map of a sweep as Plotly draws it, in a report and on the page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from tli_core.i18n import translate
from tli_core.reports.figure_style import DIVERGING, styled
from tli_core.reports.sweep_map import MARKS, MapCell, setting_text, settings_text
from tli_core.studies.sweep_runs import Plan
from tli_core.training.config import OUTPUT


def map_figure(model: str, cells: Sequence[MapCell]) -> go.Figure:
    """How far the mean reciprocal rank moved: columns are the layers that the loss reads, rows the other settings.

    The customdata of each field is what its settings and verdict are, and the number of its cell.
    """
    plan = Plan(tuple(cell.config for cell in cells), 1)
    others = [name for name in plan.axes if name != "layer"]
    row_of = [", ".join(setting_text(name, getattr(cell.config, name)) for name in others) for cell in cells]
    column_of = [translate("out") if cell.config.layer == OUTPUT else str(cell.config.layer) for cell in cells]
    rows, columns = list(dict.fromkeys(row_of)), list(dict.fromkeys(column_of))
    shape = len(rows), len(columns)
    moved, marks = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    told = np.full((*shape, 2), "", dtype=object)
    for number, (cell, row, column) in enumerate(zip(cells, row_of, column_of, strict=True)):
        place = rows.index(row), columns.index(column)
        moved[place], marks[place] = cell.moved, MARKS[cell.verdict]
        told[place] = f"{settings_text(plan, cell.config)}: {translate(cell.verdict)}", number
    reach = float(np.nanmax(np.abs(moved), initial=0)) or 1
    height = 40 + 60 * len(rows)  # of the fields alone
    # Below the fields and what names their columns: beside them it would take a third of a phone's screen.
    bar = {"title": {"text": translate("change of MRR"), "side": "bottom"}, "thickness": 10, "orientation": "h",
           "y": -65 / height, "yanchor": "top", "ypad": 0}  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            z=moved, x=columns, y=rows, text=marks, texttemplate="%{text}", customdata=told,
            hovertemplate="%{customdata[0]}<br>%{z:+.3f}<extra></extra>",
            colorscale=DIVERGING, zmin=-reach, zmax=reach, xgap=2, ygap=2, colorbar=bar,
        )
    )  # fmt: skip
    figure.update_xaxes(title=translate("layer of the loss"), type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    title = translate("Held-out words at the output, {model}", model=Path(model).name)
    figure = styled(figure, height + 180, title, hovermode="closest")
    return figure.update_layout(margin={"t": 30, "b": 150})
