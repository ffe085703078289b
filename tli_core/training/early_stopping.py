"""Early stopping: which training pairs choose the step that a run keeps, and which step that is. Imports no PyTorch.

Whoever chooses must not be judged by the choice. So the pairs that choose are taken out of the training list: the run
does not train on them, and the held-out pairs, by which the adapter is judged, have no say. A run that keeps the
base's own text stops on both: a step after which that text surprises the model is never the best.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.leaks import leaks_of
from tli_core.lists.pairs import WordPair, normalise
from tli_core.training.config import TrainingConfig
from tli_core.training.history import TrainingStep

ONE_IN = 8
"""Of so many training pairs one is set aside to choose the step."""

MOST_SURPRISE = 1.25
"""A step where the perplexity of the base's own text has grown by more than this factor is not kept. Own text is the
finer gauge: on lugha-mini that of plain sentences had grown by 1.03 to 1.20 where it had by 1.19 to 1.28."""

FEWEST_TO_CHOOSE = 5
"""With fewer pairs to choose by, the choice would be luck."""


def parted(
    pairs: Sequence[WordPair], config: TrainingConfig, languages: str = DEFAULT
) -> tuple[tuple[WordPair, ...], tuple[WordPair, ...]]:
    """The pairs that a run trains on, and those that choose its step: none without early stopping.

    Only a pair whose words no other pair has, not in another form nor as a gloss, may choose: a trained word would vote
    for itself.

    Raises:
        ValueError: fewer than FEWEST_TO_CHOOSE pairs can choose.
    """
    if not config.patience:
        return tuple(pairs), ()
    words = [{("source", normalise(pair.source)), *(("target", normalise(t)) for t in pair.accepted)} for pair in pairs]
    times = Counter(word for of_pair in words for word in of_pair)
    alone = [i for i, of_pair in enumerate(words) if all(times[word] == 1 for word in of_pair)]
    # Always the same ones, so that seeds differ in their training alone; at random, as lists have an order.
    choosing = set(random.Random(0).sample(alone, -(-len(alone) // ONE_IN)))
    rest = [pair for i, pair in enumerate(pairs) if i not in choosing]
    chosen = sorted(choosing)
    choosing -= {chosen[place] for place, _ in leaks_of(rest, [pairs[i] for i in chosen], languages)}
    if len(choosing) < FEWEST_TO_CHOOSE:
        text = N_(
            "Early stopping sets one in {one_in} training pairs aside to choose the step by, of those that share no "
            "word with another: that is {n} here, and it takes {least}. Give more pairs, or set patience to 0."
        )
        raise ValueError(translate(text, one_in=ONE_IN, n=len(choosing), least=FEWEST_TO_CHOOSE))
    training = tuple(pair for i, pair in enumerate(pairs) if i not in choosing)
    return training, tuple(pairs[i] for i in sorted(choosing))


def best_step(history: Sequence[TrainingStep]) -> TrainingStep | None:
    """The first of the best checks of the choosing pairs after training began; None where there is none.

    Where own text is kept, only of the steps that left it unharmed; where none did, the one that harmed it least.
    """
    checked = [(step.choosing.score, step) for step in history if step.choosing and step.step]
    unharmed = [(score, step) for score, step in checked if not harms_text(step)]
    if checked and not unharmed:
        return min((step for _, step in checked), key=_surprise)
    return max(unharmed, key=lambda found: found[0], default=(0.0, None))[1]


def _surprise(step: TrainingStep) -> float:
    """How much the base's own text surprises the model at a step; what is no number, most."""
    return math.inf if step.own_text is None or math.isnan(step.own_text) else step.own_text


def harms_text(step: TrainingStep) -> bool:
    """Whether the base's own text surprises the model too much at a step; never where that is not kept."""
    return step.own_text is not None and not step.own_text <= MOST_SURPRISE


def checks_since_best(history: Sequence[TrainingStep]) -> int:
    """How many checks there were since the best one."""
    best = best_step(history)
    return sum(1 for step in history if step.choosing and step.step > best.step) if best else 0
