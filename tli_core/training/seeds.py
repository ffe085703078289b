"""The same fine-tune from several seeds: how much of a result is luck."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.measures.before_after import Evaluation


@dataclass(frozen=True)
class Spread:
    """One measure over several runs, in the order of their seeds: mean and standard deviation (n − 1) beside them."""

    measure: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the runs."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Standard deviation over the runs; 0 for a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0


def spread(runs: Sequence[Evaluation]) -> tuple[Spread, ...]:
    """How the same list came out under the adapters of several seeds, at the evaluated layer."""

    def over(measure: str, value) -> Spread:
        return Spread(measure, tuple(float(value(run)) for run in runs))

    return (
        over("matched, change", lambda run: run.change.matched),
        over("mismatched, change", lambda run: run.change.mismatched),
        over("gap, change", lambda run: run.change.gap),
        *(
            over(f"P@1 → {language.name}, after", lambda run, way=way: run.after.retrieval[way].p_at_1[run.layer])
            for way, language in runs[0].before.languages.answers.items()
        ),
    )
