"""Where training helps: what is run, what is kept and gone on with, and what is said of it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.cli.main import main
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.verdicts import LEAST_CHANGE, RankChange
from tli_core.models.loaded_model import LoadedModel
from tli_core.reports.map_figure import map_figure
from tli_core.reports.model_card import save_adapter
from tli_core.reports.sweep_map import cell_rows, map_cells, mean_change, sentences, short_rows, write_numbers
from tli_core.reports.sweep_page import sweep_html
from tli_core.studies.sweep import check_sweep, sweep
from tli_core.studies.sweep_cells import (
    AS_SHUFFLED,
    RUNS_FAILED,
    OverShuffled,
    Sweep,
    beside_shuffled,
    is_futile,
    read_sweep,
)
from tli_core.studies.sweep_runs import Outcome, Plan, SweepFolder
from tli_core.training.loop import train_together
from tli_core.training.presets import PRESETS
from tli_core.training.run import TrainedAdapter

QUICK = replace(PRESETS["corrected"], epochs=1, batch_size=8, rank=2, alpha=4)
PLAN = Plan(tuple(replace(QUICK, layer=layer) for layer in (1, "output")), seeds=2)
N = 60


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)


@pytest.fixture(scope="module")
def control() -> list[WordPair]:
    return [WordPair(f"neno{i}", f"{chr(97 + i % 26)}{chr(97 + i // 26)}x") for i in range(N)]


@pytest.fixture(scope="module")
def found(tiny, pairs, control, tmp_path_factory) -> tuple[Sweep, SweepFolder, list[str]]:
    """A sweep of a tiny random model, its folder, and the names of the runs that it did."""
    folder, told = SweepFolder(tmp_path_factory.mktemp("sweep")), []
    made = sweep(tiny, PLAN, pairs[:20], control, folder, save_adapter, progress=lambda *of: told.append(of[2].name))
    return made, folder, told


def planted(base, moved: float, share: float = 1.0, found: bool = True, seed: int = 0, **changes) -> Outcome:
    """An outcome in which a share of the words rank higher by `moved`, in both directions."""
    drawn = np.random.default_rng(seed)
    up = np.where(drawn.random((2, N)) < share, moved, 0) + drawn.normal(0, 0.01, (2, N))
    given = {"matched": 0.1, "mismatched": 0.0, "verdict": "improved", **changes}
    return Outcome(up, up > 0.5, np.full(2, found), **given)


def read_of(base, folder: SweepFolder, outcomes: list[tuple[Outcome, Outcome]]) -> Sweep:
    """The sweep of one seed whose cells have these outcomes, with right and with shuffled translations."""
    layers = [*range(1, len(outcomes)), "output"]
    plan = Plan(tuple(replace(QUICK, layer=layer) for layer in layers), seeds=1)
    (folder.path / "runs").mkdir(parents=True)
    for cell, both in enumerate(outcomes):
        for run, outcome in zip(plan.runs_of(cell, 0), both, strict=True):
            folder.keep(run, outcome)
    return read_sweep(base, plan, folder)


@pytest.fixture(scope="module")
def base(tiny, control):
    return measure(tiny, control)


def test_first_seeds_come_first_and_each_has_its_shuffled_run(found):
    made, folder, told = found
    assert told[:4] == ["000-seed0", "000-seed0-shuffled", "001-seed0", "001-seed0-shuffled"]
    for cell, of in enumerate(made.cells):
        first = folder.outcome(PLAN.runs_of(cell, 0)[0], N)
        assert of.ended_early == is_futile(first, made.base.clusters) == (f"{cell:03}-seed1" not in told)
        assert of.seeds == (1 if of.ended_early else 2)


def test_the_model_is_left_as_it_was_and_no_adapter_stays(found, tiny):
    _, folder, _ = found
    assert not tiny.adapters
    kept = {path.name for path in folder.path.rglob("*") if path.is_file() and not path.name.endswith(".lock")}
    assert all(re.fullmatch(r"sweep\.json|\d{3}-seed\d+(-shuffled)?\.json", name) for name in kept)


def test_what_is_done_is_not_done_again(found, tiny, pairs, control):
    made, folder, _ = found
    again: list[str] = []
    once_more = sweep(
        tiny, PLAN, pairs[:20], control, folder, save_adapter, progress=lambda *of: again.append(of[2].name)
    )
    assert not again and cell_rows(once_more) == cell_rows(made)
    lost = PLAN.runs_of(1, 0)[1]
    (folder.path / "runs" / f"{lost.name}.json").unlink()
    sweep(tiny, PLAN, pairs[:20], control, folder, save_adapter, progress=lambda *of: again.append(of[2].name))
    assert again == [lost.name]


def test_a_run_that_another_process_has_begun_is_left_to_it(tmp_path, tiny):
    folder, run = SweepFolder(tmp_path), PLAN.runs_of(0, 0)[0]
    (tmp_path / "runs").mkdir()
    code = (
        "import sys, pathlib\nfrom tli_core.studies.sweep_runs import Plan, SweepFolder\n"
        "from tli_core.training.presets import PRESETS\n"
        "run, _ = Plan((PRESETS['corrected'],), 1).runs_of(0, 0)\n"
        "with SweepFolder(pathlib.Path(sys.argv[1])).claimed(run) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], **pipes) as other:
        assert other.stdout and other.stdout.readline() == "True\n"
        with folder.claimed(run) as mine:
            assert not mine
        with folder.claimed(PLAN.runs_of(0, 0)[1]) as mine:
            assert mine
        other.kill()
    with folder.claimed(run) as mine:
        assert mine


def test_a_folder_never_mixes_two_sweeps(found, tiny, pairs, control):
    _, folder, _ = found
    for plan, trained in ((Plan(PLAN.cells, 3), pairs[:20]), (PLAN, pairs[:19])):
        with pytest.raises(ValueError, match="holds a sweep of another model"):
            sweep(tiny, plan, trained, control, folder, save_adapter)


def test_held_out_words_that_are_trained_on_are_told(tiny, control, tmp_path):
    plan = Plan((replace(QUICK, layer=1),), 1)
    made = sweep(tiny, plan, control[:20], control, SweepFolder(tmp_path), save_adapter)
    assert [warning.code for warning in made.warnings if warning.code == "leak"] == ["leak"]
    assert any(said.startswith("Note: ") and "20" in said for said in sentences(made))


def test_an_outcome_that_cannot_be_read_is_named(base, tmp_path):
    folder, run = SweepFolder(tmp_path), PLAN.runs_of(0, 0)[0]
    (tmp_path / "runs").mkdir()
    file = tmp_path / "runs" / "000-seed0.json"
    folder.keep(run, planted(base, 0.1))
    assert folder.outcome(run, N) is not None
    well = json.loads(file.read_text())
    changes = (
        {"moved": [0.1] * N}, {"moved": [[float("nan")] * N] * 2}, {"hit": [[True], [True]]}, {"found": [True]},
        {"matched": "x"}, {"mismatched": None}, {"failed": ["a"]}, {"verdict": 1}, {"other": 1}, {"config": {}},
        {"config": {**well["config"], "shuffled": True}},
    )  # fmt: skip
    for text in ("", "{", "[]", "{}", "null", *(json.dumps({**well, **change}) for change in changes)):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"000-seed0\.json cannot be read .* remove it"):
            folder.outcome(run, N)


def test_a_folder_that_holds_anything_else_is_left_alone(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ValueError, match="holds something else"):
        SweepFolder(tmp_path).begin({})
    assert (tmp_path / "report.html").read_text() == "mine" and not (tmp_path / "runs").exists()


def test_pairs_that_are_one_group_are_no_sample(tiny, pairs, tmp_path):
    hub = [WordPair("neno", f"{chr(97 + i)}x") for i in range(25)]
    with pytest.raises(ValueError, match="fall into 1 groups"):
        sweep(tiny, PLAN, pairs[:20], hub, SweepFolder(tmp_path / "x"), save_adapter)


@pytest.mark.parametrize(
    ("plan", "trained", "kept", "said"),
    [
        (Plan((replace(QUICK, layer=9),), 1), 20, N, "Layer 9 is beyond"),
        (Plan((QUICK, QUICK), 1), 20, N, "twice"),
        (PLAN, 20, 5, "5 different control pairs"),
        (PLAN, 1, N, "Shuffling needs"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_is_trained(tiny, pairs, control, plan, trained, kept, said):
    with pytest.raises(ValueError, match=said):
        check_sweep(tiny, plan, pairs[:trained], control[:kept])


def test_a_run_that_goes_astray_is_told_and_stops_no_other(tiny, pairs, control, tmp_path, monkeypatch):
    def astray(loaded, plans):
        for number, item in train_together(loaded, plans):
            if plans[number].config.layer == 1 and isinstance(item, TrainedAdapter):
                item = ValueError("The loss is no number at step 3.")
            yield number, item

    monkeypatch.setattr("tli_core.studies.sweep.train_together", astray)
    made = sweep(tiny, Plan(PLAN.cells, 1), pairs[:20], control, SweepFolder(tmp_path), save_adapter)
    lost, well = made.cells
    assert (lost.verdict, lost.seeds, lost.failed) == (RUNS_FAILED, 0, ("The loss is no number at step 3.",))
    assert (well.seeds, well.failed) == (1, ())
    assert "layer 1: a run failed. The loss is no number at step 3." in sentences(made)
    assert RUNS_FAILED in sweep_html(made) and made.picked is None


def test_what_rises_as_much_under_shuffled_translations_is_no_improvement(base, tmp_path):
    up, level, down = planted(base, 0.3, 0.5), planted(base, 0.0, seed=1), planted(base, -0.3, 0.5, seed=2)
    shuffled = (level, up, down, level)
    made = read_of(base, SweepFolder(tmp_path), list(zip((up, up, up, level), shuffled, strict=True)))
    assert [cell.verdict for cell in made.cells] == ["improved", AS_SHUFFLED, "improved", "no clear change"]
    further = [cell.over_shuffled["to_target"] for cell in made.cells]
    assert further[1].further == 0 and further[1].p == 1
    # That shuffled runs did harm adds nothing to what the runs themselves gained.
    assert further[2].shuffled < -0.1 and further[2].further == pytest.approx(made.cells[2].ranks["to_target"].mrr)


def test_a_direction_counts_only_if_it_passes_every_test_itself():
    sure, unsure = (
        RankChange(0.1, (0, 0), 0.001, 0, (0, 0), 0.1, 0.001, 0.5),
        RankChange(0.1, (0, 0), 0.001, 0, (0, 0), 0, 0.9, 0.5),
    )
    further, alike = OverShuffled(0.0, 0.1, 0.001), OverShuffled(0.1, 0.0, 1.0)
    both, one = np.array([True, True]), np.array([True, False])

    def said(first, second, beside_first, beside_second, found=both):
        first_way, second_way = DIRECTIONS
        ranks, over = {first_way: first, second_way: second}, {first_way: beside_first, second_way: beside_second}
        return beside_shuffled("improved", ranks, over, found)

    assert said(sure, sure, further, further) == "improved"
    assert said(sure, sure, further, alike) == "improved one way"
    assert said(sure, sure, alike, alike) == AS_SHUFFLED
    assert said(sure, unsure, alike, further) == "no clear change"  # the one beyond spelling is not beyond shuffled
    assert said(sure, sure, alike, further, found=one) == AS_SHUFFLED  # the one beyond shuffled finds nothing


def test_a_cell_of_which_a_run_failed_is_neither_improved_nor_picked(base, tmp_path):
    up, level, failed = planted(base, 0.3), planted(base, 0.0), replace(planted(base, 0.9), failed="astray")
    made = read_of(base, SweepFolder(tmp_path), [(failed, level), (up, level), (level, level), (up, failed)])
    assert [cell.verdict for cell in made.cells] == [RUNS_FAILED, "improved", "no clear change", RUNS_FAILED]
    assert made.picked and made.picked.cells == (1, 1) and made.picked.moved == pytest.approx(0.3, abs=0.02)
    assert any("Either half of the pairs picks it" in said for said in sentences(made))


def test_a_cell_in_which_too_few_words_moved_has_no_interval(base, tmp_path):
    few, many, level = planted(base, 0.3, share=0.03), planted(base, 0.3), planted(base, 0.0)
    made = read_of(base, SweepFolder(tmp_path), [(few, level), (many, level)])
    of_few, of_many = (cell.ranks["to_target"].mrr_ci95 for cell in made.cells)
    assert np.isnan(of_few).all() and of_many[0] < 0.3 < of_many[1]
    _, *rows = cell_rows(made)
    assert re.fullmatch(r"[+]0[.]0\d\d", rows[0][3]) and re.fullmatch(r"[+]0[.]3\d\d \[.+, .+\]", rows[1][3])
    alone = replace(made, picked=replace(made.picked, ci95=of_few))
    assert any("too few words moved for an interval" in said for said in sentences(alone))


def noise(seed: int) -> list[tuple[Outcome, Outcome]]:
    """Eight cells whose words, and whose shuffled runs' words, move at random."""
    drawn = np.random.default_rng(seed)
    hit, found = np.zeros((2, N), bool), np.ones(2, bool)
    return [tuple(Outcome(drawn.normal(0, 0.15, (2, N)), hit, found, 0.1, 0.1, "") for _ in "ab") for _ in range(8)]


