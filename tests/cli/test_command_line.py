"""The four commands as people type them, on the tiny checkpoint."""

import json
import shutil
import signal
import subprocess
import sys
from unittest.mock import Mock

import pytest
from filelock import FileLock

import tli_core.training.loop
from tests.hub import serve, take_for_the_hub
from tli_core.cli import bases
from tli_core.cli.main import INTERRUPTED, main
from tli_core.models.registry import ROOT
from tli_core.training.run import TrainedAdapter


@pytest.fixture
def lists(tmp_path, pairs):
    """A training and a control file."""
    train, control = tmp_path / "train.csv", tmp_path / "control.json"
    train.write_text("swahili,english\n" + "\n".join(f"{p.source},{p.target}" for p in pairs[:20]))
    control.write_text(json.dumps([{"swahili": p.source, "english": p.target} for p in pairs[20:]]))
    return train, control


def test_several_models_are_measured_beside_each_other_kept_and_shown(tiny_folder, tmp_path, capsys):
    asked = ["--model", str(tiny_folder), "--model", str(tiny_folder), "--save", str(tmp_path), "--seed", "0"]
    assert main(["measure", *asked]) == 0
    told = capsys.readouterr().out
    assert "tiny (2) beside tiny (1), each at the output" in told and "no clear change" in told
    (kept,) = tmp_path.glob("*.safetensors")
    assert kept.name == "tiny-sw-en-control-spaced-raw.safetensors"
    assert main(["show", str(kept), "--out", str(tmp_path / "shown.json")]) == 0
    assert "no adapter, read spaced (raw), n = 150" in capsys.readouterr().out
    assert json.loads((tmp_path / "shown.json").read_text())["results"]["tiny"]["n_pairs"] == 150
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert main(["show", str(kept)]) == 2 and "was altered" in capsys.readouterr().err


def test_adapters_are_compared_in_a_leaderboard_and_a_figure_for_a_paper(tmp_path, capsys):
    kept = [f"lugha-mini{of}-sw-en-control-spaced-raw" for of in ("", "-mini-gentle", "-mini-corrected")]
    out = tmp_path / "figures" / "adapters"
    assert main(["figure", *kept, "--layer", "2", "--format", "svg", "--out", str(out)]) == 0
    told = capsys.readouterr()
    heading, base, gentle, _, *_ = told.out.splitlines()
    assert "beside lugha-mini" in heading and "no clear change" in gentle and "–" in base
    assert "corrected for 2 comparisons" in told.err
    assert sorted(path.suffix for path in out.parent.iterdir()) == [".bib", ".csv", ".csv", ".svg", ".txt"]
    assert main(["figure", kept[0], "--layer", "99", "--out", str(out)]) == 2
    assert "no layer 99" in capsys.readouterr().err


def test_a_model_and_its_adapters_are_measured_for_a_figure(tiny_folder, lists, tmp_path, capsys):
    asked = ["--model", str(tiny_folder), "--pairs", str(lists[0])]
    assert main(["figure", *asked, "--format", "png", "--size", "column", "--out", str(tmp_path / "mine")]) == 0
    (_, row) = capsys.readouterr().out.splitlines()
    assert row.startswith("tiny") and (tmp_path / "mine.png").is_file()
    several = [*asked, "--model", "lugha-mini", "--adapter", "mini-gentle"]
    assert main(["figure", *several]) == 2 and "give one --model with --adapter" in capsys.readouterr().err
    assert main(["figure", "lugha-mini"]) == 2 and "give it as --model lugha-mini" in capsys.readouterr().err


def test_sentences_are_read_as_mexa_reads_them(tiny_folder, capsys):
    assert main(["measure", "--model", str(tiny_folder), "--sentences"]) == 0
    told = capsys.readouterr().out
    assert "100 pairs, pool 100" in told and "read weighted" in told and "MEXA 0." in told


def test_known_bases_are_told_with_their_traps(capsys):
    assert main(["bases", "--language", "ha"]) == 0
    told = capsys.readouterr().out
    assert "lugha-llama (Lugha-Llama/Lugha-Llama-8B-wura)" in told and "Mind:" in told and "lugha-mini" not in told
    assert main(["bases", "--language", "xx"]) == 2


def test_languages_without_a_list_say_what_to_give(tiny_folder, capsys):
    assert main(["measure", "--model", str(tiny_folder), "--languages", "de-nl"]) == 2
    assert "No word list of German and Dutch ships: give a file with pairs of your own." in capsys.readouterr().err


