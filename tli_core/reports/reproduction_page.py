"""A reproduction → a folder to keep: a self-contained HTML page, and JSON of every number."""

from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from tli_core.i18n import ENGLISH, in_language
from tli_core.reports.charts import curve_chart
from tli_core.reports.figures import chart_figure
from tli_core.reports.html import figure_div, provenance_line, templates
from tli_core.reports.pair_charts import Space
from tli_core.reports.reproduction import (
    OTHER_WAYS,
    pilot_rows,
    result_tables,
    sentences,
    space_sentences,
    warning_sentences,
    write_numbers,
)
from tli_core.reports.space_figure import space_figure
from tli_core.studies import published
from tli_core.studies.reproduction import AT_LAYER, AT_OUTPUT, CORRECTED, PUBLISHED, Reproduction


def write_reproduction(found: Reproduction, folder: Path) -> Path:
    """Write report.html and reproduction.json into a folder, and return the page."""
    write_numbers(found, folder)
    page = folder / "report.html"
    page.write_text(reproduction_html(found), encoding="utf-8")
    return page


@in_language(ENGLISH)
def reproduction_html(found: Reproduction) -> str:
    """The page as one text: scripts inside, no request to anywhere."""
    provenance = found.pilot.words.provenance
    return templates().get_template("reproduction.html.j2").render(
        paper=published.PAPER,
        source=published.SOURCE,
        provenance=provenance,
        sentences=sentences(found),
        pilot=pilot_rows(found),
        results=result_tables(found),
        figures=[
            (title, note, figure_div(figure, f"figure-{i}")) for i, (title, note, figure) in enumerate(_figures(found))
        ],
        probes=list(found.probes.items()),
        other_ways=OTHER_WAYS,
        warnings=warning_sentences(found),
        lines=[
            provenance_line(result.provenance)
            for result in (found.pilot.words, *(run.evaluations[AT_OUTPUT][1].after for run in found.runs))
        ],
        plotly=get_plotlyjs(),
    )  # fmt: skip


def _figures(found: Reproduction) -> list[tuple[str, str, go.Figure]]:
    """Title, note and figure, in the order of the paper: the pilot, before and after, the pictures."""
    of = {run.name: run.evaluations for run in found.runs}
    shown = [
        (
            "The pilot's curve, with BOS and without",
            "Where wrong pairs score as right ones do, the score is of BOS and not of translation.",
            chart_figure(curve_chart([("with BOS", found.pilot.with_bos), ("words only", found.pilot.words)])),
        )
    ]
    for place, names in ((AT_LAYER, (PUBLISHED, f"{PUBLISHED}-shuffled")), (AT_OUTPUT, (PUBLISHED, CORRECTED))):
        base = of[PUBLISHED][place][1].before
        layer = of[PUBLISHED][place][1].layer
        after = [(name, of[name][place][1].after) for name in names]
        shown.append(
            (
                f"Before and after on the control list: base, {' and '.join(names)}",
                "Solid: right pairs with a 95 % interval. Dotted: wrong pairs, nine in ten inside the pale band.",
                chart_figure(curve_chart([("base", base), *after], layer=layer)),
            )
        )
    for (labels, projection), told in zip(found.spaces.values(), space_sentences(found), strict=True):
        title = f"The control list in one plane (t-SNE) at {projection.layer_name}: {', '.join(labels)}"
        shown.append((title, told, space_figure(Space(labels, projection))))
    return shown
