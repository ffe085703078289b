"""Jobs without a page: their line, their end, what is left of them on disk, and whose they are."""

import json
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import gradio as gr
import pytest
import torch

import ui.server.training_run
from tli_core.models.loaded_model import load_model
from tli_core.models.placement import Placement
from tli_core.training.presets import configured
from tli_core.training.resume import RunState
from ui.server.hosting import OWN_MACHINE
from ui.server.job import BROKEN_OFF, DONE, FAILED, RECORD, RUNNING, STOPPED, Job
from ui.server.jobs import MAX_WAITING, Jobs
from ui.server.training_run import STATE, RunRequest
from ui.server.visitors import Models, OwnAdapter, Visitor
from ui.widgets.run_page import Run, RunPage, resumable, run_of

CONFIG = configured("corrected", layer=2, batch_size=10, epochs=4, learning_rate=5e-3)
LONG = replace(CONFIG, epochs=1000)


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is told every second or so; nobody reads along here."""
    monkeypatch.setattr("ui.server.training_run.DRAW_SECONDS", 0.01)


@pytest.fixture
def models(tiny_folder: Path) -> Models:
    return Models((str(tiny_folder),))


@pytest.fixture
def run_request(models: Models, pairs) -> RunRequest:
    return RunRequest("mine", models.names[0], CONFIG, pairs[:20], pairs[20:])


def wait(job: Job, until=lambda job: not job.active) -> Job:
    deadline = time.monotonic() + 60
    while not until(job):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def laid_out(jobs: Jobs) -> RunPage:
    """The page of a run, on a page of its own."""
    with gr.Blocks():
        return RunPage(jobs)


def test_a_job_ends_with_a_measured_adapter_that_is_its_owners_alone(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    job = wait(jobs.submit(run_request, "owner"))
    assert job.state == DONE and [step.step for step in job.steps] == list(range(9))
    assert jobs.result(job).evaluations[0].after.provenance.adapter == "mine"
    # What the page gives out lies where Gradio may read, wherever the runs are.
    view = laid_out(jobs)
    shown = view.ended(Run(job))
    table, download = shown[view.table], shown[view.download]
    assert table["headers"] == ["measure", "mine, control (10 pairs)", "mine, trained (20 pairs)"]
    assert not Path(download.value["path"]).is_relative_to(tmp_path)
    owner, stranger, guest = Visitor("owner"), Visitor("stranger"), Visitor("stranger", linked=[job.id])
    assert [jobs.sync(who) for who in (owner, stranger, guest)] == [[job], [], [job]]
    assert "mine" in owner.adapters(run_request.model) and "mine" not in stranger.adapters(run_request.model)
    assert owner.key(models, run_request.model, "mine") == guest.key(models, run_request.model, "mine")
    with pytest.raises(ValueError, match="no adapter 'mine'"):
        stranger.key(models, run_request.model, "mine")
    given_out = jobs.downloads(job)
    assert list(given_out.iterdir())
    jobs.delete(job)
    assert not given_out.exists()


def test_a_stopped_job_goes_on_to_the_adapter_of_an_unbroken_one(models, run_request, tmp_path):
    whole = Jobs(models, tmp_path / "whole")
    unbroken = wait(whole.submit(replace(run_request, config=replace(CONFIG, epochs=40))))
    jobs = Jobs(models, tmp_path / "broken")
    job = jobs.submit(replace(run_request, config=replace(CONFIG, epochs=40)))
    wait(job, lambda job: len(job.steps) > 2)
    jobs.stop(job)
    assert wait(job).state == STOPPED and job.adapter and job.resumable
    jobs.resume(job)
    assert wait(job).state == DONE and not job.resumable
    weights = [one.adapter / "adapter_model.safetensors" for one in (unbroken, job)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    with pytest.raises(ValueError, match="mine has nothing to go on from: it is done"):
        jobs.resume(job)


def test_a_run_and_its_control_go_side_by_side_and_are_one_turn(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path, replace(OWN_MACHINE, at_work=1))
    first = jobs.submit(replace(run_request, config=LONG), "owner", control="mine-shuffled")
    (control,) = jobs.controls(first)
    wait(control, lambda job: len(job.steps) > 2)
    assert first.state == control.state == RUNNING and control.request.config.shuffled
    assert jobs.progress(control).startswith("Step ")
    with pytest.raises(ValueError, match="Your last run is still at work"):
        jobs.submit(run_request, "owner")
    waiting = jobs.submit(run_request, "another")
    assert jobs.progress(waiting) == "Waiting: 1 before it."
    for job in (waiting, first, control):
        jobs.stop(job)
    assert [wait(job).state for job in (first, control)] == [STOPPED, STOPPED]
    assert run_of(jobs, control.id) == Run(first, control) and resumable(Run(first, control)) == [first, control]
    assert jobs.result(control).evaluations[0].after.provenance.adapter == "mine-shuffled"
    taken = [job.steps[-1].step for job in (first, control)]
    jobs.resume(first, control)
    wait(control, lambda job: job.steps[-1].step > taken[1])
    assert first.active
    for job in (first, control):
        jobs.stop(job)
        wait(job)
    assert [step.step for step in first.steps] == list(range(len(first.steps)))


def test_one_of_the_two_may_be_stopped_or_deleted(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    first = jobs.submit(replace(run_request, config=replace(CONFIG, epochs=40)), "owner", control="mine-shuffled")
    (control,) = jobs.controls(first)
    wait(first, lambda job: len(job.steps) > 2)
    jobs.delete(control)
    assert wait(first).state == DONE and jobs.of("owner") == [first] and jobs.controls(first) == []
    wait(control, lambda job: not job.folder.exists())


def test_a_damaged_state_of_one_does_not_keep_the_other_from_going_on(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    first = jobs.submit(replace(run_request, config=LONG), "owner", control="mine-shuffled")
    (control,) = jobs.controls(first)
    wait(first, lambda job: len(job.steps) > 2)
    for job in (first, control):
        jobs.stop(job)
        wait(job)
    state, taken = control.folder / STATE, first.steps[-1].step
    state.write_bytes(state.read_bytes()[:50])
    jobs.resume(first, control)
    wait(first, lambda job: job.steps[-1].step > taken)
    assert wait(control).state == FAILED and "state of this run cannot be read" in control.message
    jobs.stop(first)
    assert wait(first).state == STOPPED and not first.message


def test_an_error_of_one_leaves_the_other_alone(models, run_request, tmp_path, monkeypatch):
    """Its state cannot be kept; or it cannot be measured. Either way it is told what is so, and no other run is."""
    real_save, real_measure = RunState.save, ui.server.training_run.measured_run

    def full(state, path):
        if path.parent.name == control.id:
            raise OSError(28, "No space left on device")
        real_save(state, path)

    def unmeasured(models, request, *more):
        if request.config.shuffled:
            raise MemoryError
        return real_measure(models, request, *more)

    for place, patched, state, told in (
        ("tli_core.training.resume.RunState.save", full, FAILED, "could not write to its disk"),
        ("ui.server.training_run.measured_run", unmeasured, DONE, "The memory of this machine is full"),
    ):
        jobs = Jobs(models, tmp_path / state)
        with monkeypatch.context() as patch:
            blocker = jobs.submit(replace(run_request, config=LONG), "another")
            first = jobs.submit(run_request, "owner", control="mine-shuffled")
            (control,) = jobs.controls(first)
            patch.setattr(place, patched)
            jobs.stop(blocker)
            assert wait(first).state == DONE and not first.message
            assert wait(control).state == state and told in control.message


def test_each_of_two_has_its_own_time(models, run_request, tmp_path, monkeypatch):
    """They do not fit into one pass, so the control begins when the run's time is over."""
    monkeypatch.setattr("tli_core.training.loop.WORDS_IN_A_PASS", 1)
    jobs = Jobs(models, tmp_path, replace(OWN_MACHINE, train_seconds=1))
    first = jobs.submit(replace(run_request, config=LONG), "owner", control="mine-shuffled")
    (control,) = jobs.controls(first)
    for job in (first, control):
        assert wait(job).state == STOPPED and job.steps[-1].step > 0


