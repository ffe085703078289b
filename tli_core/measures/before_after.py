"""Before and after: lists of pairs under the base and under an adapter, tested at one layer, compared at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.readouts import IN_CONTEXT
from tli_core.encoding.tokens import subwords
from tli_core.i18n import N_, translate
from tli_core.lists.leaks import leak_notice
from tli_core.lists.pairs import WordPair, pair_digest
from tli_core.measures.alignment import measure
from tli_core.measures.effects import PartEffect, effects_by_knowledge, memorised
from tli_core.measures.linear_map import LinearMap, map_base
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.significance import PairedTest, grouped_t_test, highest, holm, mean_interval, paired_test
from tli_core.measures.trained_list import chosen_on, record_notices
from tli_core.measures.translation import OutputCheck, ProbeAnswer, check_outputs, probe
from tli_core.measures.verdicts import Change, change
from tli_core.measures.written import WrittenChange, written_change
from tli_core.models.layers import PICK, layer_index
from tli_core.models.loaded_model import LoadedModel, Provenance
from tli_core.notices import Notice, notice

TRAINED, CONTROL = N_("trained"), N_("control")


@dataclass(frozen=True)
class LayerDifferences:
    """After minus before at every layer: means (layers,), 95 % intervals (layers, 2), and p values (layers,).

    The p values are of a paired t-test with pairs that share words as one, adjusted for the number of layers (Holm).
    The gap is each pair's cosine less the mean of its wrong partners'.
    """

    matched: np.ndarray
    matched_ci95: np.ndarray
    matched_p: np.ndarray
    gap: np.ndarray
    gap_ci95: np.ndarray
    gap_p: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """One list measured twice: `test` compares matched cosines at `layer`, `change` sets them against the controls.

    picked_on is the list that the layer was picked on, or None where it was given, and picked is how many of these
    pairs it holds. warnings say what is wrong with the comparison itself; of_record are those of them that the
    adapter's record is behind, and that hold at any layer.
    """

    name: str
    layer: int
    before: LayerAlignment
    after: LayerAlignment
    test: PairedTest
    change: Change
    differences: LayerDifferences
    picked_on: str | None = None
    picked: int = 0
    warnings: tuple[Notice, ...] = ()
    of_record: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Mover:
    """A pair and how far it moved: `change` is what its cosine gained over its wrong partners' mean."""

    pair: WordPair
    before: float
    after: float
    wrong_before: float
    wrong_after: float
    change: float


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that one evaluation found.

    subwords are the tokenizer's pieces of every word in its lists. with_bos is the last list under the base with BOS
    averaged in, as the published pilot has it. linear is where a linear map on the base, fitted on the first list, puts
    the words of the last one; None where there is one list, or that is too short. in_context is the last list
    with its words inside plain sentences, None where none are known for its languages. outputs are the base's and the
    adapter's, or None where there is no output head or nobody asked.
    """

    evaluations: tuple[Evaluation, ...]
    subwords: Mapping[str, tuple[str, ...]]
    with_bos: LayerAlignment
    linear: LinearMap | None = None
    in_context: Evaluation | None = None
    outputs: tuple[OutputCheck, OutputCheck] | None = None
    probes: tuple[ProbeAnswer, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """Of the last list's measurement with the adapter: of the control list, where there are two."""
        return self.evaluations[-1].after.provenance

    @property
    def written(self) -> WrittenChange | None:
        """What the adapter did to what the model writes for the last list; None without outputs."""
        if self.outputs is None:
            return None
        last = self.evaluations[-1].before
        return written_change(*self.outputs, last.clusters, last.provenance.seed)

    @property
    def by_knowledge(self) -> tuple[PartEffect, ...]:
        """The last list's effects on words that the base translates rightly and on others; empty without outputs."""
        if self.outputs is None:
            return ()
        last = self.evaluations[-1]
        return effects_by_knowledge(last.before, last.after, last.layer, self.outputs[0].greedy.right)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is wrong with measurements or comparison, each said once, with the list and the model it is about."""
        said = []
        for item in self.evaluations:
            before, after = item.before.warnings, item.after.warnings
            both = [warning for warning in before if warning in after]
            for warning in dict.fromkeys((*item.warnings, *both)):
                said.append(notice("of_list", list=item.name, notice=warning))
            for side, warnings in (("base", before), ("adapter", after)):
                own = (warning for warning in warnings if warning not in both)
                said += [notice("of_model", list=item.name, side=side, notice=warning) for warning in own]
        return tuple(said)


def evaluate(
    loaded: LoadedModel,
    name: str,
    pairs: Sequence[WordPair],
    adapter: str,
    layer: int | str = "output",
    seed: int = 0,
    lens: Lens = LENS,
    picked: int = 0,
) -> Evaluation:
    """Measure a list under the base and under the adapter through one lens, and compare the two at a layer.

    Args:
        picked: how many of these pairs are in the list that the layer was picked on.

    Raises:
        ValueError: fewer than two pairs, or a layer that the model does not have.
    """
    layer_index(loaded.layer_names, layer)
    before = measure(loaded, pairs, None, lens, seed)
    after = measure(loaded, pairs, adapter, lens, seed)
    of_record = chosen_on(_record(loaded, adapter), pairs)
    return compare(name, before, after, layer, seed, picked=picked, of_record=of_record)


def evaluate_lists(
    loaded: LoadedModel,
    trained: Sequence[WordPair],
    control: Sequence[WordPair],
    adapter: str,
    layer: int | str = "output",
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
    lens: Lens = LENS,
    base: tuple[LayerAlignment, LayerAlignment] | None = None,
) -> tuple[Evaluation, Evaluation]:
    """The trained list and the control list, measured under the base and the adapter, compared at one layer.

    Args:
        layer: a number, `output`, or PICK.
        progress: called before each step with a short description of what is being measured.
        base: both lists under the base, where they have been measured before, through this lens.

    Raises:
        ValueError: a list of fewer than two pairs, or a layer that the model does not have.
    """
    if layer != PICK:
        layer_index(loaded.layer_names, layer)
    results = []
    for i, (name, pairs) in enumerate(((TRAINED, trained), (CONTROL, control))):
        if len(pairs) < 2:
            text = N_("The {name} list needs at least two pairs, as they are compared with each other: add some.")
            raise ValueError(translate(text, name=translate(name)))
        if base is None:
            progress(translate("{n} {name} pairs, base", n=len(pairs), name=translate(name)))
        results.append(base[i] if base else measure(loaded, pairs, None, lens, seed))
        progress(translate("{n} {name} pairs, adapter", n=len(pairs), name=translate(name)))
        results.append(measure(loaded, pairs, adapter, lens, seed))
    of_record = record_notices(_record(loaded, adapter), trained, control)
    return compare_lists(*results, layer=layer, seed=seed, of_record=of_record)


def _record(loaded: LoadedModel, adapter: str) -> Mapping[str, Any]:
    return loaded.adapters[adapter].record if adapter in loaded.adapters else {}


def report_of(loaded: LoadedModel, evaluations: Sequence[Evaluation], adapter: str) -> EvaluationReport:
    """The evaluations with their words' pieces, and the last list with BOS averaged in, in sentences, and mapped."""
    words = dict.fromkeys(word for item in evaluations for pair in item.before.pairs for word in pair[:2])
    pieces = {word: subwords(loaded.tokenizer, word) for word in words}
    first, last = evaluations[0].before, evaluations[-1]
    pairs, seed, lens = last.before.pairs, last.before.provenance.seed, lens_of(last.before)
    with_bos = measure(loaded, pairs, None, replace(lens, readout="all"), seed)
    linear = map_base(loaded, first.pairs, pairs, last.layer, lens) if len(evaluations) > 1 else None
    framed = all(language.frames for language in (lens.pair.source, lens.pair.target))
    in_context = (
        evaluate(loaded, last.name, pairs, adapter, last.layer, seed, replace(lens, readout=IN_CONTEXT), last.picked)
        if framed and lens.readout != IN_CONTEXT
        else None
    )
    return EvaluationReport(tuple(evaluations), pieces, with_bos, linear, in_context)


