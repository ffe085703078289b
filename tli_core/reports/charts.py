"""Results → line charts. Nothing here measures, and nothing draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tli_core.i18n import N_, translate, translate_plural
from tli_core.measures.across_models import Compared
from tli_core.measures.before_after import Evaluation
from tli_core.measures.registry import MATCHED, MEASURES
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.models.layers import layer_index, layer_words
from tli_core.reports.chart import (
    AS_LONG,
    BY_SPELLING,
    CHANCE,
    EACH_PAIR,
    FOUND,
    LOOK_ALIKE,
    ONE_PAIR,
    RIGHT,
    SAME_TOPIC,
    WRONG,
    Axis,
    Chart,
    Line,
    Panel,
    layer_axis,
)
from tli_core.reports.data_note import data_note
from tli_core.reports.labels import number_of
from tli_core.reports.tables import caption, how_read
from tli_core.training.history import TrainingStep

Labelled = tuple[str, LayerAlignment]

PAIRS_DRAWN = 60
"""Pairs that are drawn one by one; more would only cover each other."""

TOGETHER = 3
"""Up to so many are drawn in one panel with their bands; more would only cover each other, and get one each."""

COSINE = N_("cosine of the two words")
COSINES = N_("Mean cosine at each layer; pairs that share a word or a topic count as one in its interval.")
P_AT_1 = next(measure for measure in MEASURES if measure.key == "p_at_1")
# Wrong pairs that are harder than any two words: the measure, its kind of line, and whether it is drawn unasked.
HARDER = (
    ("look_alike_wrong", LOOK_ALIKE, True),
    ("as_long_wrong", AS_LONG, False),
    ("same_topic_wrong", SAME_TOPIC, False),
)


def curve_chart(
    results: Sequence[Labelled], pair_lines: bool = False, picked: str = "", layer: int | str | None = None
) -> Chart:
    """Cosines of right and wrong pairs at every layer, with the interval of the right and the band of the wrong ones.

    Args:
        pair_lines: whether every pair has a line of its own.
        picked: a pair as `pair_words` writes it, whose line stands out where it is measured.
        layer: one to mark, a number or `output`; None marks none.
    """
    measure, longest = translate(COSINE), max((result.names for _, result in results), key=len)
    each = [_cosines(entry, *of, pair_lines, picked, alone=len(results) == 1) for entry, of in enumerate(results)]
    if len(results) <= TOGETHER:
        panels = (Panel(measure, tuple(line for lines in each for line in lines), about=translate(COSINES)),)
    else:
        panels = tuple(
            Panel(measure, tuple(lines), label, about=translate(COSINES))
            for (label, _), lines in zip(results, each, strict=True)
        )
    title = translate("Right and wrong pairs at every layer")
    marked = None if layer is None else layer_index(longest, layer)
    measured = [of for _, of in results]
    axis = layer_axis(longest)
    return Chart(title, panels, axis, heading(results), marked, _models(measured), data_note(measured))


def comparison_chart(results: Sequence[Labelled], layer: int | str | None = None, picked: str = "") -> Chart:
    """How many words find their translation, in both directions, and beside it the curves.

    Args:
        layer: one to mark, a number or `output`; None marks none.
        picked: as `curve_chart` takes it.
    """
    curves, found = curve_chart(results, picked=picked, layer=layer), []
    for way, language in results[0][1].languages.answers.items():
        banded = len(results) <= TOGETHER
        lines = [
            Line(entry, label, FOUND, _layers(of), P_AT_1.values(of, way), P_AT_1.interval(of, way), banded=banded)
            for entry, (label, of) in enumerate(results)
        ]
        lines += _references(results, DIRECTIONS.index(way), np.arange(len(curves.axis.names or ())))
        title = f"→ {translate(language.name)}"
        found.append(Panel("P@1", tuple(lines), title, form=".2f", about=translate(P_AT_1.help)))
    title = translate("Words that find their translation, and right and wrong pairs")
    return replace(curves, title=title, panels=(*found, *curves.panels))


def change_chart(evaluations: Sequence[Evaluation]) -> Chart:
    """After minus before at every layer, with 95 % intervals: right pairs, and their gap to wrong ones."""
    panels = []
    for measure, values, bounds, p in (
        (N_("change of right pairs' cosine"), "matched", "matched_ci95", "matched_p"),
        (N_("change of the gap to wrong pairs"), "gap", "gap_ci95", "gap_p"),
    ):
        lines = [
            Line(entry, translate(item.name), FOUND, _layers(item.before),
                 *(getattr(item.differences, field) for field in (values, bounds, p)))
            for entry, item in enumerate(evaluations)
        ]  # fmt: skip
        panels.append(Panel(translate(measure), tuple(lines), form="+.3f", zero=True))
    last = evaluations[-1].after
    return Chart(
        translate("What changed at every layer"),
        tuple(panels),
        layer_axis(last.names),
        caption(last.provenance),
        evaluations[-1].layer,
        _models([last]),
        data_note(item.after for item in evaluations),
    )


def shares_chart(results: Sequence[Labelled]) -> Chart:
    """How much of the vectors' squared length is BOS, and how much lies in three dimensions, by layer."""
    panels = []
    for measure, field in ((N_("BOS's share of squared length"), "prefix_share"),
                           (N_("three dimensions' share of squared length"), "rogue_share")):  # fmt: skip
        lines = (
            Line(entry, label, FOUND, _layers(of), getattr(of, field)) for entry, (label, of) in enumerate(results)
        )
        panels.append(Panel(translate(measure), tuple(lines), form=".0%"))
    title = translate("What carries the vectors")
    (_, first), (_, last) = results[0], results[-1]
    axis, data = layer_axis(first.names), data_note(of for _, of in results)
    return Chart(title, tuple(panels), axis, caption(last.provenance), models=_models([last]), data=data)


