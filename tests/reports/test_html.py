"""The report folder: every number, its provenance, the same bytes again, and words that stay words."""

import csv
import json
import re
from dataclasses import replace

import pytest
from markupsafe import escape
from plotly.offline import get_plotlyjs

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.lists.pairs import WordPair
from tli_core.measures.before_after import EvaluationReport, evaluate_lists, report_of, with_answers
from tli_core.models.loaded_model import LoadedModel
from tli_core.notices import notice
from tli_core.reports.html import provenance_line, report_html, write_report
from tli_core.reports.model_card import save_adapter
from tli_core.reports.notices import worded
from tli_core.reports.tables import mover_rows, output_rows
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

HOSTILE = WordPair("<script>alert(1)</script>", "=HYPERLINK(1)")


@pytest.fixture(scope="module")
def report(pairs, tmp_path_factory) -> tuple[EvaluationReport, dict]:
    tiny = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    config = configured("corrected", layer=2, batch_size=10, epochs=2, learning_rate=5e-3)
    *_, trained = train_adapter(tiny, pairs[:20], config)
    adapter = tiny.add_adapter(save_adapter(trained, tmp_path_factory.mktemp("adapters"), "mine"))
    evaluations = evaluate_lists(tiny, pairs[:20], [*pairs[20:], HOSTILE], adapter.key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tli_core.measures.translation.PROBE_TOKENS", 3)
        return with_answers(tiny, report_of(tiny, evaluations, adapter.key), adapter.key), adapter.record


def test_the_folder_holds_every_number_and_the_card(report, tmp_path):
    found, record = report
    page = write_report(found, tmp_path / "report", record)
    assert {path.name for path in page.parent.iterdir()} == {
        "report.html", "report.json", "layers.csv", "pairs.csv", "README.md",
    }  # fmt: skip
    whole = json.loads((page.parent / "report.json").read_text())
    control = whole["lists"][1]
    assert control["list"] == "control" and len(control["pairs"]) == 11 and len(control["layers"]["before"]) == 4
    assert len(control["layers"]["difference"]["gap_ci95"]) == 4 and len(control["wrong_percentiles"]["after"]) == 101
    assert control["pairs"][0]["source_subwords"] == list("kula")
    assert {"prefix_share", "rogue_share", "verdict"} <= set(control["layers"]["after"][0])
    assert len(whole["probes"]) == 42 and whole["outputs"]["after"]["glosses"]["to_target"]["candidates"] > 200
    assert control["provenance"]["before"]["adapter"] is None and whole["provenance"]["adapter"] == "mine"
    layers = list(csv.DictReader((page.parent / "layers.csv").open()))
    assert len(layers) == 2 * 2 * 4
    assert float(layers[-1]["matched"]) == pytest.approx(found.evaluations[1].after.matched[3])
    assert "## Measured at output" in (page.parent / "README.md").read_text()


def test_the_same_report_has_the_same_bytes(report, tmp_path):
    first, second = (write_report(report[0], tmp_path / name).parent for name in ("a", "b"))
    for name in ("report.html", "report.json", "layers.csv", "pairs.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_page_asks_nothing_of_the_net_and_names_its_sources(report):
    page = report_html(report[0]).replace(get_plotlyjs(), "")
    assert not re.findall(r'(?:src|href)="|https?://', page)
    assert page.count('class="provenance"') >= 10 and "adapter mine (sha256 " in page and "n = 20" in page
    assert "The paper&#39;s table" in page or "The paper's table" in page


def test_notices_are_sentences_and_say_of_which_model_they_are(report):
    found = report[0]
    first, second = found.evaluations
    odd = replace(second, after=replace(second.after, warnings=(*second.before.warnings, notice("few_topics", n=3))))
    item = replace(found, evaluations=(first, odd))
    page = report_html(item)
    assert (
        item.warnings
        and all(str(escape(worded(warning))) in page for warning in item.warnings)
        and "Notice(" not in page
    )
    assert any(worded(warning).startswith("control, adapter: The list names 3 topics") for warning in item.warnings)


def test_words_stay_words_in_page_and_spreadsheet(report, tmp_path):
    page = write_report(report[0], tmp_path / "report")
    assert "<script>alert(1)" not in page.read_text()
    row = next(r for r in csv.DictReader((page.parent / "pairs.csv").open()) if "script" in r["source"])
    assert row["target"] == "'=HYPERLINK(1)"


def test_a_report_never_overwrites_another(report, tmp_path):
    write_report(report[0], tmp_path / "report")
    with pytest.raises(ValueError, match="already there"):
        write_report(report[0], tmp_path / "report")


def test_the_rows_say_what_was_found(report):
    found, _ = report
    rows = {row[0].strip(): row[1:] for row in output_rows(*found.outputs)}
    assert rows["greedy translation to English, right"][0] == f"{found.outputs[0].greedy.to_target:.3f}"
    moved = mover_rows(found, found.evaluations[0], 3)
    assert moved[0][1:4] == ("Swahili", "English", "pieces") and len(moved) <= 7
    assert provenance_line(found.provenance).startswith("tiny (revision unknown), float32, adapter mine")