def lens_of(result: LayerAlignment) -> Lens:
    """The lens that a result was measured through."""
    return Lens(result.provenance.languages, result.provenance.readout, result.provenance.view)


def with_answers(
    loaded: LoadedModel, report: EvaluationReport, adapter: str, progress: Callable[[str], None] = lambda doing: None
) -> EvaluationReport:
    """The report, and what base and adapter write for its last list.

    Raises:
        ValueError: the model has no output head.
    """
    last = report.evaluations[-1].before
    pairs, languages = last.pairs, last.provenance.languages
    base, adapted = (
        check_outputs(loaded, pairs, key, lambda doing, who=who: progress(f"{who}: {doing}"), languages)
        for who, key in (("base", None), ("adapter", adapter))
    )
    progress("the six probes")
    return replace(report, outputs=(base, adapted), probes=probe(loaded, pairs, adapter, languages))


def compare_lists(
    trained_before: LayerAlignment,
    trained_after: LayerAlignment,
    control_before: LayerAlignment,
    control_after: LayerAlignment,
    layer: int | str,
    seed: int = 0,
    of_record: tuple[tuple[Notice, ...], tuple[Notice, ...]] = ((), ()),
) -> tuple[Evaluation, Evaluation]:
    """Compare two measured lists at a layer; with PICK the trained list chooses it, and the control list reports.

    Args:
        of_record: what the adapter's record says against each of them, as `record_notices`.
    """
    picked_on = None
    if layer == PICK:
        picked_on, layer = TRAINED, pick_layer(trained_before, trained_after)
    leak = leak_notice(trained_before.pairs, control_before.pairs, trained_before.provenance.languages)
    trained = compare(TRAINED, trained_before, trained_after, layer, seed, picked_on, of_record=of_record[0])
    # A layer that was picked on some of these very pairs was picked on this list, too.
    chosen = set(map(pair_digest, trained_before.pairs)) if picked_on else set()
    shared = sum(pair_digest(pair) in chosen for pair in control_before.pairs)
    control = compare(CONTROL, control_before, control_after, layer, seed, picked_on, shared, of_record[1])
    by_heart = memorised(*((item.before, item.after, item.change) for item in (trained, control)))
    return trained, replace(control, warnings=(*control.warnings, *filter(None, (leak, by_heart))))


