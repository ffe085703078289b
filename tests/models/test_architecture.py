"""Every family, on a tiny random model: its parts are found, and every layer is transformers' own."""

import pytest
import torch
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.conftest import LETTERS, character_tokenizer
from tli_core.encoding.pooled_states import pooled_states
from tli_core.models import architecture
from tli_core.models.architecture import FAMILIES
from tli_core.models.loaded_model import LoadedModel, load_model

WORDS = ("maji", "moto", "ng'ombe", "a", "haba na haba")
SHAPE = {
    "vocab_size": len(LETTERS) + 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
    "initializer_range": 0.2,
}


def tiny(family: str) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SHAPE)).eval()


@pytest.fixture(params=FAMILIES)
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    return LoadedModel(tiny(request.param), character_tokenizer(), request.param, None)


def last_token_states(loaded: LoadedModel, adapter: str | None, word: str) -> torch.Tensor:
    """transformers' hidden states of a word's last token: (layers, d)."""
    ids = torch.tensor([loaded.tokenizer(word)["input_ids"]])
    with torch.no_grad(), loaded.using(adapter) as model:
        return torch.stack(model(ids, output_hidden_states=True).hidden_states)[:, 0, -1]


@pytest.mark.parametrize("with_lora", [False, True])
def test_every_layer_is_transformers_own(loaded, with_lora):
    key = None
    if with_lora:
        matrices = architecture.FAMILIES[loaded.name].matrices
        key = loaded.new_adapter(LoraConfig(r=2, target_modules=list(matrices), init_lora_weights=False))
    with loaded.using(key) as model:
        ours = pooled_states(model, loaded.tokenizer, WORDS, "last").vectors  # (layers, n, d)
    for i, word in enumerate(WORDS):
        theirs = last_token_states(loaded, key, word)
        for layer, (mine, right) in enumerate(zip(ours[:, i], theirs, strict=True)):
            assert (mine - right).norm() / right.norm() < 1e-5, (word, layer)


def test_parts_are_where_the_family_says(loaded):
    with loaded.using(None) as model:
        assert len(architecture.blocks(model)) == loaded.blocks == SHAPE["num_hidden_layers"]
        assert architecture.has_head(model) and architecture.has_final_norm(model)
        assert architecture.embeddings(model) is model.get_input_embeddings()
        assert architecture.is_plain_rms_norm(architecture.final_norm(model))
        names = {name.rpartition(".")[2] for name, _ in architecture.blocks(model)[0].named_modules()}
        assert names >= set(architecture.family_of(model).matrices)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_blocks_of_a_folder_are_those_of_the_whole(family, tmp_path):
    tiny(family).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    from tli_core.models.placement import Placement

    states = []
    for blocks in (None, 2):
        loaded = load_model(str(tmp_path), Placement("cpu", blocks))
        with loaded.using(None) as model:
            states.append(pooled_states(model, loaded.tokenizer, WORDS, upto=2).vectors)
    torch.testing.assert_close(states[0], states[1])
