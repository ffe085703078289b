"""The published work in one command: its figures, its fine-tunes with their controls, and the report to keep."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from markupsafe import escape

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.cli.main import main
from tli_core.lists.pairs import WordPair
from tli_core.measures.significance import highest
from tli_core.models.loaded_model import LoadedModel
from tli_core.reports.model_card import save_adapter
from tli_core.reports.reproduction import comparable_sentence, pilot_rows, result_tables
from tli_core.reports.reproduction_page import reproduction_html, write_reproduction
from tli_core.reports.training_messages import pilot_sentence
from tli_core.studies import published
from tli_core.studies.reproduction import (
    AT_LAYER,
    AT_OUTPUT,
    CORRECTED,
    PUBLISHED,
    Reproduction,
    planned_runs,
    reproduce,
    shipped_lists,
)

HOSTILE = WordPair("<script>alert(1)</script>", "<img src=x>")


@pytest.fixture(scope="module")
def found(pairs, tmp_path_factory) -> tuple[Reproduction, LoadedModel, list[str]]:
    """The study on a tiny random model, the model afterwards, and what was said meanwhile."""
    tiny, told = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None), []
    folder = tmp_path_factory.mktemp("adapters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tli_core.measures.translation.PROBE_TOKENS", 3)
        study = reproduce(
            tiny, pairs[:20], [*pairs[20:], HOSTILE], lambda made, name: save_adapter(made, folder, name),
            lambda so_far: told.append(f"kept {len(so_far.runs)}"), progress=told.append,
        )  # fmt: skip
    return study, tiny, told


def test_the_published_figures_agree_with_each_other():
    assert len(published.PILOT) == 32
    assert highest(published.PILOT) == published.PILOT_LAYER
    for table in (published.TRAINED, published.CONTROL):
        assert 100 * (table.after / table.before - 1) == pytest.approx(table.percent, abs=0.05)


def test_every_way_of_training_has_its_shuffled_control():
    runs = planned_runs(layer=3, seed=5)
    assert list(runs) == ["as-published", "as-published-shuffled", "corrected", "corrected-shuffled"]
    for name in (PUBLISHED, CORRECTED):
        assert runs[f"{name}-shuffled"] == replace(runs[name], shuffled=True)
    assert runs[PUBLISHED].layer == 3 and runs[CORRECTED].layer == "output"
    assert {config.seed for config in runs.values()} == {5}


def test_shipped_lists_are_as_long_as_the_published_ones_and_share_no_pair():
    trained, control = shipped_lists()
    assert (len(set(trained)), len(set(control))) == (623, 63)
    assert not set(trained) & set(control) and shipped_lists() == (trained, control)


def test_the_study_leaves_the_model_as_it_was_and_tells_what_it_does(found):
    study, tiny, told = found
    assert not tiny.adapters
    assert [run.name for run in study.runs] == list(planned_runs(1, 0))
    for run in study.runs:
        assert told.count(f"{run.name}: step 0 of {run.record['steps']}") == 1
        for place, layer in ((AT_LAYER, study.pilot.layer), (AT_OUTPUT, tiny.blocks)):
            assert {item.layer for item in run.evaluations[place]} == {layer}
            assert run.evaluations[place][0].after.provenance.adapter == run.name
    assert [text for text in told if text.startswith("kept")] == ["kept 1", "kept 2", "kept 3", "kept 4"]
    before = [run.evaluations[AT_LAYER][1].before for run in study.runs]
    assert all(result is before[0] for result in before), "the base is measured once"
    assert {run.record["config"]["shuffled"] for run in study.runs} == {True, False}
    assert set(study.probes) == {PUBLISHED, CORRECTED} and set(study.spaces) == {AT_LAYER, AT_OUTPUT}


def on_the_published_model(study: Reproduction) -> Reproduction:
    """The same study, as if it had been done on the published model."""
    provenance = replace(study.pilot.words.provenance, model="Lugha-Llama/Lugha-Llama-8B-wura")
    return replace(study, pilot=replace(study.pilot, words=replace(study.pilot.words, provenance=provenance)))


def test_published_figures_stand_only_where_they_belong_and_differences_on_their_model_alone(found):
    study, *_ = found
    layers = {row[0].removesuffix(" (picked)"): row[1] for row in pilot_rows(study)[1:]}
    assert layers["block 2"] == "0.99998" and layers["output"] == "–"
    for number, (title, rows) in enumerate(result_tables(study)):
        at_layer = number % 2 == 0
        assert ("word alone" in title) == at_layer and "by chance" in title
        paper = f"{published.PAPER}, layer 2, {63 if number > 1 else 623} pairs"
        assert [row[0] for row in rows[1:]] == [paper] * at_layer + [run.name for run in study.runs]
        assert "differs by" not in rows[0]
    same = on_the_published_model(study)
    assert pilot_rows(same)[0][-1] == "differs by" and pilot_rows(same)[-1][-1] == "–"
    for number, (_, rows) in enumerate(result_tables(same)):
        filled = [row[0] for row in rows[1:] if row[-1]]
        assert rows[0][-1] == "differs by" and filled == ([PUBLISHED] if number % 2 == 0 else [])


def test_what_cannot_be_compared_is_said(found):
    study, *_ = found
    same = on_the_published_model(study)
    assert "model is tiny" in comparable_sentence(study) and "lists are not" in comparable_sentence(study)
    assert "Do not compare" in comparable_sentence(same) and "the model is" not in comparable_sentence(same)
    told = comparable_sentence(replace(same, same_lists=True))
    assert "so figures compare" in told and "4 bits and are in float32" in told


def test_a_published_list_is_known_by_its_bytes_and_its_part(tmp_path):
    path = tmp_path / "list.json"
    path.write_text("[]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.SHA256, published.TRAINED_LIST, hashlib.sha256(b"[]").hexdigest())
        assert published.is_published(path, published.TRAINED_LIST)
        assert not published.is_published(path, published.CONTROL_LIST)
    assert not published.is_published(path, published.TRAINED_LIST)
    assert not published.is_published(None, published.TRAINED_LIST)


def test_the_pilot_calls_a_figure_empty_only_where_wrong_pairs_score_as_high(found):
    pilot = found[0].pilot
    high = replace(pilot, with_bos=replace(pilot.with_bos, mismatched=np.full_like(pilot.with_bos.mismatched, 0.95)))
    low = replace(pilot, with_bos=replace(pilot.with_bos, mismatched=np.full_like(pilot.with_bos.mismatched, 0.5)))
    assert "nothing about translation" in pilot_sentence(high) and "nothing about" not in pilot_sentence(low)
    put = replace(pilot.with_bos.provenance, prefix_token="<s>", prefix_added=True)
    added = replace(pilot, with_bos=replace(pilot.with_bos, provenance=put))
    assert "<s> was put in its place" in pilot_sentence(added) and "in its place" not in pilot_sentence(pilot)


def test_the_report_holds_every_step_and_words_stay_words(found, tmp_path):
    study, *_ = found
    page = write_reproduction(study, tmp_path / "report").read_text()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page and 'src="http' not in page
    for heading in ("The pilot", "Table 1, trained list", "t-SNE", "Probes: base beside corrected"):
        assert heading in page
    assert "no output head" in reproduction_html(replace(study, probes={})) and "no output head" not in page
    whole = json.loads((tmp_path / "report" / "reproduction.json").read_text())
    assert whole["published"]["lists"]["control"]["after"] == 0.4033 and not whole["same_model"]
    control = whole["runs"]["corrected-shuffled"][AT_OUTPUT]["control"]
    assert whole["spaces"][AT_OUTPUT]["partners_nearest"].keys() == {"base", PUBLISHED, CORRECTED}
    assert all(str(escape(warning)) in page for warning in whole["warnings"]) and whole["warnings"]
    assert control["n_pairs"] == 11 and control["before"]["p_at_1_ci95"] and control["readout"] == "spaced"
    assert reproduction_html(study) == page


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (lambda pairs: (pairs[:20], pairs[20:22]), "2 different control pairs"),
        (lambda pairs: ([pairs[0]] * 6, pairs[20:]), "1 different pairs to train on"),
        (lambda pairs: ([pair._replace(target="water") for pair in pairs], pairs), "two different translations"),
    ],
)
def test_lists_that_cannot_serve_are_refused_before_anything_is_done(pairs, of, told):
    tiny = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    with pytest.raises(ValueError, match=told):
        reproduce(tiny, *of(pairs), lambda made, name: pytest.fail("nothing is to be trained"))


def test_the_command_tells_what_it_takes_and_what_is_missing(tiny_folder, pairs, tmp_path, capsys):
    lists = [tmp_path / name for name in (published.TRAINED_LIST, published.CONTROL_LIST)]
    for path, part in zip(lists, (pairs[:20], pairs[20:]), strict=True):
        path.write_text(json.dumps([{"swahili": pair.source, "english": pair.target} for pair in part]))
    given = ["--model", str(tiny_folder), "--pairs", str(lists[0]), "--control", str(lists[1])]
    assert main(["reproduce", *given, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "corrected-shuffled" in told and "The pilot picks layer" in told and "give --report DIR" in told
    assert main(["reproduce", *given, "--report", "/proc/mine"]) == 2
    assert "folder /proc/mine cannot be made" in capsys.readouterr().err
    assert main(["reproduce", *given, "--report", str(tmp_path / "new"), "--load", "first-blocks"]) == 2
    assert "reads every layer" in capsys.readouterr().err
    (tmp_path / "new").mkdir()  # as a model leaves it that cannot be loaded
    assert main(["reproduce", *given]) == 2 and "--report is missing" in capsys.readouterr().err
    assert main(["reproduce", *given[:4], "--report", str(tmp_path / "new")]) == 2
    assert "both --pairs and --control" in capsys.readouterr().err
    assert main(["reproduce", *given, "--report", str(tmp_path)]) == 2
    assert "already there" in capsys.readouterr().err
    assert main(["reproduce", *given, "--report", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out
    assert "the word lists are not the published ones" in told and "Report: " in told
    assert sorted(path.name for path in (tmp_path / "new" / "adapters").iterdir()) == sorted(planned_runs(1, 0))


def test_on_lugha_mini_only_the_corrected_way_passes_its_control(tmp_path, capsys):
    """The lesson of the project, from start to end, as the README has it."""
    assert main(["reproduce", "--report", str(tmp_path / "study")]) == 0
    whole = json.loads((tmp_path / "study" / "reproduction.json").read_text())

    def control(run: str, place: str) -> dict:
        return whole["runs"][run][place]["control"]

    assert control("corrected", AT_OUTPUT)["verdict"] == "improved"
    assert control("as-published", AT_LAYER)["verdict"] != "improved" != control("as-published", AT_OUTPUT)["verdict"]
    for shuffled in ("as-published-shuffled", "corrected-shuffled"):
        found, true = control(shuffled, AT_OUTPUT), control("as-published", AT_OUTPUT)
        assert found["verdict"] == "collapsed" and found["test"]["percent"] > true["test"]["percent"]