def test_of_whole_maps_of_noise_few_call_anything_improved(base, tmp_path):
    maps = [read_of(base, SweepFolder(tmp_path / f"{draw}"), noise(draw)) for draw in range(100)]
    called = sum(any(cell.verdict != "no clear change" for cell in made.cells) for made in maps)
    assert called <= 8  # 2.5 at most are to be expected; 9 come once in a thousand times


def test_the_best_of_noise_is_worth_nothing_on_pairs_that_did_not_pick_it(base, tmp_path):
    maps = [read_of(base, SweepFolder(tmp_path / f"{draw}"), noise(draw)) for draw in range(40)]
    read = np.array([made.picked.moved for made in maps])
    largest = [max(mean_change(cell) for cell in made.cells) for made in maps]
    assert abs(read.mean()) < 3 * read.std() / np.sqrt(len(read)) and np.mean(largest) > 0.01


def test_a_cell_is_ended_early_only_where_no_direction_may_still_gain(base):
    groups = np.arange(N)
    assert is_futile(planted(base, 0.0), groups)
    assert not is_futile(planted(base, 2 * LEAST_CHANGE), groups)
    one_way = planted(base, 0.0)
    one_way.moved[1] += 0.1
    assert not is_futile(one_way, groups)
    assert not is_futile(replace(planted(base, 0.0), failed="astray"), groups)