def spread_chart(evaluation: Evaluation, labels: tuple[str, str]) -> Chart:
    """How right and wrong pairs' cosines are spread at the evaluated layer, before beside after.

    Args:
        labels: what base and adapter are called.
    """
    layer, width, panels = evaluation.layer, 0.05, []
    both = (evaluation.before, evaluation.after)
    spread = [(of.cosine[:, layer], of.wrong_quantiles[layer]) for of in both]
    known = np.concatenate([values[np.isfinite(values)] for pair in spread for values in pair] or [np.zeros(1)])
    low, high = (np.floor(known.min() / width), np.ceil(known.max() / width)) if known.size else (0, 1)
    edges = np.arange(low, high + 2) * width  # (bins + 1,)
    for entry, (label, values) in enumerate(zip(labels, spread, strict=True)):
        lines = []
        for kind, of in zip((RIGHT, WRONG), values, strict=True):
            counts = np.histogram(of[np.isfinite(of)], edges)[0]
            lines.append(Line(entry, label, kind, (edges[:-1] + edges[1:]) / 2, 100 * counts / max(1, counts.sum())))
        panels.append(Panel(translate("% of pairs"), tuple(lines), label, form=".0f"))
    where = f"{caption(evaluation.after.provenance)} · {layer_words(evaluation.after.names[layer])}"
    title, after = translate("How right and wrong pairs' cosines are spread"), [evaluation.after]
    axis = Axis(translate("cosine"))
    return Chart(title, tuple(panels), axis, where, models=_models(after), data=data_note(after))


@dataclass(frozen=True)
class DrawnRun:
    """A run as it is drawn: its name, its base's, the name of its loss, and its steps so far."""

    label: str
    model: str
    loss: str
    steps: Sequence[TrainingStep]


def training_chart(runs: Sequence[DrawnRun]) -> Chart:
    """Loss by step, and below it the held-out pairs: right and wrong cosines, and P@1.

    The first hue is the base's, as in the curves of a run, so that an adapter has one hue in both.
    """
    losses, cosines, found = [], [], []
    for entry, run in enumerate(runs, 1):
        label = run.label
        seen = [step for step in run.steps if step.loss is not None]
        checks = [(step.step, step.check) for step in run.steps if step.check]
        steps, loss = (np.array([getattr(step, field) for step in seen], float) for field in ("step", "loss"))
        at = np.array([step for step, _ in checks], float)
        matched, mismatched, p_at_1 = (
            np.array([getattr(check, field) for _, check in checks], float)
            for field in ("matched", "mismatched", "p_at_1")
        )
        losses.append(Line(entry, label, FOUND, steps, loss))
        cosines += [Line(entry, label, RIGHT, at, matched), Line(entry, label, WRONG, at, mismatched)]
        found.append(Line(entry, label, FOUND, at, p_at_1))
    what = ", ".join(dict.fromkeys(translate("{kind} loss", kind=run.loss) for run in runs))
    panels = (
        Panel(what, tuple(losses), form=".4f"),
        Panel(translate("held out: cosine"), tuple(cosines)),
        Panel(translate("held out: P@1"), tuple(found)),
    )
    longest = max((run.steps[-1].steps for run in runs if run.steps), default=None)
    models = tuple(dict.fromkeys(run.model for run in runs))
    heading = " · ".join([", ".join(Path(model).name for model in models), ", ".join(run.label for run in runs)])
    axis = Axis(translate("step"), end=longest)
    return Chart(translate("Fine-tune, step by step"), panels, axis, heading, models=models)


