"""A fine-tune step by step, as arXiv 2506.15415 goes: what each step gives here, and what it does not show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .dry_run import DryRun
from .evaluation import Evaluation, compare
from .pilot import Pilot
from .presets import TrainingConfig
from .training import blocks_read

HEAD = ("step", "what it gives here", "what it does not show")


@dataclass(frozen=True)
class Protocol:
    """The steps that have been done so far; each is None until it has been. record is what tli.json says of the run."""

    config: TrainingConfig
    pilot: Pilot | None = None
    tried: DryRun | None = None
    record: Mapping[str, Any] | None = None
    control: Evaluation | None = None
    shuffled: Evaluation | None = None


def protocol_rows(done: Protocol) -> list[tuple[str, str, str]]:
    """One row a step that has been done, a heading row first."""
    rows = [HEAD]
    if done.pilot:
        rows.append(_pilot_row(done.pilot))
    if done.tried:
        rows.append(_dry_run_row(done.tried, done.config))
    if done.record:
        rows.append(_training_row(done.record))
    if done.control:
        layer = blocks_read(done.config, len(done.control.before.names) - 1)
        places = dict.fromkeys((layer, done.control.layer))
        rows += [_evaluation_row("3 · Result", _at(done.control, place)) for place in places]
    if done.shuffled:
        row = _evaluation_row("4 · Shuffled control", done.shuffled)
        rows.append((*row[:2], f"Nothing true was taught. Whatever rose here is no evidence of learning. {row[2]}"))
    return rows


def _at(item: Evaluation, layer: int) -> Evaluation:
    return item if layer == item.layer else compare(item.name, item.before, item.after, layer)


def _pilot_row(pilot: Pilot) -> tuple[str, str, str]:
    at, bos = pilot.layer, pilot.with_bos
    return (
        "1 · Pilot",
        f"Layer {at}: with BOS averaged in, right pairs score {bos.matched[at]:.4f}.",
        f"That translations are close: wrong pairs score {bos.mismatched[at]:.4f}, and BOS carries "
        f"{100 * bos.anchor_share[at]:.0f} % of every vector.",
    )


def _dry_run_row(tried: DryRun, config: TrainingConfig) -> tuple[str, str, str]:
    idle = "its margin" if config.loss == "triplet" else "ln(batch)"
    return (
        "2 · Dry run",
        f"First loss {tried.first_loss:.3f} against {idle}, {tried.idle_loss:.3f}; "
        f"{100 * tried.active:.0f} % of the examples have some gradient; its norm is {tried.gradient:.2g}.",
        f"That the gradient is worth much: right pair less hardest wrong one is {tried.apart:+.4f} in cosine.",
    )


def _training_row(record: Mapping[str, Any]) -> tuple[str, str, str]:
    losses = record["losses"]
    return (
        "3 · Fine-tune",
        f"Loss {losses[0]:.3f} → {losses[-1]:.3f} in {record['steps']} steps; LoRA on the first "
        f"{record['blocks_trained']} blocks, the only ones that this loss can reach.",
        "That a word finds its translation: the loss falls on shuffled translations too.",
    )


def _evaluation_row(step: str, item: Evaluation) -> tuple[str, str, str]:
    moved, test = item.change, item.test
    rank = item.before.retrieval["sw_en"].p_at_1[item.layer], item.after.retrieval["sw_en"].p_at_1[item.layer]
    return (
        f"{step} at {item.before.names[item.layer]}",
        f"Right pairs {test.before:.3f} → {test.after:.3f} on {test.n} unseen pairs.",
        f"Beside it: wrong pairs {item.before.mismatched[item.layer]:.3f} → {item.after.mismatched[item.layer]:.3f}, "
        f"P@1 {rank[0]:.3f} → {rank[1]:.3f}. {moved.verdict.capitalize()}.",
    )