def test_a_request_that_is_refused_leaves_no_run(models, run_request, tmp_path, monkeypatch):
    jobs, real = Jobs(models, tmp_path), Job.write
    calls = iter(range(9))

    def second_fails(job, *more):
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        real(job, *more)

    monkeypatch.setattr(Job, "write", second_fails)
    with pytest.raises(ValueError, match="so none was started"):
        jobs.submit(run_request, "owner", control="mine-shuffled")
    assert jobs.of("owner") == [] and not list(tmp_path.glob("*/*"))


def test_what_both_fail_of_is_said_of_both_and_what_cannot_be_shuffled_is_refused(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path, replace(OWN_MACHINE, runs=3))
    first = jobs.submit(replace(run_request, config=replace(CONFIG, layer=9)), "owner", control="mine-shuffled")
    (control,) = [job for job in jobs.of("owner") if job is not first]
    assert [wait(job).state for job in (first, control)] == [FAILED, FAILED]
    assert first.message == control.message and "Layer 9 is beyond this model" in first.message
    with pytest.raises(ValueError, match="There are 2 runs of at most 3"):
        jobs.submit(run_request, "owner", control="mine-shuffled-2")
    one_word = tuple(pair._replace(target="house") for pair in run_request.pairs)
    with pytest.raises(ValueError, match="Shuffling needs at least two"):
        jobs.submit(replace(run_request, pairs=one_word), "another", control="mine-shuffled")
    assert jobs.of("another") == []


