"""What is said of a fine-tune beside its verdicts: of the published pilot, of a dry run, and of a run that did harm."""

from collections.abc import Mapping
from typing import Any

from tli_core.i18n import translate
from tli_core.measures.pilot import Pilot
from tli_core.models.layers import layer_words
from tli_core.reports.messages import SATURATED
from tli_core.training.dry_run import DryRun


def pilot_sentence(pilot: Pilot) -> str:
    """What the published pilot picks, and what it does not show."""
    at, bos, words = pilot.layer, pilot.with_bos, pilot.words
    picked = translate(
        "The pilot picks layer {layer}: with BOS averaged in, right pairs score {matched:.4f} there, wrong pairs "
        "{mismatched:.4f}, and BOS carries {share:.0f} % of every vector.",
        layer=at,
        matched=bos.matched[at],
        mismatched=bos.mismatched[at],
        share=100 * bos.prefix_share[at],
    )
    meant = translate("So the figure says nothing about translation.") if bos.mismatched[at] > SATURATED else ""
    put = bos.provenance.prefix_token if bos.provenance.prefix_added else None
    added = translate("The tokenizer begins no text with BOS; {token} was put in its place.", token=put) if put else ""
    plain = translate(
        "With words only it is {matched:.3f} for right and {mismatched:.3f} for wrong pairs; the two stand farthest "
        "apart at {best}.",
        matched=words.matched[at],
        mismatched=words.mismatched[at],
        best=layer_words(words.names[pilot.best_gap]),
    )
    return " ".join(filter(None, (picked, meant, added, plain)))


STALLED = 0.01
"""A first loss this near to its idle value says that right and wrong pairs look alike to it."""


def dry_run_sentence(tried: DryRun, loss: str) -> str:
    """Whether the run has anything to learn from, in words."""
    if loss == "triplet" and tried.active == 0:
        return translate("No triplet has a gradient: every right pair already beats every wrong one by the margin.")
    if abs(tried.first_loss - tried.idle_loss) <= STALLED * max(1.0, tried.idle_loss):
        return translate(
            "The loss starts where it would for a model that tells nothing apart ({idle:.3f}): to it, right and wrong "
            "pairs look alike, so there is almost no signal to learn from. Check the pooling: BOS drowns words.",
            idle=tried.idle_loss,
        )
    if tried.hardest_gap < 0:
        return translate(
            "There is something to learn: on average the right pair lies {apart:.3f} below its hardest wrong one, and "
            "the loss tells the two apart.",
            apart=-tried.hardest_gap,
        )
    return translate(
        "There is something to learn: on average the right pair lies {apart:.3f} above its hardest wrong one, and the "
        "loss tells the two apart.",
        apart=tried.hardest_gap,
    )


def harm_sentence(record: Mapping[str, Any]) -> str:
    """What to say of a run whose every step harmed the base's own text; empty for any other."""
    if not record.get("text_harmed"):
        return ""
    return translate(
        "Every step harmed what the model writes, and the one that harmed it least was kept. Keep more of its own text "
        "(keep), or take a lower learning rate."
    )
