"""The second axis of a change: not where words lie, but what the model writes, each part with its test.

Vectors may come together while the model forgets how to speak. So an adapter has two verdicts: `verdicts.change` on
ranks, and this one on translations and on plain sentences.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tli_core.measures.perplexity import SIDES
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.significance import flipped_p_values
from tli_core.measures.translation import OutputCheck
from tli_core.measures.verdicts import LEVEL

LEAST_TRANSLATED = 0.02
"""A change of the share of right translations by less than this does not matter."""

LEAST_READ = 1.1
"""Nor does a perplexity that grew, or fell, by less than this factor."""


@dataclass(frozen=True)
class PartWritten:
    """What became of one part: before and after, and p of a paired sign-flip test, corrected for both parts of a kind.

    Of a translation the shares that are right, of plain sentences the perplexity. moved is 1 where it got better by
    enough to matter and surely, −1 where it got worse so, else 0. able: whether there is enough to tell, had all of it
    moved the same way.
    """

    before: float
    after: float
    p: float
    moved: int
    able: bool


@dataclass(frozen=True)
class WrittenChange:
    """What an adapter did to what the model writes: greedy translations by direction, plain sentences by side.

    A side without sentences is left out.
    """

    translations: Mapping[str, PartWritten]
    sentences: Mapping[str, PartWritten]

    @property
    def verdict(self) -> str:
        """`harmed`: some part is worse, and none better. `better`: the other way round. `mixed`: both.

        A part is worse where its test says so at LEVEL and it moved by LEAST_TRANSLATED or LEAST_READ. `no clear
        change`: none is worse or better. `too few`: nor could any have been called so, as there is too little of it.
        """
        parts = (*self.translations.values(), *self.sentences.values())
        moved = {part.moved for part in parts}
        if {-1, 1} <= moved:
            return "mixed"
        if moved == {0}:
            return "no clear change" if any(part.able for part in parts) else "too few"
        return "harmed" if -1 in moved else "better"


def written_change(before: OutputCheck, after: OutputCheck, groups: np.ndarray, seed: int = 0) -> WrittenChange:
    """Compare what base and adapter wrote for the same pairs and read of the same sentences.

    Args:
        groups: of each pair, as in `significance.mean_interval`; sentences are taken for independent.
    """
    right = [np.array([check.greedy.right[way] for way in DIRECTIONS], dtype=float) for check in (before, after)]
    p_values = flipped_p_values(right[1] - right[0], groups, seed)
    able = _least_p(len(np.unique(groups))) <= LEVEL
    translations = {}
    for i, way in enumerate(DIRECTIONS):
        was, now = (float(shares[i].mean()) for shares in right)
        translations[way] = _part(was, now, p_values[i], now - was, LEAST_TRANSLATED, able)
    sides = [side for side in SIDES if before.health.losses[side]]
    sentences = {}
    for side in sides:
        losses = [np.array(check.health.losses[side]) for check in (before, after)]  # (sentences,) each
        # Each language has sentences of its own, so the two tests are corrected by their number (Bonferroni).
        p = len(sides) * float(flipped_p_values((losses[1] - losses[0])[None], np.arange(len(losses[0])), seed)[0])
        was, now = (getattr(check.health, side) for check in (before, after))
        able = len(sides) * _least_p(len(losses[0])) <= LEVEL
        sentences[side] = _part(was, now, min(p, 1.0), np.log(was) - np.log(now), np.log(LEAST_READ), able)
    return WrittenChange(translations, sentences)


def _least_p(groups: int) -> float:
    """The p value of a sign-flip test of so many groups that all moved the same way."""
    return 2.0 ** (1 - groups)


def _part(was: float, now: float, p: float, gained: float, least: float, able: bool) -> PartWritten:
    if not np.isfinite(gained):  # a loss that is no number harms whoever reads it, and needs no test
        return PartWritten(was, now, float("nan"), -1 if np.isfinite(was) else 0, able)
    sure = p <= LEVEL and abs(gained) >= least - 1e-9
    return PartWritten(was, now, float(p), int(np.sign(gained)) if sure else 0, able)
