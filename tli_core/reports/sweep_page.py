"""A sweep → a self-contained HTML page with its map."""

from pathlib import Path

from plotly.offline import get_plotlyjs

from tli_core.i18n import ENGLISH, in_language
from tli_core.reports.html import figure_div, provenance_line, templates
from tli_core.reports.map_figure import map_figure
from tli_core.reports.sweep_map import HOW_TO_READ, MARKS, cell_rows, map_cells, sentences
from tli_core.studies.sweep_cells import Sweep


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
        figure=figure_div(map_figure(found.base.provenance.model, map_cells(found)), "map"),
        rows=cell_rows(found),
        how_to_read=HOW_TO_READ,
        line=provenance_line(found.base.provenance),
        plotly=get_plotlyjs(),
    )  # fmt: skip