def test_the_table_of_a_run_and_its_shuffled_control_says_whose_each_column_is(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    first = wait(jobs.submit(run_request))
    shuffled = replace(run_request, name="mine-shuffled", config=replace(CONFIG, shuffled=True), of=first.id)
    view = laid_out(jobs)
    control = wait(jobs.submit(shuffled))
    # One page has both, by whichever link it was opened.
    assert run_of(jobs, control.id) == Run(first, control)
    shown = view.ended(Run(first, control))
    told, table = shown[view.status], shown[view.table]
    assert [header.split(",")[0] for header in table["headers"][1:]] == [
        "mine",
        "mine",
        "mine-shuffled",
        "mine-shuffled",
    ]
    assert told.startswith("## mine\n") and "Control done: 8 steps" in told


def test_a_run_that_waits_leaves_the_line_when_it_is_stopped(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    first = wait(jobs.submit(replace(run_request, config=LONG)), lambda job: len(job.steps) > 1)
    waiting, last = (jobs.submit(replace(run_request, name=name)) for name in ("waiting", "last"))
    jobs.stop(waiting)
    assert waiting.state == STOPPED and "before it began" in waiting.message and not waiting.resumable
    jobs.stop(first)
    assert wait(last).state == DONE and waiting.state == STOPPED and not waiting.steps


def test_a_control_is_found_with_its_run_whoever_has_trained_it(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    first = wait(jobs.submit(run_request, "owner"))
    shuffled = replace(run_request, name="mine-shuffled", config=replace(CONFIG, shuffled=True), of=first.id)
    control = jobs.submit(shuffled, "guest")
    assert jobs.controls(first) == [control] and run_of(jobs, first.id) == run_of(jobs, control.id)
    wait(control)
    # One that has left nothing behind is no reason not to train another.
    control.adapter, control.state = None, FAILED
    (control.folder / STATE).unlink()
    assert jobs.controls(first) == []


def test_no_two_runs_of_a_visitor_have_one_name_and_the_oldest_comes_first(models, run_request, tmp_path):
    jobs, who = Jobs(models, tmp_path), Visitor("owner")
    first = jobs.submit(replace(run_request, config=LONG), "owner")
    second = jobs.submit(replace(run_request, name="next"), "owner")
    # As a page that was opened by the link of the second.
    who.linked = [second.id]
    assert jobs.sync(who) == [first, second]
    with pytest.raises(ValueError, match="already an adapter called mine"):
        who.check_new_name(run_request.model, "mine")
    assert who.free_name(run_request.model, "mine") == "mine-2"
    jobs.stop(first)
    wait(second)


def test_a_run_that_was_asked_to_stop_says_so_until_it_has(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    job = wait(jobs.submit(replace(run_request, config=LONG)), lambda job: len(job.steps) > 1)
    assert jobs.progress(job).startswith("Step ") and not job.stopping
    jobs.stop(job)
    assert job.stopping or not job.active
    assert not job.active or job.message or jobs.progress(job).startswith("Stopping after this step")
    assert wait(job).state == STOPPED and not job.stopping


def test_a_new_server_finds_the_runs_and_goes_on_with_one_that_was_broken_off(models, run_request, tmp_path):
    earlier = Jobs(models, tmp_path)
    done = wait(earlier.submit(run_request, "owner"))
    cut = earlier.submit(replace(run_request, name="cut", config=LONG), "owner")
    wait(cut, lambda job: len(job.steps) > 100)
    earlier.stop(cut)
    wait(cut)
    # As a server leaves it that dies at work.
    record = tmp_path / cut.id / RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), "state": RUNNING, "adapter": None}))

    later = Jobs(models, tmp_path)
    found = later.of("owner")
    assert [job.request for job in found] == [done.request, cut.request]
    assert [job.state for job in found] == [DONE, BROKEN_OFF] and found[1].resumable
    assert later.result(found[0]).record["losses"] == earlier.result(done).record["losses"]
    later.resume(found[1])
    wait(found[1], lambda job: len(job.steps) > len(cut.steps))
    later.stop(found[1])
    assert wait(found[1]).state == STOPPED


