"""An evaluation → a folder to keep: a self-contained HTML page, JSON and CSV of every number, the adapter card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader
from plotly.offline import get_plotlyjs

from tli_core.i18n import ENGLISH, N_, in_language
from tli_core.measures.before_after import EvaluationReport
from tli_core.models.loaded_model import Provenance
from tli_core.reports.beside_change import context_sentence, knowledge_sentence, linear_sentence
from tli_core.reports.charts import change_chart, curve_chart, shares_chart, spread_chart
from tli_core.reports.figures import chart_figure, scatter_figure
from tli_core.reports.json_csv import evaluation_json, layers_csv, pairs_csv, write_json
from tli_core.reports.messages import change_sentence
from tli_core.reports.model_card import write_card
from tli_core.reports.notices import worded
from tli_core.reports.pair_charts import scatter
from tli_core.reports.tables import COMPARED_MEASURES, how_read, legend, mover_rows, output_rows, report_rows
from tli_core.reports.written import prompts_sentence, written_sentence

TEMPLATE = "report.html.j2"


# The report's own words are English, whoever asks for it.
@in_language(ENGLISH)
def write_report(report: EvaluationReport, folder: Path, record: Mapping[str, Any] | None = None) -> Path:
    """Write report.html, report.json, layers.csv and pairs.csv into a folder, and return the page.

    Args:
        record: how the adapter was made (its tli.json); with it, the adapter card is written too.

    Raises:
        ValueError: the folder is a file, or already holds a report.
    """
    page = folder / "report.html"
    if folder.is_file() or page.exists():
        raise ValueError(f"{folder} is already there: give the report a folder of its own.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(evaluation_json(report), folder / "report.json")
    layers_csv(report, folder / "layers.csv")
    pairs_csv(report, folder / "pairs.csv")
    if record:
        write_card(folder, record, report.evaluations, report.provenance.adapter)
    page.write_text(report_html(report), encoding="utf-8")
    return page


def report_html(report: EvaluationReport) -> str:
    """The page as one text: scripts inside, no request to anywhere, the same bytes for the same report."""
    control = report.evaluations[-1]
    drawn = (
        (
            f"Before and after, {item.name} pairs",
            "Solid: right pairs with a 95 % interval. Dotted: wrong pairs, nine in ten inside the pale band.",
            chart_figure(curve_chart([("base", item.before), (report.provenance.adapter or "adapter", item.after)])),
            item.after.provenance,
        )
        for item in report.evaluations
    )
    poolings = [(how_read(control.before.provenance), control.before), (N_("BOS averaged in"), report.with_bos)]
    figures = [
        *drawn,
        (
            N_("What changed at every layer"),
            "Intervals are of the difference; p values are Holm-corrected for the number of layers.",
            chart_figure(change_chart(report.evaluations)),
            report.provenance,
        ),
        (
            "Each control pair, before against after",
            "Above the dashed line the cosine rose. Look whether the wrong pairs rose as well.",
            scatter_figure(scatter(control)),
            control.after.provenance,
        ),
        (
            "Right and wrong control pairs",
            "Where the two heaps lie on each other, a high cosine says nothing.",
            chart_figure(spread_chart(control, ("base", report.provenance.adapter or "adapter"))),
            control.after.provenance,
        ),
        (
            "The same control pairs with BOS averaged in, base",
            "The published pilot's way. Wrong pairs score as high as right ones: that is BOS, not translation.",
            chart_figure(curve_chart(poolings)),
            report.with_bos.provenance,
        ),
        (
            "What carries the vectors, base",
            "The share of the squared length that is BOS, and that lies in the three largest dimensions.",
            chart_figure(shares_chart(poolings)),
            report.with_bos.provenance,
        ),
    ]
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            report=report,
            warnings=[worded(warning) for warning in report.warnings],
            sentences=[
                *(change_sentence(item) for item in report.evaluations),
                *filter(None, [context_sentence(report), linear_sentence(report)]),
            ],
            table=report_rows(report),
            legend=legend(COMPARED_MEASURES),
            figures=[
                (title, note, figure_div(figure, f"figure-{i}"), provenance_line(provenance))
                for i, (title, note, figure, provenance) in enumerate(figures)
            ],
            movers=[(item.name, mover_rows(report, item)) for item in report.evaluations],
            outputs=output_rows(*report.outputs) if report.outputs else None,
            written=written_sentence(report),
            prompts=prompts_sentence(report.outputs[0].languages) if report.outputs else "",
            by_knowledge=knowledge_sentence(report),
            provenance=provenance_line(report.provenance),
            plotly=get_plotlyjs(),
        )
    )


def templates() -> Environment:
    """The templates of pages to keep; what is put into them is text, whatever it holds."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def provenance_line(provenance: Provenance) -> str:
    """Where a figure comes from, in one line."""
    adapter = "no adapter"
    if provenance.adapter:
        adapter = f"adapter {provenance.adapter} (sha256 {(provenance.adapter_sha256 or 'unknown')[:12]})"
    versions = ", ".join(f"{package} {version}" for package, version in provenance.versions.items())
    return (
        f"{provenance.model} (revision {(provenance.revision or 'unknown')[:19]}), {provenance.dtype}, {adapter}, "
        f"read {provenance.readout} ({provenance.view}), n = {provenance.n}, seed {provenance.seed}; {versions}"
    )


def figure_div(figure: go.Figure, name: str) -> str:
    """A figure as part of such a page, which has Plotly's script already."""
    return figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False})