def heading(results: Sequence[Labelled]) -> str:
    """Of what a chart is: models, the adapter where there is one, readout and number of pairs where all agree."""
    found = [result.provenance for _, result in results]
    adapters = [adapter for adapter in dict.fromkeys(of.adapter for of in found) if adapter]
    who = [", ".join(dict.fromkeys(Path(of.model).name for of in found))]
    # Of more than base and adapter the heading would name one of several.
    one_adapter = len(adapters) == 1 and len(who) == 1 and len(results) <= 2
    told = [" + ".join(who + adapters if one_adapter else who)]
    for part in ({how_read(of) for of in found}, {translate_plural("{n} pair", "{n} pairs", of.n) for of in found}):
        told += part if len(part) == 1 else []
    return " · ".join(told)


def _references(results: Sequence[Labelled], way: int, across: np.ndarray) -> list[Line]:
    """What chance and spelling alone find of each list of pairs, once for all results that share it."""
    lists = {of.pairs: of for _, of in results}
    lines = []
    for number, of in enumerate(lists.values(), 1):
        label = "" if len(lists) == 1 else _list_name(of, number, [len(pairs) for pairs in lists])
        for kind, value in ((CHANCE, of.chance[way]), (BY_SPELLING, of.spelling_alone[way])):
            lines.append(Line(None, label, kind, across, np.full(len(across), value)))
    return lines


def _list_name(result: LayerAlignment, number: int, sizes: Sequence[int]) -> str:
    """What a list is called beside others: its number of pairs, and its own number where that is not enough."""
    n = len(result.pairs)
    name = translate_plural("{n} pair", "{n} pairs", n)
    return name if list(sizes).count(n) == 1 else f"{name} ({number})"


def distinctly_labelled(compared: Sequence[Compared]) -> list[Compared]:
    """Those compared, each with what sets it apart in its label: readout, pairs, or a number at last."""
    lists = list(dict.fromkeys(of.result.pairs for of in compared))
    sizes = [len(pairs) for pairs in lists]
    readouts = {how_read(of.result.provenance) for of in compared}
    named = []
    for of in compared:
        parts = [how_read(of.result.provenance)] if len(readouts) > 1 else []
        parts += [_list_name(of.result, lists.index(of.result.pairs) + 1, sizes)] if len(lists) > 1 else []
        named.append(replace(of, label=f"{of.label}, {', '.join(parts)}" if parts else of.label))
    labels = [of.label for of in named]
    numbered = (replace(of, label=f"{of.label} ({i})") for i, of in enumerate(named, 1))
    return [of if labels.count(of.label) == 1 else other for of, other in zip(named, numbered, strict=True)]


def _cosines(entry: int, label: str, result: LayerAlignment, pair_lines: bool, picked: str, alone: bool) -> list[Line]:
    """The lines of one measurement; beside others, wrong pairs that nobody asked for would only fill the legend."""
    layers = _layers(result)
    lines = [
        Line(entry, label, RIGHT, layers, result.matched, MATCHED.interval(result)),
        Line(entry, label, WRONG, layers, result.mismatched, result.mismatched_band),
    ]
    for key, kind, asked in HARDER:
        if np.isfinite(result.scores[key]).any() and (asked or alone):
            lines.append(Line(entry, label, kind, layers, result.scores[key], visible=asked))
    words = [f"{pair.source} – {pair.target}" for pair in result.pairs]
    if pair_lines:
        drawn = list(zip(words, result.cosine, strict=True))[:PAIRS_DRAWN]
        lines += [Line(entry, f"{label}: {name}", EACH_PAIR, layers, cosines) for name, cosines in drawn]
    if (number := number_of(result.pairs, picked)) is not None:
        lines.append(Line(entry, f"{words[number]}, {label}", ONE_PAIR, layers, result.cosine[number]))
    return lines


def _models(results: Iterable[LayerAlignment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(of.provenance.model for of in results))


def _layers(result: LayerAlignment) -> np.ndarray:
    return np.arange(len(result.names))
