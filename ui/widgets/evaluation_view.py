"""An evaluation as the page shows it: made once, looked at in several ways and at any layer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models, Visitor
from ui.widgets.evaluation_choice import Chosen

VIEWS = {
    N_("Control pairs, before and after"): N_(
        "Solid: right pairs with a 95 % interval. Dotted: wrong pairs, nine in ten "
        "inside the pale band. Only the distance between the two means anything."
    ),
    N_("Trained pairs, before and after"): N_(
        "The pairs that the adapter was trained on. A gain here that the control pairs "
        "do not show is memory, not alignment."
    ),
    N_("What changed at every layer"): N_(
        "After minus before with 95 % intervals of the *difference*; p values (hover) are "
        "corrected for the number of layers (Holm). The lower panel, the gap, is the one that counts."
    ),
    N_("Each control pair"): N_(
        "Above the dashed line the cosine rose. If the open marks, the wrong pairs, rose as well, "
        "the rise says nothing."
    ),
    N_("Right and wrong pairs"): N_(
        "How the cosines are spread. Where the two heaps lie on each other, a high cosine says nothing."
    ),
    N_("With BOS averaged in"): N_(
        "The base on the control pairs, pooled as the published pilot does it. Its cosines near 1 are "
        "those of *wrong* pairs too: every vector is nearly the same BOS. That is why a figure such as "
        "0.99998 says nothing about translation."
    ),
    N_("What carries the vectors"): N_(
        "Under the base: how much of the vectors' squared length is BOS, and how much lies in "
        "each vector's three largest dimensions, with words only and with BOS averaged in."
    ),
}


@dataclass(frozen=True, eq=False)
class Measured:
    """What is on the page, so that layers and views change without measuring again.

    chosen is what was asked for in the Evaluate tab, None where a run was measured on its own page.
    Compared by identity: Gradio hashes a state whose change is followed, and arrays have no hash.
    """

    model: str
    adapter: str
    report: core.measures.before_after.EvaluationReport
    chosen: Chosen | None = None


@on_gpu(60)
def evaluated(
    models: Models,
    visitor: Visitor,
    model: str,
    adapter: str,
    pairs: Sequence[WordPair],
    unseen: Sequence[WordPair],
    layer: int | str,
    lens: Lens,
    tell: Callable[[str], None],
) -> core.measures.before_after.EvaluationReport:
    """Base and adapter on both lists."""
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    check_tokens(loaded, pairs, unseen)
    evaluations = core.measures.before_after.evaluate_lists(loaded, pairs, unseen, key, layer, progress=tell, lens=lens)
    return core.measures.before_after.report_of(loaded, evaluations, key)


@on_gpu(120)
def answered(
    models: Models, visitor: Visitor, measured: Measured, tell: Callable[[str], None]
) -> core.measures.before_after.EvaluationReport:
    """The report with what both write."""
    loaded, key = models.get(measured.model), visitor.key(models, measured.model, measured.adapter)
    return core.measures.before_after.with_answers(loaded, measured.report, key, tell)


def drawn(report: core.measures.before_after.EvaluationReport, view: str, words: str) -> go.Figure:
    """The figure of a view; in the one that has a mark for each pair the picked one is ringed."""
    return core.reports.figures.any_figure(chart_of(report, view, words))


def chart_of(
    report: core.measures.before_after.EvaluationReport, view: str, words: str
) -> core.reports.chart.Chart | core.reports.pair_charts.Scatter:
    """The chart of a view.

    Args:
        words: the pair that is picked.
    """
    charts, number_of, (trained, control) = core.reports.charts, core.reports.labels.number_of, report.evaluations
    labels = translate("base"), str(report.provenance.adapter)
    poolings = [
        (core.reports.tables.how_read(control.before.provenance), control.before),
        (translate("BOS averaged in"), report.with_bos),
    ]

    def curves(item: core.measures.before_after.Evaluation) -> core.reports.chart.Chart:
        return charts.curve_chart(list(zip(labels, (item.before, item.after), strict=True)), picked=words)

    makers: dict[str, Callable[[], core.reports.chart.Chart | core.reports.pair_charts.Scatter]] = dict(
        zip(
            VIEWS,
            (
                lambda: curves(control),
                lambda: curves(trained),
                lambda: charts.change_chart(report.evaluations),
                lambda: core.reports.pair_charts.scatter(control, number_of(control.before.pairs, words)),
                lambda: charts.spread_chart(control, labels),
                lambda: charts.curve_chart(poolings),
                lambda: charts.shares_chart(poolings),
            ),
            strict=True,
        )
    )
    return makers[view]()


def report_file(held: Measured, visitor: Visitor, folder: Path) -> str:
    """The report as a zip in a folder."""
    name = f"{held.report.provenance.adapter}-report"
    record = core.models.adapter_import.read_record(visitor.folder(held.model, held.adapter))
    core.reports.html.write_report(held.report, folder / name, record)
    return shutil.make_archive(str(folder / name), "zip", folder, name)
