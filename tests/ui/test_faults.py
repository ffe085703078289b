"""A server that is killed at any step on the disk: what was finished is there, and the rest can go on."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.ui.test_jobs import CONFIG, models, run_request, wait  # noqa: F401 (fixtures)
from ui.server.job import DONE, Job
from ui.server.jobs import Jobs
from ui.server.visitors import Models, Visitor

STEPS = ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir")
"""What changes a disk, or has it changed for good."""


class Killed(BaseException):
    """The end of a process: no handler of errors sees it."""


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let a thread but for this one do so many steps on the disk, and none after; how many it has asked for."""
    mine, asked = threading.get_ident(), [0]

    def counted(step: Callable) -> Callable:
        def take(*args, **kwargs):
            if threading.get_ident() != mine:
                asked[0] += 1
                if asked[0] > number:
                    raise Killed
            return step(*args, **kwargs)

        return take

    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda args: None)
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        yield asked


def ended(work: Callable) -> None:
    """Do a thing in a thread of its own, which may be killed."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def finished(models, run_request, tmp_path) -> Path:  # noqa: F811
    """A folder with a run that has ended."""
    job = wait(Jobs(models, tmp_path / "runs").submit(replace(run_request, name="first"), "owner"))
    assert job.state == DONE
    return tmp_path / "runs"


def found(models, folder: Path) -> dict[str, Job]:  # noqa: F811
    """The runs that a new server finds, by their names; each adapter of theirs can be used."""
    # Models of its own, as those of the server before may have an adapter in memory whose files are gone.
    models = Models(models.names)
    jobs, visitor = Jobs(models, folder), Visitor("owner")
    known = {job.request.name: job for job in jobs.sync(visitor)}
    for name in visitor.trained:
        visitor.key(models, models.names[0], name)
    return known


def test_a_run_that_is_killed_anywhere_is_finished_or_goes_on(models, run_request, finished, monkeypatch):  # noqa: F811
    number, points = 0, 0
    request = replace(run_request, config=replace(CONFIG, epochs=2))
    while True:
        jobs = Jobs(models, finished)
        with killed_at(number, monkeypatch) as asked:
            job = jobs.submit(request, "owner")
            jobs._worker.join(0.01)
            while jobs._worker.is_alive() and job.active:
                jobs._worker.join(0.01)
        job.release()  # as a process does that ends
        killed = asked[0] > number
        after = Jobs(models, finished)
        known = {one.request.name: one for one in after.of("owner")}
        assert known["first"].state == DONE and known["first"].adapter, number
        again = known["mine"]
        assert again.state == DONE or again.resumable, (number, again)
        if again.resumable and number % 5 == 0:
            after.resume(again)
            assert wait(again).state == DONE, (number, again.message)
        assert set(found(models, finished)) == {"first", "mine"}
        after.delete(again)
        points += 1
        if not killed:
            break
        number += 1
    print(f"killed at {points} points")
    assert points > 20


@pytest.mark.parametrize("deed", ["rename", "delete"])
def test_so_is_a_run_that_is_renamed_or_deleted(deed, models, run_request, finished, monkeypatch):  # noqa: F811
    number = 0
    while True:
        jobs = Jobs(models, finished)
        job = wait(jobs.submit(run_request, "owner"))
        with killed_at(number, monkeypatch) as asked:
            ended(partial(jobs.rename, job, "other") if deed == "rename" else partial(jobs.delete, job))
        known = found(models, finished)
        assert known.pop("first").state == DONE
        assert len(known) <= 1 and set(known) <= {"mine", "other"}, number
        for left in known.values():
            assert left.adapter and left.adapter.name == left.request.name, number
            Jobs(models, finished).delete(left)
        if asked[0] <= number:
            break
        number += 1
    assert number > 1
