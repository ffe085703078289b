"""A fine-tune step by step, as arXiv 2506.15415 goes: what each step gives here, and what it does not show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.measures.before_after import Evaluation, compare
from tli_core.measures.pilot import Pilot
from tli_core.models.layers import layer_words
from tli_core.training.config import TrainingConfig
from tli_core.training.dry_run import DryRun
from tli_core.training.run import blocks_read

HEAD = ("step", N_("what it gives here"), N_("what it does not show"))


@dataclass(frozen=True)
class Protocol:
    """The steps that have been done so far; each is None until it has been. record is what tli.json says of the run."""

    config: TrainingConfig
    pilot: Pilot | None = None
    tried: DryRun | None = None
    record: Mapping[str, Any] | None = None
    control: Evaluation | None = None
    shuffled: Evaluation | None = None


def protocol_rows(done: Protocol) -> list[tuple[str, ...]]:
    """One row a step that has been done, a heading row first."""
    rows: list[tuple[str, ...]] = [tuple(map(translate, HEAD))]
    if done.pilot:
        rows.append(_pilot_row(done.pilot))
    if done.tried:
        rows.append(_dry_run_row(done.tried, done.config))
    if done.record:
        rows.append(_training_row(done.record))
    if done.control:
        layer = blocks_read(done.config, len(done.control.before.names) - 1)
        places = dict.fromkeys((layer, done.control.layer))
        rows += [_evaluation_row(N_("3 · Result"), _at(done.control, place)) for place in places]
    if done.shuffled:
        row = _evaluation_row(N_("4 · Shuffled control"), done.shuffled)
        taught = translate("Nothing true was taught. Whatever rose here is no evidence of learning.")
        rows.append((*row[:2], f"{taught} {row[2]}"))
    return rows


def _at(item: Evaluation, layer: int) -> Evaluation:
    return item if layer == item.layer else compare(item.name, item.before, item.after, layer)


def _pilot_row(pilot: Pilot) -> tuple[str, str, str]:
    at, bos = pilot.layer, pilot.with_bos
    return (
        translate("1 · Pilot"),
        translate(
            "Layer {layer}: with BOS averaged in, right pairs score {matched:.4f}.", layer=at, matched=bos.matched[at]
        ),
        translate(
            "That translations are close: wrong pairs score {mismatched:.4f}, and BOS carries {share:.0f} % of every "
            "vector.",
            mismatched=bos.mismatched[at],
            share=100 * bos.prefix_share[at],
        ),
    )


def _dry_run_row(tried: DryRun, config: TrainingConfig) -> tuple[str, str, str]:
    return (
        translate("2 · Dry run"),
        translate(
            "First loss {first:.3f} against {what}, {idle:.3f}; {active:.0f} % of the examples have some gradient; its "
            "norm is {norm:.2g}.",
            first=tried.first_loss,
            what=translate("the margin") if config.loss == "triplet" else "ln(batch)",
            idle=tried.idle_loss,
            active=100 * tried.active,
            norm=tried.gradient,
        ),
        translate(
            "That the gradient is worth much: right pair less hardest wrong one is {apart:+.4f} in cosine.",
            apart=tried.hardest_gap,
        ),
    )


def _training_row(record: Mapping[str, Any]) -> tuple[str, str, str]:
    losses = record["losses"]
    return (
        translate("3 · Fine-tune"),
        translate(
            "Loss {first:.3f} → {last:.3f} in {steps} steps; LoRA on the first {blocks} blocks, the only ones that "
            "this loss can reach.",
            first=losses[0],
            last=losses[-1],
            steps=record["steps"],
            blocks=record["blocks_trained"],
        ),
        translate("That a word finds its translation: the loss falls on shuffled translations too."),
    )


def _evaluation_row(step: str, item: Evaluation) -> tuple[str, str, str]:
    moved, test = item.change, item.test
    rank = item.before.retrieval["to_target"].p_at_1[item.layer], item.after.retrieval["to_target"].p_at_1[item.layer]
    return (
        translate("{step} at {layer}", step=translate(step), layer=layer_words(item.before.names[item.layer])),
        translate(
            "Right pairs {before:.3f} → {after:.3f} on {n} unseen pairs.",
            before=test.before,
            after=test.after,
            n=test.n,
        ),
        translate(
            "Beside it: wrong pairs {before:.3f} → {after:.3f}, P@1 {ranks[0]:.3f} → {ranks[1]:.3f}. {verdict}.",
            before=item.before.mismatched[item.layer],
            after=item.after.mismatched[item.layer],
            ranks=rank,
            verdict=translate(moved.verdict).capitalize(),
        ),
    )