def test_a_run_on_the_first_blocks_alone_is_measured_at_the_last_of_them(models, run_request, tmp_path):
    models._loaded[run_request.model] = load_model(run_request.model, Placement("cpu", 2))
    jobs = Jobs(models, tmp_path)
    job = wait(jobs.submit(run_request))
    assert job.state == DONE and jobs.result(job).evaluations[0].before.names[-1] == "block 2"
    too_deep = wait(jobs.submit(replace(run_request, config=replace(CONFIG, layer="output"))))
    assert too_deep.state == FAILED and "give a layer from 1 to 2" in too_deep.message


def test_what_fails_says_why_and_the_line_goes_on(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    bad = jobs.submit(replace(run_request, config=replace(CONFIG, layer=9)))
    good = jobs.submit(run_request)
    assert wait(bad).state == FAILED and "Layer 9 is beyond this model" in bad.message and not bad.resumable
    assert wait(good).state == DONE


@pytest.mark.parametrize("full", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError()])
def test_of_memory_that_is_full_a_run_says_what_to_do_and_the_line_goes_on(
    full, models, run_request, tmp_path, monkeypatch
):
    jobs = Jobs(models, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("tli_core.training.optimizer_step.Steps.take", Mock(side_effect=full))
        job = wait(jobs.submit(run_request))
    assert job.state == FAILED and job.message.startswith("The memory of this machine is full: take fewer pairs")
    assert wait(jobs.submit(run_request)).state == DONE


def test_a_full_line_refuses_and_names_and_files_go_as_asked(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path)
    running = jobs.submit(replace(run_request, config=LONG), "owner")
    wait(running, lambda job: len(job.steps) > 2)
    with pytest.raises(ValueError, match="still at work"):
        jobs.rename(running, "other")
    waiting = [jobs.submit(run_request) for _ in range(MAX_WAITING)]
    with pytest.raises(ValueError, match="8 fine-tunes are waiting already"):
        jobs.submit(run_request)
    assert jobs.progress(waiting[1]) == "Waiting: 2 before it."
    for job in waiting[1:]:
        jobs.delete(job)
    jobs.stop(running)
    wait(running)
    jobs.rename(running, "other")
    assert running.adapter.name == "other" and (running.adapter / "adapter_config.json").is_file()
    assert jobs.result(running).evaluations[0].after.provenance.adapter == "other"
    assert jobs.find("../../etc") is None and jobs.find("0" * 32) is None
    wait(waiting[0])
    jobs.delete(running)
    wait(running, lambda job: not job.folder.exists())
    assert jobs.of("owner") == []


def test_runs_are_kept_for_the_hours_that_were_said(models, run_request, tmp_path):
    jobs = Jobs(models, tmp_path, replace(OWN_MACHINE, keep_hours=1))
    old = wait(jobs.submit(run_request, "owner"))
    old.created -= 3700
    new = wait(jobs.submit(replace(run_request, name="new"), "owner"))
    assert jobs.of("owner") == [new] and not old.folder.exists()


def test_a_name_that_is_taken_is_followed_by_the_next(models, tmp_path):
    visitor = Visitor(trained={"mine": OwnAdapter("base", tmp_path), "mine-2": OwnAdapter("base", tmp_path)})
    assert visitor.free_name("base", "other") == "other"
    assert visitor.free_name("base", "mine") == visitor.free_name("base", "mine-2") == "mine-3"


class Killed(BaseException):
    """The server ends here, as by kill -9: nothing after this line runs."""


def killed_at(monkeypatch, place: str) -> None:
    def kill(*_args, **_kwargs):
        raise Killed

    monkeypatch.setattr(place, kill)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("stopped", [False, True])
def test_a_server_that_ends_while_it_measures_loses_nothing(stopped, models, run_request, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_at(patch, "ui.server.training_run.measured_run")
        jobs = Jobs(models, tmp_path)
        job = jobs.submit(replace(run_request, config=LONG) if stopped else run_request, "owner")
        if stopped:
            wait(job, lambda job: len(job.steps) > 1)
            jobs.stop(job)
        wait(job, lambda job: job.adapter and not jobs._worker.is_alive())
    again = Jobs(models, tmp_path)
    (found,) = again.of("owner")
    assert found.state == (STOPPED if stopped else DONE) and found.adapter.is_dir()
    assert found.resumable is stopped
    assert again.result(found).evaluations[0].after.provenance.adapter == "mine"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_ends_before_it_saves_goes_on_from_the_last_step(models, run_request, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_at(patch, "tli_core.reports.model_card.save_adapter")
        jobs = Jobs(models, tmp_path / "killed")
        job = jobs.submit(run_request, "owner")
        wait(job, lambda job: not jobs._worker.is_alive())
    job.release()  # as a process does that ends
    again = Jobs(models, tmp_path / "killed")
    (found,) = again.of("owner")
    assert found.state == BROKEN_OFF and found.resumable and not found.adapter
    again.resume(found)
    assert wait(found).state == DONE
    whole = wait(Jobs(models, tmp_path / "whole").submit(run_request))
    weights = [one.adapter / "adapter_model.safetensors" for one in (found, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_run_that_is_done_keeps_its_curve_and_lets_its_moments_go(models, run_request, tmp_path):
    job = wait(Jobs(models, tmp_path).submit(run_request, "owner"))
    assert (job.folder / "state.safetensors").stat().st_size < 10_000
    (again,) = Jobs(models, tmp_path).of("owner")
    assert again.steps == job.steps and not again.resumable


def test_the_line_goes_on_where_the_disk_does_not(models, run_request, tmp_path, monkeypatch):
    jobs = Jobs(models, tmp_path)
    first = wait(jobs.submit(replace(run_request, config=LONG)), lambda job: len(job.steps) > 1)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tli_core.reports.json_csv.write_text", full)
        jobs.stop(first)
        assert wait(first).state == FAILED and "could not write to its disk" in first.message
        with pytest.raises(ValueError, match=r"cannot keep a run on its disk \(No space left on device\)"):
            jobs.submit(run_request)
    assert wait(jobs.submit(run_request)).state == DONE
    assert first.resumable


def test_a_record_that_was_cut_is_skipped_and_no_run_leaves_one(models, run_request, tmp_path, monkeypatch):
    jobs = Jobs(models, tmp_path)
    job = wait(jobs.submit(run_request, "owner"))
    with monkeypatch.context() as patch:
        killed_at(patch, "tli_core.atomic_files._to_disk")
        with pytest.raises(Killed):
            job.write()
    assert Jobs(models, tmp_path).of("owner")[0].state == DONE
    (job.folder / RECORD).write_text("")
    assert Jobs(models, tmp_path).of("owner") == []


def test_strangers_share_by_address_as_well_as_by_browser(models, run_request, tmp_path):
    limits = replace(OWN_MACHINE, folders=False, at_work=1, runs=2, run_bytes=200_000, own_bytes=10**9, all_bytes=10**9)
    jobs = Jobs(models, tmp_path, limits)
    long = replace(run_request, config=LONG)
    running = [jobs.submit(long, f"browser {i}", "school") for i in range(limits.by_address)]
    with pytest.raises(ValueError, match="3 runs from your network are at work"):
        jobs.submit(long, "a fourth browser", "school")
    running.append(jobs.submit(long, "elsewhere", "home"))
    stopped = wait(running[0], lambda job: len(job.steps) > 1)
    jobs.stop(stopped)
    wait(stopped)
    running.append(jobs.submit(long, "a fifth browser", "school"))
    with pytest.raises(ValueError, match="3 runs from your network are at work"):
        jobs.resume(stopped, sender="school")
    stopped.steps = (replace(stopped.steps[-1], seconds=limits.train_seconds),)
    with pytest.raises(ValueError, match="This run has had its 60 minutes"):
        jobs.resume(stopped, "elsewhere")
    large = replace(run_request, config=replace(CONFIG, rank=256, targets=("q_proj", "up_proj", "down_proj")))
    with pytest.raises(ValueError, match=r"The run would take \d+ MB, more than 0, the most here"):
        jobs.submit(large, "another", "office")
    for job in running:
        jobs.stop(job)
    for job in running:
        wait(job)
