"""Two copies of the app that share a folder of runs: each run is at work in one of them, and nothing of it is lost."""

import multiprocessing
import shutil
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.ui.test_jobs import CONFIG, LONG, models, run_request, told_at_once, wait
from ui.server.job import BROKEN_OFF, DONE, ELSEWHERE, RECORD, STOPPED
from ui.server.jobs import Jobs
from ui.server.training_run import RunRequest
from ui.server.visitors import Models

__all__ = ["models", "run_request", "told_at_once"]


def another_copy(folder: Path, request: RunRequest, say: Connection) -> None:
    """A copy of the app in a process of its own: it trains a run until it is killed, or to its end."""
    jobs = Jobs(Models((request.model,)), folder)
    job = jobs.submit(request, "owner")
    while job.active and not (job.steps and job.steps[-1].step > 1):
        time.sleep(0.02)
    say.send(job.id)
    while job.active:
        time.sleep(0.02)
    say.send(job.state)
    say.recv()


@pytest.fixture
def copy_of(tmp_path):
    """Start another copy that trains a request; its connection, the run's id and the process."""
    started = []

    def start(request: RunRequest):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=another_copy, args=(tmp_path / "runs", request, theirs), daemon=True
        )
        process.start()
        started.append(process)
        assert ours.poll(60), "the other copy has not begun"
        return ours, ours.recv(), process

    yield start
    for process in started:
        process.kill()
        process.join()


def test_what_another_copy_is_at_work_with_is_left_to_it_until_it_dies(copy_of, models, run_request, tmp_path):
    _, job_id, process = copy_of(replace(run_request, config=LONG))
    jobs = Jobs(models, tmp_path / "runs")
    job = jobs.find(job_id)
    assert job.message == ELSEWHERE and [job] == jobs.of("owner")
    for change in (lambda: jobs.resume(job), lambda: jobs.rename(job, "other"), lambda: jobs.delete(job)):
        with pytest.raises(ValueError, match="mine is at work in another copy of this page"):
            change()
    assert (job.folder / RECORD).is_file() and job.request.name == "mine" and not job.active
    process.kill()
    process.join()
    again = jobs.find(job_id)
    assert again.state == BROKEN_OFF and not again.message and again.resumable
    again.request = replace(again.request, config=CONFIG)
    jobs.rename(again, "other")
    jobs.delete(again)
    assert jobs.find(job_id) is None and not again.folder.exists()


def test_what_another_copy_has_ended_is_seen_and_not_done_again(copy_of, models, run_request, tmp_path):
    other, job_id, _ = copy_of(replace(run_request, config=replace(CONFIG, epochs=60)))
    jobs = Jobs(models, tmp_path / "runs")
    job = jobs.find(job_id)
    assert job.message == ELSEWHERE and not job.adapter
    assert other.recv() == DONE
    seen = jobs.find(job_id)
    assert seen is job and job.state == DONE and job.adapter.is_dir() and not job.message
    assert jobs.result(job).evaluations
    with pytest.raises(ValueError, match="nothing to go on from: it is done"):
        jobs.resume(job)


def test_a_run_that_two_copies_know_is_gone_on_with_in_one_alone(models, run_request, tmp_path):
    first, second = (Jobs(models, tmp_path) for _ in range(2))
    job = first.submit(replace(run_request, config=LONG))
    wait(job, lambda job: len(job.steps) > 2)
    first.stop(job)
    assert wait(job).state == STOPPED
    elsewhere = second.find(job.id)
    assert elsewhere is not job and elsewhere.resumable
    first.resume(job)
    with pytest.raises(ValueError, match="another copy of this page"):
        second.resume(elsewhere)
    first.stop(job)
    wait(job)
    shutil.rmtree(job.folder)
    assert second.find(job.id) is None, "it was removed by another"
