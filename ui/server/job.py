"""One fine-tune as a job: its state, its record on the disk, and how a broken one is read again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.pairs import WordPair
from tli_core.training.config import TrainingConfig
from ui.server.cancel import StopFlag
from ui.server.gpu import detached
from ui.server.training_run import STATE, STOP, Finished, RunRequest

WAITING, RUNNING, DONE, STOPPED, FAILED, BROKEN_OFF = (
    N_("waiting"),
    N_("running"),
    N_("done"),
    N_("stopped"),
    N_("failed"),
    N_("broken off"),
)
RECORD, LOCK = "job.json", "lock"
"""Files of a job in its folder: what is known of it, and what the process that is at work with it holds locked."""
ELSEWHERE = N_("It is at work in another copy of this page.")

_LOG = logging.getLogger(__name__)


@dataclass
class Job:
    """A fine-tune that was asked for: waiting, running, or ended with an adapter, a reason, or both.

    Several processes may share a folder of jobs: one that changes a job holds its lock meanwhile. written is when the
    record was, as this process last knew it.
    """

    id: str
    owner: str
    request: RunRequest
    folder: Path
    created: float
    state: str = WAITING
    message: str = ""
    steps: tuple[core.training.history.TrainingStep, ...] = ()
    adapter: Path | None = None
    sender: str = field(default="", repr=False)
    finished: Finished | None = field(default=None, repr=False)
    deleted: bool = False
    written: float = 0
    context: Context = field(default_factory=detached, repr=False)

    def __post_init__(self) -> None:
        # Taken by the thread of a request, and given back by the one that runs jobs. Where a process ends, so does it.
        self._lock = FileLock(self.folder / LOCK, thread_local=False)

    def claim(self) -> None:
        """Hold the job for this process, until `release`.

        Raises:
            ValueError: another process is at work with it.
            OSError: its folder cannot be written to.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            text = N_("{name} is at work in another copy of this page: try again when it has ended.")
            raise ValueError(translate(text, name=self.request.name)) from None

    def release(self) -> None:
        """Let other processes have it."""
        self._lock.release(force=True)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the job for a change, as it is now on the disk; one that this process is at work with is held already.

        Raises:
            ValueError, OSError: as `claim`, or it is gone.
        """
        if self._lock.is_locked:
            yield
            return
        self.claim()
        try:
            self.refresh()
            yield
        finally:
            self.release()

    def refresh(self) -> None:
        """Know what another process has done with it since; of one that this process is at work with that is nothing.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is gone, or damaged.
        """
        if self.active:
            return
        # One that ends without a word leaves the record as it was.
        if (self.folder / RECORD).stat().st_mtime == self.written and self.message != ELSEWHERE:
            return
        now = Job.read(self.folder)
        self.request, self.state, self.message, self.steps = now.request, now.state, now.message, now.steps
        self.adapter, self.finished, self.written = now.adapter, None, now.written

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (WAITING, RUNNING)

    @property
    def stopping(self) -> bool:
        """Whether it is at work and has been asked to end."""
        return self.active and StopFlag(self.folder / STOP).is_set()

    @property
    def resumable(self) -> bool:
        """Whether it can go on: from its state where it ended before its last step or before its adapter was saved.

        One that was broken off before it had a state begins anew.
        """
        unfinished = not self.adapter or not self.steps or self.steps[-1].step < self.steps[-1].steps
        left = self.state == BROKEN_OFF or (self.folder / STATE).exists()
        return self.state in (STOPPED, FAILED, BROKEN_OFF) and unfinished and left

    def end(self, state: str, message: str = "") -> None:
        """Set the final state, last of all: whoever reads it finds the record on disk, and may take the job at once."""
        self.message = message
        try:
            self.write(state)
        except OSError as error:
            # A full or read-only disk must not stop the queue of waiting jobs.
            _LOG.error("The end of the run %s could not be recorded: %s", self.id, error)
        self.release()
        self.state = state

    def write(self, state: str | None = None) -> None:
        """Keep what a new server needs to know of it.

        Args:
            state: the one that it is about to be in, if that is another.
        """
        if self.deleted:
            return
        adapter = self.adapter.relative_to(self.folder).as_posix() if self.adapter else None
        known = {
            "owner": self.owner,
            "request": asdict(self.request),
            "created": self.created,
            "state": state or self.state,
            "message": self.message,
        }
        core.reports.json_csv.write_json({**known, "adapter": adapter}, self.folder / RECORD)
        self.written = (self.folder / RECORD).stat().st_mtime

    @classmethod
    def read(cls, folder: Path) -> Job:
        """A job of an earlier server, or of another copy; one that nobody is at work with any more was broken off.

        Raises:
            OSError, ValueError, KeyError, TypeError: the folder holds none, or a damaged one.
        """
        written = (folder / RECORD).stat().st_mtime
        known = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        request = known["request"]
        config = TrainingConfig.from_record(request["config"])
        lists = {
            side: tuple(
                WordPair(source, target, tuple(glosses), *topic) for source, target, glosses, *topic in request[side]
            )
            for side in ("pairs", "control")
        }
        adapter = _adapter_of(folder, known["adapter"])
        # A server that ended while it renamed a run has renamed its adapter before the record.
        request["name"] = adapter.name if adapter else request["name"]
        at_work = known["state"] in (WAITING, RUNNING)
        state_file = folder / STATE
        return cls(
            folder.name,
            known["owner"],
            RunRequest(**{**request, **lists, "config": config}),
            folder,
            float(known["created"]),
            BROKEN_OFF if at_work else known["state"],
            (ELSEWHERE if _is_locked(folder) else "") if at_work else known["message"],
            history_of(state_file),
            adapter,
            written=written,
        )


def _is_locked(folder: Path) -> bool:
    """Whether a process is at work with the job of a folder."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that nobody can write to
        return False


def _adapter_of(folder: Path, recorded: str | None) -> Path | None:
    """The folder of a job's adapter; where it has another name than the record says, the only one that lies there."""
    if recorded is None or (folder / recorded).is_dir():
        return folder / recorded if recorded else None
    beside = [path for path in (folder / recorded).parent.glob("[!.]*") if path.is_dir()]
    return beside[0] if len(beside) == 1 else None


def history_of(state: Path) -> tuple[core.training.history.TrainingStep, ...]:
    """The steps that a run's state tells of; none where it was damaged, as its adapter may be whole all the same."""
    try:
        return core.training.resume.read_history(state) if state.exists() else ()
    except ValueError as error:
        _LOG.warning("%s", error)
        return ()