def pick_layer(before: LayerAlignment, after: LayerAlignment) -> int:
    """The layer, after the embeddings, where the mean reciprocal rank of both directions grew most."""
    grown = [after.retrieval[way].mrr - before.retrieval[way].mrr for way in DIRECTIONS]
    finite = np.isfinite(after.matched - before.matched)
    return highest(np.where(finite, sum(grown), np.nan)[1:]) + 1


def compare(
    name: str,
    before: LayerAlignment,
    after: LayerAlignment,
    layer: int | str,
    seed: int = 0,
    picked_on: str | None = None,
    picked: int = 0,
    of_record: tuple[Notice, ...] = (),
) -> Evaluation:
    """Set two measurements of the same pairs against each other at a layer.

    Args:
        picked_on: the list that the layer was picked on, if it was.
        picked: how many of these pairs are in that list, where it is another one.
        of_record: what the adapter's record says against them.

    Raises:
        ValueError: different pairs, fewer than two, or a layer that the model does not have.
    """
    index = layer_index(before.names, layer)
    if picked_on == name:
        picked = len(before.pairs)
    return Evaluation(
        name,
        index,
        before,
        after,
        paired_test(before.cosine[:, index], after.cosine[:, index], before.clusters, seed),
        change(before, after, index, seed, picked=picked > 0),
        differences(before, after),
        picked_on,
        picked,
        (*of_record, notice("layer_picked_here", layer=index, n=picked)) if picked else of_record,
        of_record,
    )


def differences(before: LayerAlignment, after: LayerAlignment) -> LayerDifferences:
    """How matched and gap moved at every layer of two measurements of the same pairs."""
    # A layer that nothing changed has differences of zero and no t; its p is 1.
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = []
        for was, now in (
            (before.cosine, after.cosine),
            (before.gap_of_pairs, after.gap_of_pairs),
        ):
            moved = (now - was).T  # (layers, n)
            p = grouped_t_test(moved, before.clusters)
            p = np.where((moved == 0).all(axis=1), 1.0, p)  # nothing moved: that needs no test
            columns += [moved.mean(axis=1), mean_interval(moved, before.clusters), holm(p)]
    return LayerDifferences(*columns)


def movers(evaluation: Evaluation, count: int = 10) -> tuple[tuple[Mover, ...], tuple[Mover, ...]]:
    """The pairs that gained most over their wrong partners at the evaluated layer, and those that lost most.

    Pairs whose change rounds to 0.000 are left out of both.
    """
    before, after, layer = evaluation.before, evaluation.after, evaluation.layer
    was, wrong_was = before.cosine[:, layer], before.wrong_cosine[:, layer]  # (n,) each
    now, wrong_now = after.cosine[:, layer], after.wrong_cosine[:, layer]
    moved = (now - wrong_now) - (was - wrong_was)

    def mover(i: int) -> Mover:
        values = (float(column[i]) for column in (was, now, wrong_was, wrong_now, moved))
        return Mover(before.pairs[i], *values)

    order = np.argsort(-moved, kind="stable")
    gained = tuple(mover(i) for i in order[:count] if moved[i] >= 0.0005)
    lost = tuple(mover(i) for i in order[::-1][:count] if moved[i] <= -0.0005)
    return gained, lost
