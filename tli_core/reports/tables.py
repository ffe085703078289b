"""Results → rows of text, the same for the terminal, the page, the report and the adapter card."""

from collections.abc import Iterable, Sequence

import numpy as np

from tli_core.encoding.lens import VIEWS
from tli_core.encoding.readouts import READOUTS
from tli_core.i18n import N_, translate, translate_plural
from tli_core.measures.before_after import Evaluation, EvaluationReport, Mover, movers
from tli_core.measures.registry import MEASURES, Measure
from tli_core.measures.result import LayerAlignment
from tli_core.measures.translation import OutputCheck
from tli_core.measures.verdicts import verdict
from tli_core.models.layers import layer_words
from tli_core.models.load_plan import gigabytes
from tli_core.models.loaded_model import Provenance
from tli_core.training.dry_run import DryRun
from tli_core.training.seeds import Spread

LAYER_MEASURES = tuple(measure for measure in MEASURES if measure.in_table)
COMPARED_MEASURES = tuple(measure for measure in MEASURES if measure.in_evaluation)


def alignment_table(result: LayerAlignment) -> str:
    """A measurement as a plain table, one line a layer."""
    return format_table(alignment_rows(result))


def alignment_rows(result: LayerAlignment) -> list[tuple[str, ...]]:
    """A measurement, one row a layer: a heading row first. Every figure is a field of the result."""
    columns = [(measure, way) for measure in LAYER_MEASURES for way in measure.ways]
    rows = [
        (
            translate("layer"),
            *(
                f"{translate(m.label)} →{result.languages.answers[way].code}" if way else translate(m.label)
                for m, way in columns
            ),
            translate("verdict"),
        )
    ]
    values = [(measure.values(result, way), measure.interval(result, way)) for measure, way in columns]
    for i, name in enumerate(result.names):
        cells = (
            _cell(value[i], None if within is None else within[i], measure.form)
            for (value, within), (measure, _) in zip(values, columns, strict=True)
        )
        rows.append(
            (str(i) if name == f"block {i}" else f"{i} {translate(name)}", *cells, translate(verdict(result, i)))
        )
    return rows


def legend(measures: Iterable[Measure]) -> list[tuple[str, str]]:
    """What each measure is, and which way is better, beside its label in tables."""
    better = {True: N_("Higher is better."), False: N_("Lower is better."), None: ""}
    return [
        (translate(m.label), f"{translate(m.help)} {translate(better[m.higher_is_better])}".strip()) for m in measures
    ]


def measured_cell(measure: Measure, result: LayerAlignment, way: str | None, layer: int) -> str:
    """A measure at one layer as it stands in a table, with its interval or band behind it."""
    within = measure.interval(result, way)
    return _cell(measure.values(result, way)[layer], None if within is None else within[layer], measure.form)


def _cell(value: float, within: np.ndarray | None, form: str) -> str:
    """A value as it stands in a table, with its interval or band behind it; a dash where there is none."""
    shown = format(value, form) if np.isfinite(value) else "–"
    if within is None or not np.isfinite(within).all():
        return shown
    return f"{shown} [{within[0]:{form}}, {within[1]:{form}}]"


def compared_rows(results: Sequence[tuple[str, LayerAlignment]]) -> list[tuple[str, ...]]:
    """Measurements that stand side by side, one row a model and layer: a heading row first."""
    heading, *_ = alignment_rows(results[0][1])
    return [
        (translate("model"), *heading),
        *((label, *row) for label, result in results for row in alignment_rows(result)[1:]),
    ]


def caption(provenance: Provenance) -> str:
    """What a figure is of, in a few words: model, adapter, readout and number of pairs."""
    who = provenance.model if provenance.adapter is None else f"{provenance.model} + {provenance.adapter}"
    pairs = translate_plural("{n} pair", "{n} pairs", provenance.n)
    return f"{who} · {how_read(provenance)} · {pairs}"


def how_read(provenance: Provenance) -> str:
    """The readout and the view of a measurement, in words."""
    parts = [READOUTS[provenance.readout].label, *([] if provenance.view == "raw" else [VIEWS[provenance.view]])]
    return ", ".join(map(translate, parts))


def evaluation_table(evaluations: Sequence[Evaluation]) -> str:
    """The paper's table and the controls that it lacks, as plain text."""
    return format_table(evaluation_rows(evaluations))


