"""The bundled model: what plain transformers makes of it, and its size on disk."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tli_core.lists.lexicon import shipped
from tli_core.measures.before_after import evaluate
from tli_core.measures.generation import continuations
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import KNOWN_MODELS, find_adapter, shipped_adapters

FOLDER = KNOWN_MODELS["lugha-mini"]


@pytest.fixture(scope="module")
def mini() -> LoadedModel:
    return load_model("lugha-mini", Placement("cpu"))


def test_plain_transformers_loads_it_whole():
    model, info = AutoModelForCausalLM.from_pretrained(FOLDER, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert model.config.architectures == ["LlamaForCausalLM"] and 8 <= model.config.num_hidden_layers <= 12
    assert model.dtype in (torch.bfloat16, torch.float16)


def test_its_files_are_small_enough_for_any_git_host():
    from pathlib import Path

    files = [file for file in Path(FOLDER).rglob("*") if file.is_file()]
    assert all(file.stat().st_size < 10_000_000 for file in files)
    assert sum(file.stat().st_size for file in files) <= 24_000_000


def test_its_tokenizer_adds_bos_and_gives_every_text_back():
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    for text in ("Habari za asubuhi, ng'ombe 123!", "naïve café — 日本", " two  spaces\n"):
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id and tokenizer.decode(ids, skip_special_tokens=True) == text


def test_it_translates_everyday_words(mini):
    with mini.using(None) as model:
        answers = continuations(model, mini.tokenizer, ["Swahili: maji\nEnglish:", "English: water\nSwahili:"], 8)
    assert [answer.strip() for answer in answers] == ["water", "maji"]


@pytest.mark.parametrize("name", ["mini-corrected", "mini-published", "mini-shuffled"])
def test_the_bundled_adapters_fit_it_and_tell_how_they_were_made(mini, name):
    assert name in shipped_adapters(base="lugha-mini")
    adapter = mini.add_adapter(find_adapter(name))
    assert adapter.record["base"]["revision"] == mini.revision
    assert adapter.record["config"]["shuffled"] == (name == "mini-shuffled")
    assert len(adapter.blocks) == adapter.record["blocks_trained"]
    assert adapter.record["pairs"] == len(shipped("train"))
    mini.drop(adapter.key)


@pytest.mark.parametrize(
    ("name", "said"), [("mini-corrected", "improved"), ("mini-published", "collapsed"), ("mini-shuffled", "collapsed")]
)
def test_the_bundled_adapters_get_the_verdict_they_deserve(mini, name, said):
    adapter = mini.add_adapter(find_adapter(name)).key
    item = evaluate(mini, "control", shipped("control"), adapter)
    assert item.change.verdict == said
    # The published test is passed by all three, the shuffled control most clearly of all.
    assert item.test.difference > 0 and item.test.p_t < 1e-5
    mini.drop(adapter)