def test_every_cell_has_its_row_its_mark_and_its_numbers(found, tmp_path):
    made, _, _ = found
    rows = cell_rows(made)
    assert len(rows) == 1 + len(made.cells) == len(short_rows(made)) and len({len(row) for row in rows}) == 1
    assert [row[0] for row in rows] == ["layer", "1", "output"]
    (drawn,) = map_figure("tiny", map_cells(made)).data
    assert list(drawn["x"]) == ["1", "out"] and np.isfinite(np.array(drawn["z"])).all()
    write_numbers(made, tmp_path)
    kept = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert [cell["verdict"] for cell in kept["cells"]] == [cell.verdict for cell in made.cells]
    assert kept["sentences"] == sentences(made)
    html = sweep_html(made)
    assert all(sentence.split(":")[0] in html for sentence in sentences(made)[:2])


def test_the_command_makes_a_map_and_goes_on_with_it(tmp_path, capsys):
    settings = {"model": "lugha-mini", "layer": "1", "loss": "triplet contrastive", "rank": "2", "seeds": "1",
                "epochs": "1", "report": str(tmp_path)}  # fmt: skip

    def command(**changes: str) -> list[str]:
        return ["sweep", *(word for name, of in (settings | changes).items() for word in (f"--{name}", *of.split()))]

    for _ in range(2):
        assert main(command()) == 0
    told = capsys.readouterr()
    assert told.err.count("ended; ") == 4  # two runs, each with its shuffled one, once
    assert "triplet" in told.out and "contrastive" in told.out and "Map: " in told.out
    plan = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert [(cell["margin"], cell["temperature"]) for cell in plan["cells"]] == [(0.4, 1.0), (0.0, 0.05)]
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<h2>") == 2
    assert main(command(report="/proc/mine")) == 2 and "/proc/mine cannot be made" in capsys.readouterr().err
    for wrong, said in (
        ({"margin": "0.1", "loss": "contrastive"}, "--margin is of the triplet loss"),
        ({"targets": "q_proj+q_proj"}, "twice"),
        ({"targets": "q_proj+v_proj v_proj+q_proj"}, "twice"),
        ({"rank": "0"}, "LoRA rank must be"),
        ({"layer": "foo"}, "layer must be"),
        ({"seeds": "0"}, "--seeds must be"),
        ({"layer": "2 99"}, "Layer 99 is beyond this model, whose output is layer 12"),
    ):
        assert main(command(**wrong)) == 2
        told = capsys.readouterr().err
        assert said in told and "Loading" not in told
    assert main(command(epochs="2")) == 2 and "holds a sweep of another" in capsys.readouterr().err