def evaluation_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """The paper's table and the controls that it lacks: a heading row, then one row a measure, one column a list."""
    lists = (
        f"{i.after.provenance.adapter}, {translate(i.name)} ({translate_plural('{n} pair', '{n} pairs', i.test.n)})"
        for i in evaluations
    )
    rows: list[tuple[str, ...]] = [(translate("measure"), *lists)]

    def add(label: str, values: Sequence[str]) -> None:
        rows.append((translate(label), *values))

    def row(label: str, language: str, values: Sequence[str]) -> None:
        rows.append((translate(label, language=translate(language)), *values))

    tests, moves = [item.test for item in evaluations], [item.change for item in evaluations]
    add("model", [item.after.provenance.model for item in evaluations])
    add("layer", [layer_words(item.after.names[item.layer]) for item in evaluations])
    add(N_("read"), [how_read(item.after.provenance) for item in evaluations])
    add(N_("wrong pairs from"), [translate(item.after.wrong_from) for item in evaluations])
    add(N_("matched before"), [f"{t.before:.4f}" for t in tests])
    add(N_("matched after"), [f"{t.after:.4f}" for t in tests])
    add("difference", [f"{t.difference:+.4f}" for t in tests])
    add(N_("  95 % interval"), [_interval(*t.difference_ci95) for t in tests])
    add("percent", [f"{t.percent:+.1f} %" for t in tests])
    add(N_("paired t"), [f"{t.t:.2f}, p {p_value(t.p_t)}" for t in tests])
    add(N_("permutation p"), [f"{t.p_permutation:.2g}" for t in tests])
    add("Cohen's d_z", [f"{t.d_z:.2f}" for t in tests])
    answers = [(way, language.name) for way, language in evaluations[0].before.languages.answers.items()]
    for measure in (measure for measure in COMPARED_MEASURES if not measure.both_ways):
        label = translate("{measure} before → after", measure=translate(measure.label))
        rows.append((label, *(_moved(measure, item, None, ".4f") for item in evaluations)))
    add(N_("  change of the gap, 95 %"), [_interval(*m.gap_ci95) for m in moves])
    for measure in (measure for measure in COMPARED_MEASURES if measure.both_ways):
        for way, to in answers:
            label = f"{translate(measure.label)} → {translate(to)}"
            rows.append((label, *(_moved(measure, item, way, ".3f") for item in evaluations)))
    for way, to in answers:
        moved = [item.change.ranks[way] for item in evaluations]
        row(N_("  change of MRR → {language}, 95 %"), to, [_interval(*r.mrr_ci95) for r in moved])
        row(N_("  sign-flip p, MRR → {language}"), to, [p_value(r.p) for r in moved])
        row(N_("  the same beyond spelling"), to, [p_value(r.p_beyond_spelling) for r in moved])
        row(N_("  change of P@1 → {language}, 95 %"), to, [_interval(*r.p_at_1_ci95) for r in moved])
    add(N_("look alike"), [f"{item.before.look_alike.sum()} / {item.test.n}" for item in evaluations])
    alone = [i.before.spelling_alone for i in evaluations]
    add(N_("P@1 by spelling alone, both ways"), [f"{there:.3f}, {back:.3f}" for there, back in alone])
    costs = [item.before.tokens.per_word for item in evaluations]
    add(N_("tokens of a word, both languages"), [f"{source:.2f}, {target:.2f}" for source, target in costs])
    add(N_("pool, chance"), [f"{either(i.before.pool_size)}, {either(i.before.chance, '.4f')}" for i in evaluations])
    add("verdict", [translate(m.verdict) for m in moves])
    return rows


def report_rows(report: EvaluationReport) -> list[tuple[str, ...]]:
    """`evaluation_rows`, and whether the last list's change survives inside sentences."""
    rows, item = evaluation_rows(report.evaluations), report.in_context
    if item is None:
        return rows
    blank = [""] * (len(report.evaluations) - 1)
    for measure in (measure for measure in COMPARED_MEASURES if measure.key in ("p_at_1", "mrr")):
        for way, language in item.before.languages.answers.items():
            label = translate("in a sentence: {measure} → {language}", measure=translate(measure.label),
                              language=translate(language.name))  # fmt: skip
            rows.append((label, *blank, _moved(measure, item, way, ".3f")))
    rows.append((translate("in a sentence: verdict"), *blank, translate(item.change.verdict)))
    return rows


def _moved(measure: Measure, item: Evaluation, way: str | None, form: str) -> str:
    """A measure before and after, at the evaluated layer."""
    both = [measure.values(result, way)[item.layer] for result in (item.before, item.after)]
    return " → ".join(format(value, form) if np.isfinite(value) else "–" for value in both)


