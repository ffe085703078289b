"""JSON, tables, sentences, figures and adapter folders made from results."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file
from scipy import stats

from tli_core.i18n import SWAHILI, in_language
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.before_after import EvaluationReport, compare, evaluate
from tli_core.measures.verdicts import verdict
from tli_core.reports.charts import curve_chart
from tli_core.reports.figures import chart_figure
from tli_core.reports.json_csv import alignment_json, evaluation_json, evaluation_summary, write_json
from tli_core.reports.messages import best_layer, change_sentence, curve_sentence
from tli_core.reports.model_card import save_adapter
from tli_core.reports.notices import worded
from tli_core.reports.tables import alignment_rows, alignment_table, evaluation_table
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured
from tli_core.training.run import TrainedAdapter

QUICK = configured("corrected", layer=2, batch_size=10, epochs=3, learning_rate=5e-3)


@pytest.fixture
def run(tiny, pairs):
    *steps, trained = train_adapter(tiny, pairs, QUICK, pairs[:8])
    return steps, trained


def test_the_measure_json_has_its_published_shape(tiny, pairs):
    report = alignment_json(measure(tiny, pairs))
    assert report["schema"] == 3 and report["n_pairs"] == 30 and report["adapter"] is None
    assert report["model"]["name"] == "tiny" and report["readout"] == "spaced"
    assert [layer["name"] for layer in report["layers"]] == ["embeddings", "block 1", "block 2", "output"]
    last = report["layers"][-1]
    assert last["layer"] == 3 and set(last) >= {
        "matched", "matched_ci95", "mismatched", "mismatched_band", "gap", "centred",
        "p_at_1", "p_at_5", "mrr", "csls_p_at_1", "mexa",
    }  # fmt: skip
    assert set(last["p_at_1"]) == {"to_target", "to_source"} and len(last["mismatched_band"]) == 2
    assert report["pairs"][0]["source"] == "maji" and len(report["pairs"][0]["cosine"]) == 4
    assert report["pool"]["size"] == {"to_target": 30, "to_source": 30}
    assert report["pool"]["chance"] == pytest.approx({"to_target": 1 / 30, "to_source": 1 / 30})
    assert set(report["pool"]["spelling_alone"]) == {"to_target", "to_source"}
    assert report["provenance"]["versions"]["torch"]


def test_the_measure_json_is_enough_to_reckon_its_figures_by_hand(tiny, pairs):
    """Means, and their intervals where no two pairs share a word, from what the file says of each pair."""
    report = alignment_json(measure(tiny, pairs))
    given = report["pairs"]
    assert len({pair["group"] for pair in given}) == len(given) == 30
    for i, layer in enumerate(report["layers"]):
        for way in ("to_target", "to_source"):
            ranks = np.array([pair["rank"][way][i] for pair in given])
            assert layer["p_at_1"][way] == pytest.approx((ranks == 1).mean())
            assert layer["p_at_5"][way] == pytest.approx((ranks <= 5).mean())
            by_csls = np.array([pair["csls_rank"][way][i] for pair in given])
            assert layer["csls_p_at_1"][way] == pytest.approx((by_csls == 1).mean())
            assert layer["mrr"][way] == pytest.approx((1 / ranks).mean())
            wilson = stats.binomtest(int((ranks == 1).sum()), 30).proportion_ci(method="wilson")
            assert layer["p_at_1_ci95"][way] == pytest.approx(tuple(wilson), abs=0.002)
        for key in ("mexa", "p_at_1_centred", "p_at_1_standardised"):
            assert layer[key] == pytest.approx(np.mean([pair[key][i] for pair in given])), key
        gaps = np.array([pair["gap"][i] for pair in given])
        assert layer["gap"] == pytest.approx(gaps.mean(), abs=1e-6)
        assert layer["gap_ci95"] == pytest.approx(stats.t.interval(0.95, 29, gaps.mean(), stats.sem(gaps)), abs=1e-6)


def test_pairs_that_share_a_word_are_of_one_group_in_the_file(tiny):
    report = alignment_json(
        measure(tiny, [WordPair("maji", "water"), WordPair("mti", "tree"), WordPair("maji", "wet")])
    )
    first, other, third = (pair["group"] for pair in report["pairs"])
    assert first == third != other


def test_the_measure_json_says_that_a_list_is_short(tiny, pairs):
    of_short, of_long = (alignment_json(measure(tiny, pairs[:n]))["warnings"] for n in (5, 30))
    assert any(text.startswith("The list is short (5 of") for text in of_short)
    assert not any("are few" in text for text in of_long)


def test_an_evaluation_says_of_its_last_list_where_it_comes_from(tiny, pairs):
    trained, control = measure(tiny, pairs), measure(tiny, pairs[:21])
    items = compare("trained", trained, trained, "output"), compare("control", control, control, "output")
    assert evaluation_json(EvaluationReport(items, {}, control))["provenance"]["n"] == 21


def test_what_is_not_a_number_is_null(tiny, tmp_path):
    report = alignment_json(measure(tiny, [WordPair("maji", "water")]))
    assert report["layers"][0]["gap_ci95"] == [None, None] and report["warnings"]
    write_json(report, tmp_path / "new" / "report.json")
    assert json.loads((tmp_path / "new" / "report.json").read_text())["layers"][0]["matched_ci95"] == [None, None]


def test_the_same_inputs_give_the_same_bytes(tiny, pairs):
    assert json.dumps(alignment_json(measure(tiny, pairs))) == json.dumps(alignment_json(measure(tiny, pairs)))


def test_an_adapter_folder_is_pefts_and_tells_how_it_was_made(tiny, pairs, run, tmp_path):
    steps, trained = run
    folder = save_adapter(trained, tmp_path, "mine")
    assert {file.name for file in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "tli.json", "README.md",
    }  # fmt: skip
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["layers_to_transform"] == [0, 1] and config["inference_mode"]
    record = json.loads((folder / "tli.json").read_text())
    assert record["config"]["preset"] == "corrected" and len(record["losses"]) == record["steps"] == steps[-1].step
    assert record["held_out"][-1]["step"] == record["steps"]
    assert all(
        name.startswith("base_model.model.model.layers.") for name in load_file(folder / "adapter_model.safetensors")
    )
    with pytest.raises(ValueError, match="already there"):
        save_adapter(trained, tmp_path, "mine")


def test_a_saved_adapter_loads_to_what_was_trained(tiny, pairs, run, tmp_path, monkeypatch):
    steps, trained = run
    key = tiny.add_adapter(save_adapter(trained, tmp_path, "mine")).key
    monkeypatch.setattr("tli_core.measures.wrong_pairs.FEW_PAIRS", 1)
    result = measure(tiny, pairs[:8], key)
    assert result.matched[2] == pytest.approx(steps[-1].check.matched, abs=1e-5)
    assert result.mismatched[2] == pytest.approx(steps[-1].check.mismatched, abs=1e-5)
    assert result.retrieval["to_target"].p_at_1[2] == pytest.approx(steps[-1].check.p_at_1)


def test_tables_and_sentences_carry_the_control(tiny, pairs, run, tmp_path):
    key = tiny.add_adapter(save_adapter(run[1], tmp_path, "mine")).key
    item = evaluate(tiny, "control", pairs, key)
    table = evaluation_table([item])
    assert all(
        word in table for word in ("matched before", "mismatched before", "P@1", "permutation p", "chance", "verdict")
    )
    assert f"{item.test.difference:+.4f}" in table
    assert "wrong pairs" in curve_sentence(item.before, "tiny").lower() or "wrong ones" in curve_sentence(
        item.before, "tiny"
    )
    assert "mismatched" in change_sentence(item) and "chance" in change_sentence(item)
    assert len(alignment_table(item.before).splitlines()) == 5
    report = evaluation_json(EvaluationReport((item,), {}, item.before))
    assert report["adapter"]["name"] == "mine" and report["lists"][0]["before"]["name"] == "output"
    assert json.dumps(report, allow_nan=False)


def test_a_short_list_is_told_against_the_wrong_pairs_of_its_curve_and_called_a_hint(tiny, pairs):
    few, many = measure(tiny, pairs[:5]), measure(tiny, pairs)
    assert "From 5 pairs this is a hint" in curve_sentence(few, "tiny")
    assert "A single pair is a hint" in curve_sentence(measure(tiny, pairs[:1]), "tiny")
    assert "hint" not in curve_sentence(many, "tiny")
    assert "From 5 pairs this is a hint" in change_sentence(compare("x", few, few, "output"))
    assert "hint" not in change_sentence(compare("x", many, many, "output"))


@pytest.mark.parametrize("n", [5, 30])
def test_a_number_is_the_same_wherever_it_is_shown(n, tiny, pairs):
    """Table, file, curve, pair table, sentence and verdict: one field each, of a short list and of a long one."""
    result = measure(tiny, pairs[:n])
    layers = alignment_json(result)["layers"]
    assert result.wrong_from == alignment_json(result)["wrong_pairs_from"] == ("list" if n == 30 else "reference pool")
    drawn = {trace.name: trace.y for trace in chart_figure(curve_chart([("tiny", result)])).data if trace.name}
    heading, *rows = alignment_rows(result)
    for i, (layer, cells) in enumerate(zip(layers, rows, strict=True)):
        row = dict(zip(heading, cells, strict=True))
        for key in ("matched", "mismatched", "gap"):
            assert float(row[key].split()[0]) == pytest.approx(layer[key], abs=6e-4)
        assert layer["gap"] == pytest.approx(layer["matched"] - layer["mismatched"])
        assert (
            layer["mismatched"] == drawn["tiny: wrong pairs"][i] and layer["matched"] == drawn["tiny: right pairs"][i]
        )
        assert layer["verdict"] == verdict(result, i) == row["verdict"]
        low, high = layer["mismatched_band"]
        assert row["mismatched"].endswith(f"[{low:.3f}, {high:.3f}]")
        # The mean over pairs of each one's wrong partners, which is what a pair's row and its gain are held against.
        assert result.wrong_cosine[:, i].mean() == pytest.approx(layer["mismatched"], abs=0.01)
    moved = compare("x", result, result, "output")
    assert evaluation_summary(moved)["before"] == layers[-1]
    assert f"{layers[best_layer(result)]['mismatched']:.2f} for wrong ones" in curve_sentence(result, "tiny")


def test_a_result_is_told_in_the_language_of_whoever_reads_it_and_filed_in_english(tiny, pairs):
    with in_language(SWAHILI):
        result = measure(tiny, [WordPair("maji", "maji"), *pairs[:4]])
        told = next(warning for warning in result.warnings if "alike" in dict(warning.values))
        assert "jozi" in worded(told)
        assert any(text.startswith("Spelt the same") for text in alignment_json(result)["warnings"])
    assert worded(told).startswith("Spelt the same in both languages")


def test_comparing_different_pairs_is_refused(tiny, pairs):
    with pytest.raises(ValueError, match="same pairs"):
        compare("x", measure(tiny, pairs[:5]), measure(tiny, pairs[5:10]), "output")
    with pytest.raises(ValueError, match="no layer 7"):
        compare("x", measure(tiny, pairs[:5]), measure(tiny, pairs[:5]), 7)


def test_shuffled_runs_say_so_in_their_card(tiny, pairs, tmp_path):
    *_, trained = train_adapter(tiny, pairs, replace(QUICK, shuffled=True, epochs=1))
    assert isinstance(trained, TrainedAdapter)
    card = (save_adapter(trained, tmp_path, "control") / "README.md").read_text()
    assert "shuffled translations" in card and card.startswith("---\nbase_model: tiny")
