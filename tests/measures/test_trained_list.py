"""Which pairs an adapter has seen, by its record: nothing else is taken for its training list, or for unseen words."""

import json

import pytest

from tests.conftest import character_tokenizer, tiny_llama
from tests.planted import unlike_pairs
from tli_core.cli.main import main
from tli_core.lists.lexicon import shipped
from tli_core.measures.before_after import compare_lists, evaluate_lists
from tli_core.measures.trained_list import TRAINED_ON, digests, shipped_training_list
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.registry import ADAPTERS
from tli_core.reports.model_card import save_adapter
from tli_core.reports.notices import worded
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

TRAINED = unlike_pairs(30)[:16]
UNSEEN = unlike_pairs(30)[16:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    loaded = LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)
    *_, trained = train_adapter(loaded, TRAINED, configured("published", epochs=1), UNSEEN)
    return save_adapter(trained, tmp_path_factory.mktemp("made"), "mine")


@pytest.fixture
def key(tiny, folder):
    return tiny.add_adapter(folder).key


def said(tiny, trained, control, key) -> tuple[list[str], list[str]]:
    """What is said against the trained and the control list."""
    first, second = evaluate_lists(tiny, trained, control, key)
    return tuple([worded(warning) for warning in item.of_record] for item in (first, second))


def test_an_adapter_beside_its_own_list_and_unseen_words_is_above_suspicion(tiny, key):
    assert tiny.adapters[key].record[TRAINED_ON] == digests(reversed(TRAINED))
    assert said(tiny, TRAINED, UNSEEN, key) == ([], [])


def test_another_list_than_its_own_and_words_that_it_has_seen_are_told(tiny, key):
    [of_trained], [of_control] = said(tiny, UNSEEN[:8], [*TRAINED[:5], *UNSEEN[8:]], key)
    assert "These 8 pairs are not the list that the adapter was trained on: 0 of its 16 are among them" in of_trained
    assert of_control.startswith("5 of these 11 pairs are pairs that the adapter was trained on")


def test_what_is_told_holds_at_every_layer(tiny, key):
    lists = evaluate_lists(tiny, UNSEEN[:8], TRAINED, key)
    results = [result for item in lists for result in (item.before, item.after)]
    moved = compare_lists(*results, layer=1, of_record=tuple(item.of_record for item in lists))
    for item, before in zip(moved, lists, strict=True):
        assert item.of_record == before.of_record and set(item.of_record) <= set(item.warnings)


def test_of_an_adapter_without_a_record_nobody_can_tell(tiny, key):
    tiny.adapters[key].record.pop(TRAINED_ON)
    assert "nobody can tell from it whether it has seen these" in said(tiny, TRAINED, UNSEEN, key)[1][0]


@pytest.mark.parametrize("name", ["mini-corrected", "mini-gentle", "mini-published", "mini-shuffled"])
def test_bundled_adapters_were_trained_on_the_shipped_list(name):
    record = json.loads((ADAPTERS / name / "tli.json").read_text(encoding="utf-8"))
    assert shipped_training_list(name, record, "sw-en") == shipped("train")
    # Of a record that is older than digests the number tells.
    older = {key: value for key, value in record.items() if key != TRAINED_ON}
    assert shipped_training_list(name, older, "sw-en") == shipped("train")
    for other in ({**record, TRAINED_ON: digests(TRAINED)}, {**older, "pairs": 60}):
        with pytest.raises(ValueError, match=r"was trained on \d\d pairs that are not those of the shipped"):
            shipped_training_list(name, other, "sw-en")
    assert shipped_training_list("from elsewhere", {}, "sw-en") == shipped("train")


def test_the_command_takes_no_list_for_an_adapter_s_own(tiny_folder, tmp_path, capsys):
    rows = [f"{pair.source},{pair.target}" for pair in TRAINED]
    mine, made, model = tmp_path / "mine.csv", tmp_path / "made", ["--model", str(tiny_folder)]
    mine.write_text("\n".join(["swahili,english", *rows]), encoding="utf-8")
    lists = ["--pairs", str(mine), "--control", str(mine)]
    assert main(["train", *model, *lists, "--epochs", "1", "--name", "mine", "--adapters", str(made)]) == 0
    assert (
        "Note: control: 16 Swahili and 16 English words of the control list are also in the" in capsys.readouterr().err
    )
    asked = ["evaluate", *model, "--adapter", str(made / "mine"), "--control", str(mine)]
    assert main(asked) == 2
    assert "was trained on 16 pairs that are not those of the shipped training list" in capsys.readouterr().err
    assert main([*asked, "--trained", str(mine)]) == 0
