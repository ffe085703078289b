"""Fine-tunes as jobs: they go on when the page is closed, and whoever has a job's id finds it again."""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.cancel import StopFlag
from ui.server.fair_share import FairShare, turns
from ui.server.gpu import detached
from ui.server.hosting import OWN_MACHINE, Hosting
from ui.server.job import DONE, FAILED, RECORD, RUNNING, STOPPED, WAITING, Job
from ui.server.storage_quota import StorageQuota
from ui.server.training_run import (
    OUR_ERROR,
    STATE,
    STOP,
    Astray,
    Finished,
    RunRequest,
    Saved,
    Work,
    control_of,
    measured_run,
    sentence_of,
    train,
)
from ui.server.visitors import Models, OwnAdapter, Visitor

Steps = tuple[core.training.history.TrainingStep, ...]

MAX_WAITING = 8

_ID = re.compile(r"[0-9a-f]{32}")
_LOG = logging.getLogger(__name__)


class Jobs:
    """The fine-tunes of this server, one at a time and the others in line, kept in a folder.

    A job's id and its owner's are long and random: who has one of them may watch, stop, rename and delete the run, and
    nobody else can.
    """

    def __init__(self, models: Models, folder: Path, hosting: Hosting = OWN_MACHINE):
        self.hosting = hosting
        self.storage_quota = StorageQuota(hosting)
        self._share = FairShare(hosting, models, self.storage_quota)
        self._models = models
        self._folder = folder
        for earlier in folder.glob("*"):
            if _ID.fullmatch(earlier.name):
                self.storage_quota.add_folder(earlier)
        # Gradio gives out files of the temporary folder and of the one it was started in, and runs may be elsewhere.
        self._downloads = tempfile.TemporaryDirectory(prefix="lugha-runs-")
        self._jobs: dict[str, Job] = {}
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()
        self._line: SimpleQueue[tuple[Job, ...]] = SimpleQueue()
        self._worker: threading.Thread | None = None

    def submit(self, request: RunRequest, owner: str = "", sender: str = "", control: str | None = None) -> Job:
        """Take a request; it runs as soon as those before it have ended.

        Args:
            owner: who will find it again without its id; empty for nobody.
            sender: the address that it comes from, as `sender_of` names it: a browser without its token has no owner.
            control: the name of its shuffled control, to be trained side by side with it; None for none.

        Raises:
            ValueError: too many are waiting, the owner or the sender has too many runs or keeps too much, or there is
                nothing to shuffle.
        """
        self._clear_old()
        first_id = uuid.uuid4().hex
        requests = [request] if control is None else [request, control_of(request, first_id, control)]
        known = list(self._jobs.values())
        self._share.check_new(request, len(requests), owner, sender, self.of(owner), known)
        ids = [first_id, *(uuid.uuid4().hex for _ in requests[1:])]
        together = tuple(
            Job(job_id, owner, of, self._folder / job_id, time.time(), sender=sender)
            for job_id, of in zip(ids, requests, strict=True)
        )
        with self._lock:
            self._jobs |= {job.id: job for job in together}
        try:
            self._put_in_line(together)
        except ValueError:
            for job in together:
                self._jobs.pop(job.id, None)
                shutil.rmtree(job.folder, ignore_errors=True)
            raise
        for job in together:
            self.storage_quota.add_folder(job.folder, sender)
        return together[0]

    def _seconds_left(self, job: Job) -> float:
        """How long a run may still take; on a shared page what its earlier parts took counts, too."""
        taken = job.steps[-1].seconds if job.steps and self.hosting.hosted else 0
        return self.hosting.train_seconds - taken

    def find(self, job_id: str | None) -> Job | None:
        """The job of this id, also one that an earlier server ran; None where there is none."""
        if not job_id or not _ID.fullmatch(job_id):
            return None
        with self._lock:
            if job_id not in self._jobs and (self._folder / job_id / RECORD).is_file():
                try:
                    self._jobs[job_id] = Job.read(self._folder / job_id)
                except (OSError, ValueError, KeyError, TypeError) as error:
                    if job_id not in self._unreadable:  # said once, not at every listing
                        _LOG.warning("The run in %s cannot be read: %s", self._folder / job_id, error)
                    self._unreadable.add(job_id)
            job = self._jobs.get(job_id)
            if job and not job.active:
                try:
                    job.refresh()
                except FileNotFoundError:  # another copy of this page has removed it
                    del self._jobs[job_id]
                    return None
                except (OSError, ValueError, KeyError, TypeError) as error:
                    _LOG.warning("The run in %s cannot be read again: %s", job.folder, error)
            return job

    def of(self, owner: str) -> list[Job]:
        """An owner's jobs, the oldest first."""
        jobs = (self.find(record.parent.name) for record in self._folder.glob(f"*/{RECORD}"))
        return sorted((job for job in jobs if job and owner and job.owner == owner), key=lambda job: job.created)

    def controls(self, first: Job) -> list[Job]:
        """The shuffled controls of a job, the oldest first, whoever has trained them; not those that left nothing."""
        jobs = {job.id: job for job in [*self.of(first.owner), *list(self._jobs.values())]}
        found = [job for job in jobs.values() if job.request.of == first.id]
        return sorted((job for job in found if job.active or job.adapter or job.resumable), key=lambda job: job.created)

    def progress(self, job: Job) -> str:
        """Where a job stands, in a sentence."""
        if job.stopping and not job.message:
            return translate("Stopping after this step; what was learned is kept …")
        if job.state == WAITING:
            others = turns(other for other in list(self._jobs.values()) if other.created < job.created)
            ahead = sum(1 for other in others if other.id != job.request.of)
            return translate("Waiting: {n} before it.", n=ahead) if ahead else translate("Preparing …")
        if job.message or not job.steps or not job.steps[-1].step:
            return translate(job.message or N_("Preparing …"))
        last = job.steps[-1]
        left = last.seconds / max(1, last.step) * (last.steps - last.step)
        loss = "" if last.loss is None else f", {translate('loss')} {last.loss:.3f}"
        return translate(
            "Step {step} of {steps}, epoch {epoch}{loss}, about {left:.0f} s left.",
            step=last.step,
            steps=last.steps,
            epoch=last.epoch,
            loss=loss,
            left=left,
        )

    def stop(self, job: Job) -> None:
        """Ask a job to end after its present step; what it has learned is kept. One that waits leaves the line."""
        with self._lock:
            waits = job.state == WAITING
            if waits:
                job.state = STOPPED
        if waits:
            job.end(STOPPED, N_("It was stopped before it began."))
        elif job.active:
            StopFlag(job.folder / STOP).set()

    def resume(self, *together: Job, sender: str = "") -> None:
        """Put jobs that ended early back in line, to go on from their last checkpoints side by side.

        Args:
            together: a run, its control, or both.
            sender: the address that asks for it, as in `submit`.

        Raises:
            ValueError: there is nothing to go on from, its time is used up, too many are at work or waiting, or another
                copy of this page is at work with it.
        """
        for job in together:
            with job.claimed():
                self._check_resumable(job, sender)
        for job in together:
            job.sender = sender
        self._put_in_line(together)

    def _check_resumable(self, job: Job, sender: str) -> None:
        if not job.resumable:
            text = N_("{name} has nothing to go on from: it is {state}.")
            raise ValueError(translate(text, name=job.request.name, state=translate(job.state)))
        if self._seconds_left(job) <= 0:
            text = N_("This run has had its {minutes} minutes: a copy of this page of your own has no such limit.")
            raise ValueError(translate(text, minutes=self.hosting.train_seconds // 60))
        self._share.check_turn(job.owner, sender, list(self._jobs.values()))

    def rename(self, job: Job, name: str) -> None:
        """Give a run that has ended and its adapter another name.

        Raises:
            ValueError: it is at work, here or in another copy of this page.
        """
        if job.active:
            raise ValueError(translate("{name} is still at work: rename it when it has ended.", name=job.request.name))
        with job.claimed():
            job.request = replace(job.request, name=name)
            if job.adapter:
                job.adapter = job.adapter.rename(job.adapter.with_name(name))
                job.finished = None
            job.write()

    def delete(self, job: Job) -> None:
        """Stop a job and remove every file of it.

        Raises:
            ValueError: another copy of this page is at work with it.
        """
        self.stop(job)
        with job.claimed():
            self._remove(job)

    def _remove(self, job: Job) -> None:
        job.deleted = True
        (job.folder / RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.downloads(job), ignore_errors=True)
        with self._lock:
            self._jobs.pop(job.id, None)
        if not job.active:
            shutil.rmtree(job.folder, ignore_errors=True)

    def downloads(self, job: Job) -> Path:
        """A folder for what the page gives out of a job."""
        folder = Path(self._downloads.name) / job.id
        folder.mkdir(exist_ok=True)
        return folder

    def result(self, job: Job) -> Finished:
        """The measured end of a job that has an adapter, measured again where an earlier server had done it."""
        finished = job.finished
        if finished is None:
            if job.adapter is None:
                raise ValueError(translate("{name} has no adapter to measure.", name=job.request.name))
            record = json.loads((job.adapter / "tli.json").read_text(encoding="utf-8"))
            finished = job.finished = measured_run(self._models, job.request, job.adapter, record)
        return finished

    def sync(self, visitor: Visitor) -> list[Job]:
        """Have a visitor's adapters be those of their runs that are there now; the runs, oldest first."""
        linked = [job for job_id in visitor.linked if (job := self.find(job_id))]
        known = {job.id: job for job in [*linked, *self.of(visitor.token)]}
        runs = sorted(known.values(), key=lambda job: job.created)
        visitor.run_names = {job.request.name for job in runs}
        visitor.trained = {
            job.request.name: OwnAdapter(job.request.model, job.adapter, job.request.pairs)
            for job in runs
            if job.adapter
        }
        return runs

    def _put_in_line(self, together: Sequence[Job]) -> None:
        others = [job for job in list(self._jobs.values()) if job not in together]
        waiting = sum(1 for other in turns(others) if other.state == WAITING)
        if waiting >= MAX_WAITING:
            raise ValueError(translate("{n} fine-tunes are waiting already: try again in a few minutes.", n=waiting))
        before = [(job.state, job.message) for job in together]
        claimed: list[Job] = []
        try:
            for job in together:
                job.state, job.message, job.context = WAITING, "", detached()
                job.folder.mkdir(parents=True, exist_ok=True)
                job.claim()
                claimed.append(job)
                StopFlag(job.folder / STOP).clear()
                job.write()
        except (ValueError, OSError) as error:
            for job, (state, message) in zip(together, before, strict=True):
                job.state, job.message = state, message
            for job in claimed:
                with suppress(OSError):
                    job.write()
                job.release()
            if isinstance(error, ValueError):
                raise
            text = N_("This server cannot keep a run on its disk ({error}), so none was started.")
            raise ValueError(translate(text, error=error.strerror or error)) from error
        self._line.put(tuple(together))
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            together = self._line.get()
            try:
                together[0].context.run(self._run, together)
            except Exception:  # an error in one run must not stop the queue
                _LOG.exception("The run %s could not be ended", together[0].id)
                for job in together:
                    if job.state == RUNNING:
                        job.message, job.state = OUR_ERROR, FAILED
                        job.release()
            for job in together:
                if job.deleted:
                    shutil.rmtree(job.folder, ignore_errors=True)

    def _run(self, together: Sequence[Job]) -> None:
        with self._lock:
            jobs = [job for job in together if job.state == WAITING]  # the others have left the line meanwhile
            for job in jobs:
                job.state = RUNNING
        if not jobs:
            return
        works = [Work(job.request, job.folder, self._seconds_left(job)) for job in jobs]
        # How each will have ended, once that is known. One that has ended may be in line again, so it is left alone.
        ends = dict.fromkeys(range(len(jobs)), "")
        try:
            for number, item in train(self._models, jobs[0].request.model, works):
                ends[number] = self._take(jobs[number], item, ends[number])
                if isinstance(item, Finished | Astray):
                    del ends[number]
        except Exception as error:  # an error in these jobs must not stop the queue
            told = sentence_of(error, jobs[0].id)
            for number, end in ends.items():
                jobs[number].end(end or FAILED, told)

    def _take(self, job: Job, item: Steps | str | Saved | Finished | Astray, end: str) -> str:
        """Take what is new of a job; how it will have ended, once that is known."""
        if isinstance(item, Saved):
            # On record before it is measured: a server that ends meanwhile loses nothing but the measuring.
            job.adapter = item.folder
            end = STOPPED if item.stopped else DONE
            job.write(end)
        elif isinstance(item, Finished):
            job.finished = item
            self._forget_state(job, end)
            job.end(end)
        elif isinstance(item, Astray):
            self._forget_state(job, end)
            job.end(end or (STOPPED if job.stopping and not item.fault else FAILED), item.sentence)
        elif isinstance(item, str):
            job.message = item
        else:
            job.steps = item
        return end

    def _forget_state(self, job: Job, end: str) -> None:
        """Of a complete run the state is not needed; the moments alone take three times the adapter."""
        if end == DONE:
            with suppress(OSError):  # a full disk: then it stays
                core.training.resume.keep_history_only(job.folder / STATE)

    def _clear_old(self) -> None:
        """Where runs are kept for some hours only, remove those that have had them."""
        if self.hosting.keep_hours is None:
            return
        oldest = time.time() - 3600 * self.hosting.keep_hours
        for folder in self._folder.glob("*"):
            job = self.find(folder.name)
            if job and not job.active and job.created < oldest:
                with suppress(ValueError, OSError):  # another copy is at work with it, or has removed it
                    self.delete(job)
