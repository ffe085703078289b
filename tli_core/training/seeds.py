"""The same fine-tune from several seeds: how much of a result is luck."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.measures.before_after import Evaluation


@dataclass(frozen=True)
class Spread:
    """One measure over several runs, in the order of their seeds: mean and standard deviation (n − 1) beside them.

    is_change: the values are after less before.
    """

    measure: str
    values: tuple[float, ...]
    is_change: bool

    @property
    def mean(self) -> float:
        """Mean over the runs."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Standard deviation over the runs; nan for a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")


def spread(runs: Sequence[Evaluation]) -> tuple[Spread, ...]:
    """How the same list came out under the adapters of several seeds, at the evaluated layer."""

    def over(measure: str, value: Callable[[Evaluation], float], is_change: bool = True) -> Spread:
        return Spread(measure, tuple(float(value(run)) for run in runs), is_change)

    ways = runs[0].before.languages.answers
    return (
        over("matched, change", lambda run: run.change.matched),
        over("mismatched, change", lambda run: run.change.mismatched),
        over("gap, change", lambda run: run.change.gap),
        *(
            over(f"MRR → {language.name}, change", lambda run, way=way: run.change.ranks[way].mrr)
            for way, language in ways.items()
        ),
        *(
            over(f"P@1 → {language.name}, {when}", lambda run, way=way, at=at: at(run).retrieval[way].p_at_1[run.layer],
                 is_change=False)
            for way, language in ways.items()
            for when, at in (("before", lambda run: run.before), ("after", lambda run: run.after))
        ),
    )  # fmt: skip