def output_rows(before: OutputCheck, after: OutputCheck) -> list[tuple[str, ...]]:
    """What the model writes, base beside adapter: a heading row, then one row a measure."""
    ways = [(way, language.name) for way, language in before.languages.answers.items()]
    both, ranked = (before, after), before.ranking["to_target"]
    rows: list[tuple[str, ...]] = [tuple(map(translate, (N_("what the model writes"), N_("base"), N_("adapter"))))]

    def add(label: str, to: str, values: Iterable[str]) -> None:
        rows.append((translate(label, language=translate(to)), *values))

    for way, to in ways:
        add(N_("greedy translation to {language}, right"), to, (f"{getattr(c.greedy, way):.3f}" for c in both))
    for way, to in ways:
        pair = [check.ranking[way] for check in both]
        add(N_("right gloss likeliest, to {language}"), to, (f"{r.p_at_1:.3f}" for r in pair))
        add(N_("  its mean reciprocal rank, to {language}"), to, (f"{r.mrr:.3f}" for r in pair))
        add(N_("  its mean log-probability, to {language}"), to, (f"{r.log_probability.mean():.2f}" for r in pair))
    rows.append((translate("  candidates, chance"), *[f"{ranked.candidates}, {ranked.chance:.4f}"] * 2))
    for language, side in zip(before.languages.names, ("source", "target"), strict=True):
        label = translate("perplexity on plain {language} (guessing: {uniform:,})",
                    language=translate(language), uniform=before.health.uniform)  # fmt: skip
        rows.append((label, *(f"{getattr(c.health, side):,.1f}" for c in both)))
    return rows


def mover_rows(report: EvaluationReport, item: Evaluation, count: int = 10) -> list[tuple[str, ...]]:
    """The pairs that gained and lost most over their wrong partners, with their subwords: a heading row first."""
    names, figures = item.before.languages.names, (N_("right pair"), N_("its wrong pairs"), N_("gained"))
    head = tuple(map(translate, (N_("moved"), *names, N_("pieces"), *figures)))

    def row(kind: str, mover: Mover) -> tuple[str, ...]:
        pieces = " | ".join("·".join(p.strip() for p in report.subwords.get(word, ())) for word in mover.pair[:2])
        return (
            translate(kind),
            mover.pair.source,
            mover.pair.target,
            pieces,
            f"{mover.before:.3f} → {mover.after:.3f}",
            f"{mover.wrong_before:.3f} → {mover.wrong_after:.3f}",
            f"{mover.change:+.3f}",
        )

    gained, lost = movers(item, count)
    return [head, *(row(N_("gained"), mover) for mover in gained), *(row(N_("lost"), mover) for mover in lost)]


def dry_run_rows(tried: DryRun, loss: str) -> list[tuple[str, ...]]:
    """What is known of a run before it begins: a heading row, then what, the figure, and what to hold it against."""
    idle = translate("the margin") if loss == "triplet" else "ln(batch)"
    apart = translate("{loss:.3f} ({what}): a model that tells nothing apart", loss=tried.idle_loss, what=idle)
    rows = [
        tuple(map(translate, (N_("before the first step"), N_("figure"), N_("beside")))),
        (translate("loss"), f"{tried.first_loss:.3f}", apart),
        (
            translate("right pair less hardest wrong pair"),
            f"{tried.hardest_gap:+.4f}",
            translate("0: the two look alike"),
        ),
    ]
    if loss == "triplet":
        rows.append(
            (translate("triplets with any gradient"), f"{100 * tried.active:.0f} %", translate("0 %: nothing to learn"))
        )
    rows.append((translate("norm of the first gradient"), f"{tried.gradient:.2g}", translate("0: nothing to learn")))
    rows.append((translate("steps, expected time on this machine"), f"{tried.steps}", duration(tried.seconds)))
    weights = translate("{size} of blocks that run", size=gigabytes(tried.weights_bytes))
    rows.append((translate("memory"), weights, translate("+ {size} to train", size=gigabytes(tried.training_bytes))))
    return rows


def spread_rows(spreads: Sequence[Spread]) -> list[tuple[str, ...]]:
    """One measure a row over several seeds: a heading row first."""
    rows = [("over seeds", "mean", "sd", "each")]
    for item in spreads:
        form = "+.3f" if item.is_change else ".3f"
        each = "  ".join(format(value, form) for value in item.values)
        apart = f"{item.deviation:.3f}" if np.isfinite(item.deviation) else "–"
        rows.append((item.measure, format(item.mean, form), apart, each))
    return rows


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of the project's own words as a Markdown table, the first as its heading."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(cell.strip() or " " for cell in line) + " |" for line in lines)


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds >= 90:
        return translate("about {minutes:.0f} min", minutes=seconds / 60)
    return translate("about {seconds:.0f} s", seconds=max(1, seconds))


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to one width, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _interval(low: float, high: float) -> str:
    """An interval, or a dash where there is none."""
    return "–" if np.isnan(low) else translate("{low:+.4f} to {high:+.4f}", low=low, high=high)


def either(figures: Sequence[float], form: str = "d") -> str:
    """A figure of both directions: once where it is the same in both."""
    there, back = (format(figure, form) for figure in figures)
    return there if there == back else translate("{there} and {back}", there=there, back=back)


def p_value(p: float) -> str:
    """A p value; one too small for a double is given as its bound."""
    return "< 1e-300" if p < 1e-300 else f"{p:.2g}"