def test_measure_writes_a_table_and_json(tiny_folder, lists, tmp_path, capsys):
    out = tmp_path / "r.json"
    assert main(["measure", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "output" in printed.out and "chance 0.05" in printed.out and "Measuring 20 pairs" in printed.err
    report = json.loads(out.read_text())
    assert report["n_pairs"] == 20 and report["model"]["name"] == str(tiny_folder) and report["readout"] == "spaced"


def test_train_evaluate_and_generate(tiny_folder, lists, tmp_path, capsys):
    train, control = map(str, lists)
    model, adapters = ["--model", str(tiny_folder)], tmp_path / "adapters"
    made = ["train", *model, "--pairs", train, "--control", control, "--layer", "2", "--epochs", "2", "--name", "mine"]
    assert main([*made, "--adapters", str(adapters)]) == 0
    printed = capsys.readouterr()
    assert "held out" in printed.err and "verdict" in printed.out
    # The tests that the verdicts stand on, here as in `evaluate`.
    assert printed.out.count("by a sign-flip test for both directions") == 2
    record = json.loads((adapters / "mine" / "tli.json").read_text())
    assert record["config"]["layer"] == 2 and record["config"]["epochs"] == 2 and record["pairs"] == 20
    assert "Measured at output" in (adapters / "mine" / "README.md").read_text()

    out, adapter = tmp_path / "e.json", ["--adapter", str(adapters / "mine")]
    assert main(["evaluate", *model, *adapter, "--trained", train, "--control", control, "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert [item["list"] for item in report["lists"]] == ["trained", "control"]
    assert report["adapter"]["name"] == "mine" and report["layer_name"] == "output"
    assert report["lists"][0]["test"]["n"] == 20
    capsys.readouterr()

    assert main(["generate", *model, *adapter, "--prompt", "maji", "--max-new-tokens", "3"]) == 0
    assert capsys.readouterr().out.strip("\n")

    assert main([*made, "--adapters", str(adapters)]) == 2
    assert "already there" in capsys.readouterr().err


def test_a_dry_run_says_what_a_run_would_learn_from_and_trains_nothing(tiny_folder, lists, tmp_path, capsys):
    asked = ["train", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    asked += ["--preset", "published", "--pilot", "--dry-run", "--adapters", str(tmp_path / "adapters")]
    assert main(asked) == 0
    printed = capsys.readouterr()
    assert "The pilot picks layer" in printed.err and "wrong pairs" in printed.err
    assert "triplets with any gradient" in printed.out and "0.400 (the margin)" in printed.out
    assert not (tmp_path / "adapters").exists()


def test_several_seeds_are_trained_and_their_spread_is_reported(tiny_folder, lists, tmp_path, capsys):
    adapters = tmp_path / "adapters"
    asked = ["train", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    assert main([*asked, "--epochs", "1", "--seeds", "3", "--name", "mine", "--adapters", str(adapters)]) == 0
    printed = capsys.readouterr().out
    assert sorted(path.name for path in adapters.iterdir()) == ["mine-seed0", "mine-seed1", "mine-seed2"]
    records = [json.loads((path / "tli.json").read_text()) for path in sorted(adapters.iterdir())]
    assert [record["config"]["seed"] for record in records] == [0, 1, 2]
    assert "over 3 seeds" in printed and "gap, change" in printed and printed.count("verdicts: ") == 1


def test_each_seed_is_trained_with_its_shuffled_control(tiny_folder, lists, tmp_path, capsys):
    adapters = tmp_path / "adapters"
    asked = ["train", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    asked += ["--epochs", "1", "--with-control", "--name", "mine", "--adapters", str(adapters)]
    assert main([*asked, "--shuffled"]) == 2 and "leave one of them out" in capsys.readouterr().err
    assert main([*asked, "--seeds", "2"]) == 0
    printed = capsys.readouterr().out
    names = ["mine-seed0", "mine-seed0-shuffled", "mine-seed1", "mine-seed1-shuffled"]
    assert sorted(path.name for path in adapters.iterdir()) == names
    configs = [json.loads((adapters / name / "tli.json").read_text())["config"] for name in names]
    trained = [(config["seed"], config["shuffled"]) for config in configs]
    assert trained == [(0, False), (0, True), (1, False), (1, True)]
    told = printed[printed.index("The control list, over 2 seeds:") :]
    assert told.index("under the shuffled translations, over 2 seeds") < told.index("no evidence of learning")
    assert told.count("verdicts: ") == 2
    assert main([*asked, "--seeds", "2"]) == 2 and "already there" in capsys.readouterr().err


def test_in_whatever_order_runs_end_each_is_counted_as_what_it_is(tiny_folder, lists, tmp_path, capsys, monkeypatch):
    """The first seed ends last, and the other's control goes astray: what has ended is saved, and told by its name."""
    real, counted = tli_core.training.loop.train_together, []

    def unordered(loaded, plans):
        ends = []
        for number, item in real(loaded, plans):
            if not isinstance(item, TrainedAdapter):
                yield number, item
            elif number == 3:
                yield number, ValueError("The loss is no number at step 1.")
            else:
                ends.append((number, item))
        yield from reversed(ends)

    monkeypatch.setattr("tli_core.training.loop.train_together", unordered)
    monkeypatch.setattr("tli_core.cli.train._evaluate", lambda *given: counted.append(given[4].name) or [Mock()] * 2)
    adapters = tmp_path / "adapters"
    asked = ["train", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    asked += ["--epochs", "1", "--seeds", "2", "--with-control", "--name", "mine", "--adapters", str(adapters)]
    assert main(asked) == 2
    assert counted == ["mine-seed0", "mine-seed1", "mine-seed0-shuffled"]
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "mine-seed1-shuffled: The loss is no number at step 1. Saved all the same:" in said
    assert sorted(path.name for path in adapters.iterdir()) == ["mine-seed0", "mine-seed0-shuffled", "mine-seed1"]


def test_evaluate_writes_a_report_and_picks_a_layer(tiny_folder, lists, tmp_path, capsys):
    train, control = map(str, lists)
    asked = ["--model", str(tiny_folder)]
    made = ["train", *asked, "--pairs", train, "--control", control, "--epochs", "1", "--name", "mine"]
    assert main([*made, "--adapters", str(tmp_path)]) == 0
    folder = tmp_path / "report"
    asked += ["--adapter", str(tmp_path / "mine"), "--trained", train, "--control", control]
    assert main(["evaluate", *asked, "--layer", "pick", "--answers", "--report", str(folder)]) == 0
    printed = capsys.readouterr()
    report = json.loads((folder / "report.json").read_text())
    assert (
        report["layer_picked_on"] == "trained"
        and report["outputs"]
        and "README.md" in (path.name for path in folder.iterdir())
    )
    assert "was picked on 20 of these pairs" in printed.err and "perplexity on plain Swahili" in printed.out
    # A random model is noise, and everything made with it says so.
    assert "writes noise" in printed.err and any("writes noise" in warning for warning in report["warnings"])
    assert main(["evaluate", *asked, "--report", str(folder)]) == 2
    assert "already there" in capsys.readouterr().err


def test_lint_names_findings_and_writes_the_mended_list(tmp_path, capsys):
    messy, fixed = tmp_path / "messy.csv", tmp_path / "fixed.csv"
    messy.write_text("-bovu, rotten\nbilauri, glass (drinking)\nmaji, water\n")
    assert main(["lint", "--pairs", str(messy), "--fix", str(fixed)]) == 0
    assert "2 findings in 3 pairs, 2 with a fix" in capsys.readouterr().out
    assert fixed.read_text() == "bovu, rotten\nbilauri, glass\nmaji, water\n"
    assert main(["lint", "--pairs", str(messy), "--fix", str(fixed)]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["measure", "--model", "nowhere"], "There is no model 'nowhere'"),
        (["measure", "--pairs", "missing.csv"], "no file of pairs at missing.csv"),
        (["generate", "--model", "lugha-mini", "--adapter", "nobody", "--prompt", "x"], "There is no adapter 'nobody'"),
        (["generate", "--prompt", "x", "--max-new-tokens", "0"], "--max-new-tokens must be 1 to"),
        (["train", "--name", "../up"], "cannot name an adapter"),
        (["train"], "--name is missing"),
        (["train", "--name", "x", "--seeds", "0"], "--seeds must be 1 to 100"),
    ],
)
def test_bad_requests_are_one_line_and_exit_2(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert says in last and last.startswith("python -m tli_core")


def test_a_name_that_is_being_trained_is_refused_before_anything_is_lost(tiny_folder, lists, tmp_path, capsys):
    trained, control = lists
    asked = ["train", "--model", tiny_folder, "--pairs", trained, "--control", control, "--adapters", tmp_path]
    asked = [str(word) for word in (*asked, "--name", "mine", "--epochs", 1, "--layer", 1)]
    with FileLock(tmp_path / ".mine.lock"):
        assert main(asked) == 2
    assert "mine is being trained already: choose another --name" in capsys.readouterr().err
    assert main(asked) == 0 and not [path for path in tmp_path.iterdir() if path.name.endswith(".lock")]


def test_ctrl_c_ends_a_fine_tune_and_keeps_what_is_learnt(tiny_folder, lists, tmp_path, monkeypatch, capsys):
    """Of two that are trained one after the other the second has not begun, and the steps of the first are kept."""

    def pressed(step):
        if step.step:
            signal.raise_signal(signal.SIGINT)
        return f"step {step.step}"

    monkeypatch.setattr("tli_core.cli.train._checked", pressed)
    monkeypatch.setattr("tli_core.training.loop.passes", lambda plans: [[number] for number in range(len(plans))])
    before = signal.getsignal(signal.SIGINT)
    asked = ["train", "--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    asked += ["--epochs", "200", "--seeds", "2", "--name", "mine", "--adapters", str(tmp_path / "adapters")]
    assert main(asked) == 0 and signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr()
    assert "Stopping after this step, and keeping what is learnt" in said.err
    assert "mine-seed1: stopped before its first step" in said.err and "verdict" in said.out
    [kept] = (tmp_path / "adapters").iterdir()
    record = json.loads((kept / "tli.json").read_text())
    assert kept.name == "mine-seed0" and 0 < record["steps"] < record["steps_planned"]


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    def interrupted(asked):
        raise KeyboardInterrupt

    monkeypatch.setattr(bases, "run", interrupted)
    assert main(["bases"]) == INTERRUPTED
    assert capsys.readouterr().err == "python -m tli_core bases: stopped; what was not finished is not kept.\n"


def test_files_are_written_though_nobody_reads_the_table(tiny_folder, lists, tmp_path):
    trained, _ = lists
    command = [sys.executable, "-m", "tli_core", "measure", "--model", tiny_folder, "--pairs", trained]
    with subprocess.Popen([*command, "--out", tmp_path / "out.json"], stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
    assert process.returncode == 0 and json.loads((tmp_path / "out.json").read_text())["layers"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required"),
        (["measure", "--readout", "mean"], "invalid choice"),
        (["evaluate"], "--adapter"),
        (["measure", "--out", "/dev/null/x.json"], "/dev/null/x.json cannot be written (Not a directory): name a"),
        (["measure", "--out", "."], "cannot be written (Is a directory): name a file"),
        (["measure", "--out", "9" * 400], "9… cannot be written (File name too long): name a file"),
        (["measure", "--out", "9" * 250], "9… cannot be written (File name too long): name a file"),
        (["measure", "--adapter", "mini-gentle", "--adapter", "mini-corrected"], "argument --adapter: is given twice"),
        (["sweep", "--report", "x", "--layer", "1", "--layer", "2"], "is given twice; name all its values after one"),
        (["measure", "--seed", "-1"], "a seed is a whole number"),
        (["train", "--name", "x", "--layer", "two"], "a layer is a number or 'output', got 'two'"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(arguments, says, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert says in printed and len(printed.strip().splitlines()) == 1


def test_an_adapter_comes_from_the_hub_and_another_base_is_asked_about(tmp_path, tiny_folder, monkeypatch, capsys):
    hub = shutil.copytree(ROOT / "adapters" / "mini-corrected", tmp_path / "hub" / "run-2").parent
    asked = ["generate", "--prompt", "maji", "--max-new-tokens", "2", "--adapter", "owner/mine/run-2@v1"]
    with serve(hub, "owner/mine") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        assert main(asked) == 0 and "v1" in served.revisions
        assert main([*asked, "--model", str(tiny_folder)]) == 2
        assert "was made for models/lugha-mini" in capsys.readouterr().err
        # Its shapes are compared whatever anybody says.
        assert main([*asked, "--model", str(tiny_folder), "--same-base"]) == 2
        assert "it is for another base" in capsys.readouterr().err
        config = hub / "run-2" / "adapter_config.json"
        config.write_text(config.read_text().replace('"models/lugha-mini"', "null"))
        assert main(asked) == 2 and main([*asked, "--same-base"]) == 0
