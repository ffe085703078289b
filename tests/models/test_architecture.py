"""Every family, on a tiny random model: its parts are found, and what is computed is transformers' and PEFT's own."""

import pytest
import torch
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM

from tests.conftest import character_tokenizer
from tests.models.families import SHAPE, tiny
from tli_core.encoding.pooled_states import pooled_states
from tli_core.measures.translation import gloss_log_probabilities
from tli_core.models import architecture
from tli_core.models.architecture import FAMILIES, FULL, SLIDING
from tli_core.models.kernels.arithmetic import choose_kernels
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.reports.model_card import save_adapter
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

WORDS = ("maji", "moto", "ng'ombe", "a", "haba na haba")


@pytest.fixture(params=FAMILIES)
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    return LoadedModel(tiny(request.param), character_tokenizer(), request.param, None)


def last_token_states(model, tokenizer, word: str) -> torch.Tensor:
    """transformers' hidden states of a word's last token: (layers, d)."""
    ids = torch.tensor([tokenizer(word)["input_ids"]])
    with torch.no_grad():
        return torch.stack(model(ids, output_hidden_states=True).hidden_states)[:, 0, -1]


def assert_same_layers(ours: torch.Tensor, model, tokenizer) -> None:
    """Our vectors of WORDS, (layers, n, d), are transformers' at every layer that we have."""
    for i, word in enumerate(WORDS):
        theirs = last_token_states(model, tokenizer, word)
        for layer, (mine, right) in enumerate(zip(ours[:, i], theirs, strict=True)):
            assert (mine - right).norm() / right.norm() < 1e-5, (word, layer)


@pytest.mark.parametrize("with_lora", [False, True])
def test_every_layer_is_transformers_own(loaded, with_lora):
    key = None
    if with_lora:
        matrices = architecture.FAMILIES[loaded.name].matrices
        key = loaded.new_adapter(LoraConfig(r=2, target_modules=list(matrices), init_lora_weights=False))
    with loaded.using(key) as model:
        ours = pooled_states(model, loaded.tokenizer, WORDS, "last").vectors  # (layers, n, d)
        assert_same_layers(ours, model, loaded.tokenizer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_with_its_kernels_computes_the_same(loaded):
    with loaded.using(None) as model:
        here = pooled_states(model, loaded.tokenizer, WORDS).vectors
    model = tiny(loaded.name).to("cuda")
    choose_kernels(model, torch.device("cuda"))
    there = pooled_states(model, loaded.tokenizer, WORDS).vectors
    torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-4)


def test_a_gloss_is_as_likely_as_the_whole_model_says(loaded):
    """Through the head, its scale and its cap."""
    with loaded.using(None) as model, torch.no_grad():
        found = gloss_log_probabilities(model, loaded.tokenizer, ["maji ="], ["water", "wine"])[0]
        for gloss, ours in zip(("water", "wine"), found, strict=True):
            prompt = loaded.tokenizer("maji =")["input_ids"]
            ids = torch.tensor([prompt + loaded.tokenizer(f" {gloss}", add_special_tokens=False)["input_ids"]])
            steps = model(ids).logits[0].log_softmax(dim=-1)[len(prompt) - 1 : -1]
            theirs = steps.gather(1, ids[0, len(prompt) :, None]).sum()
            assert ours == pytest.approx(float(theirs), abs=1e-4)


def test_parts_are_where_the_family_says(loaded):
    with loaded.using(None) as model:
        assert len(architecture.blocks(model)) == loaded.blocks == SHAPE["num_hidden_layers"]
        assert architecture.has_head(model) and architecture.has_final_norm(model)
        assert architecture.embeddings(model) is model.get_input_embeddings()
        assert architecture.is_plain_rms_norm(architecture.final_norm(model)) == bool(FAMILIES[loaded.name].rms_norms)
        names = {name.rpartition(".")[2] for name, _ in architecture.blocks(model)[0].named_modules()}
        assert names >= set(architecture.family_of(model).matrices)


def test_windows_are_where_transformers_has_them(loaded):
    kinds = architecture.kinds_of_blocks(loaded._model)
    mixed = (SLIDING, FULL, SLIDING)
    expected = {"llama": (FULL,) * 3, "olmo2": (FULL,) * 3, "mistral": (SLIDING,) * 3}
    assert kinds == expected.get(loaded.name, mixed)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_blocks_of_a_folder_are_those_of_the_whole(family, tmp_path):
    tiny(family).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    states = []
    for blocks in (None, 2):
        loaded = load_model(str(tmp_path), Placement("cpu", blocks))
        with loaded.using(None) as model:
            states.append(pooled_states(model, loaded.tokenizer, WORDS, "last", upto=2).vectors)
    torch.testing.assert_close(states[0], states[1])
    # Read tensor by tensor, the whole is what transformers reads.
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    whole = load_model(str(tmp_path), Placement("cpu"))
    with whole.using(None) as model:
        assert_same_layers(pooled_states(model, whole.tokenizer, WORDS, "last").vectors, theirs, whole.tokenizer)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_is_trained_saved_and_read_as_peft_reads_it(family, pairs, tmp_path):
    loaded = LoadedModel(tiny(family), character_tokenizer(), family, None)
    config = configured("corrected", layer=2, batch_size=10, epochs=2, learning_rate=5e-2)
    *_, trained = train_adapter(loaded, pairs, config, pairs[:4])
    folder = save_adapter(trained, tmp_path, "mine")
    key = loaded.add_adapter(folder).key
    with loaded.using(key) as model:
        ours = pooled_states(model, loaded.tokenizer, WORDS, "last").vectors
    theirs = PeftModel.from_pretrained(tiny(family), folder)
    assert_same_layers(ours, theirs, loaded.tokenizer)
    with loaded.using(None) as model:
        base = pooled_states(model, loaded.tokenizer, WORDS, "last").vectors
    assert not torch.allclose(base[2], ours[2], atol=1e-3) and torch.equal(base[0], ours[0])
