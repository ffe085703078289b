"""Languages of fine-tunes and evaluations: those of the pairs, or one sentence says that they are others."""

import json
from pathlib import Path

import pytest

from tli_core.lists.lexicon import shipped
from ui.server.training_run import held_out, shipped_to_train
from ui.server.visitors import BASE, OwnAdapter, Visitor


@pytest.fixture
def french(tmp_path: Path) -> OwnAdapter:
    """An adapter of lugha-mini that says that it was trained on French and English."""
    record = {"base": {"model": "lugha-mini", "languages": "fr-en"}, "config": {}}
    source = json.loads(Path("adapters/mini-corrected/tli.json").read_text(encoding="utf-8"))
    (tmp_path / "tli.json").write_text(json.dumps({**source, "base": {**source["base"], **record["base"]}}))
    return OwnAdapter("lugha-mini", tmp_path, shipped("control", "fr-en")[:5])


def test_an_adapters_own_pairs_are_read_in_its_own_languages_alone(french):
    visitor = Visitor(trained={"mine": french})
    assert visitor.languages_of("lugha-mini", "mine") == "fr-en"
    assert visitor.trained_on("lugha-mini", "mine") == french.pairs
    visitor.check_languages("lugha-mini", "mine", "fr-en")
    with pytest.raises(ValueError, match="mine was trained on French and English"):
        visitor.check_languages("lugha-mini", "mine", "sw-en")
    assert visitor.languages_of("lugha-mini", "mini-corrected") == "sw-en" == visitor.languages_of("lugha-mini", BASE)


def test_a_name_is_an_adapter_of_its_own_base_only(french):
    other = OwnAdapter("another", french.folder, french.pairs)
    visitor = Visitor(trained={"mini-corrected": other})
    assert visitor.trained_on("lugha-mini", "mini-corrected") == shipped("train")
    assert visitor.languages_of("lugha-mini", "mini-corrected") == "sw-en"


def test_languages_without_shipped_pairs_are_refused_before_a_run():
    assert held_out(shipped("train", "fr-en"), "fr-en") == shipped("control", "fr-en")
    with pytest.raises(ValueError, match="No control pairs of German and English ship"):
        held_out((), "de-en")
    with pytest.raises(ValueError, match="No pairs of English and English to train on ship"):
        shipped_to_train("en-en")
