"""The runs of a sweep, and the folder that keeps what came out of each."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from tli_core.atomic_files import write_text
from tli_core.training.config import TrainingConfig

AXES = ("layer", "loss", "readout", "rank", "targets")
"""The settings of which several values may be tried."""

ONLY_LAYER = 0
"""A sweep's measurements are of one layer, the model's output, and this is its place in them."""

OUTCOMES, PLAN = "runs", "sweep.json"
"""In a sweep's folder: the folder of what was read of each run, and what the sweep is."""


@dataclass(frozen=True)
class PlannedRun:
    """One fine-tune of a sweep: settings number `cell`, at one seed, with right or shuffled translations."""

    cell: int
    config: TrainingConfig

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.cell:03}-seed{self.config.seed}{'-shuffled' if self.config.shuffled else ''}"


@dataclass(frozen=True)
class Plan:
    """The settings to try, and how many seeds of each, from the settings' own on."""

    cells: tuple[TrainingConfig, ...]
    seeds: int

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The settings in which cells differ."""
        return tuple(name for name in AXES if len({getattr(config, name) for config in self.cells}) > 1)

    def runs_of(self, cell: int, number: int) -> tuple[PlannedRun, PlannedRun]:
        """The run of a seed, counted from 0, and its shuffled run."""
        config = replace(self.cells[cell], seed=self.cells[cell].seed + number)
        return PlannedRun(cell, config), PlannedRun(cell, replace(config, shuffled=True))


@dataclass(frozen=True)
class Outcome:
    """What one run did to the held-out pairs at the output.

    moved is the change of each pair's reciprocal rank in both directions, hit whether its right word comes first
    afterwards: (2, n) each. found (2,) says in which direction right words are found above chance. matched and
    mismatched are how far the cosines of right and wrong pairs moved. failed is why a run gave nothing; empty where it
    did.
    """

    moved: np.ndarray
    hit: np.ndarray
    found: np.ndarray
    matched: float
    mismatched: float
    verdict: str
    failed: str = ""


KINDS = {"moved": float, "hit": bool, "found": bool}
"""The fields of an outcome that are arrays."""


@dataclass(frozen=True)
class SweepFolder:
    """A folder that one process, or several at once, fill with the outcomes of a sweep; a killed one goes on later."""

    path: Path

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Say what the sweep is, or that it is the one that the folder holds.

        Raises:
            ValueError: the folder holds another sweep, or anything else, or cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"The sweep's folder {self.path} cannot be made: {error.strerror}.") from error
        text = json.dumps(plan, ensure_ascii=False, indent=1) + "\n"
        with FileLock(self.path / f".{PLAN}.lock"):
            file = self.path / PLAN
            if not file.exists():
                if any(not path.name.startswith(".") for path in self.path.iterdir()):
                    raise ValueError(f"{self.path} holds something else: give the sweep a folder of its own.")
                write_text(file, text)
                (self.path / OUTCOMES).mkdir(exist_ok=True)
            elif file.read_bytes() != text.encode():
                raise ValueError(
                    f"{self.path} holds a sweep of another model, other lists or other settings, or by other versions: "
                    "give this one a folder of its own."
                )

    def outcome(self, run: PlannedRun, n: int) -> Outcome | None:
        """What was read of a run on n held-out pairs; None where it has not ended.

        Raises:
            ValueError: its file holds something else.
        """
        try:
            record = json.loads(self._file(run).read_text(encoding="utf-8"))
            if record.pop("config") != json.loads(json.dumps(asdict(run.config))):
                raise ValueError("it is of other settings")
            arrays = {name: np.array(record.pop(name), dtype=kind) for name, kind in KINDS.items()}
            outcome = Outcome(**arrays, **record)
            _check(outcome, n)
            return outcome
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            text = f"{self._file(run)} cannot be read ({error}): remove it, and its run is done again."
            raise ValueError(text) from error

    def keep(self, run: PlannedRun, outcome: Outcome) -> None:
        """Write a run's outcome, whole or not at all."""
        read = {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(outcome).items()
        }
        write_text(self._file(run), json.dumps({"config": asdict(run.config), **read}) + "\n")

    @contextmanager
    def claimed(self, run: PlannedRun) -> Iterator[bool]:
        """Whether this process may do a run: nobody else is at it. The claim ends with the process that holds it."""
        lock = FileLock(self.path / OUTCOMES / f".{run.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _file(self, run: PlannedRun) -> Path:
        return self.path / OUTCOMES / f"{run.name}.json"


def _check(outcome: Outcome, n: int) -> None:
    """Refuse an outcome that no run on n pairs writes.

    Raises:
        ValueError: it has another shape, or holds what is no number.
    """
    shapes = {"moved": (2, n), "hit": (2, n), "found": (2,)}
    for name, shape in shapes.items():
        if getattr(outcome, name).shape != shape:
            raise ValueError(f"{name} is not of shape {shape}")
    numbers = outcome.matched, outcome.mismatched
    if not all(isinstance(value, float) for value in numbers) or not np.isfinite([*outcome.moved.flat, *numbers]).all():
        raise ValueError("a number is missing")
    if not all(isinstance(text, str) for text in (outcome.verdict, outcome.failed)):
        raise ValueError("a word is missing")
