"""The text part of a model that also reads pictures, as Gemma 3 from 4B on, in both layouts of its tensors."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from tests.conftest import character_tokenizer
from tests.models.families import PARTICULARS, SHAPE
from tests.models.test_architecture import assert_same_layers
from tli_core.encoding.pooled_states import pooled_states
from tli_core.models.checkpoint import load_size, open_checkpoint
from tli_core.models.loaded_model import load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import block_count

EYES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
        "patch_size": 14}  # fmt: skip
AS_ON_THE_HUB = "language_model."


@pytest.fixture
def model() -> Gemma3ForConditionalGeneration:
    torch.manual_seed(0)
    # transformers caps no logits of such a model, and Gemma 3 has no cap.
    text = {**SHAPE, **PARTICULARS["gemma3_text"], "final_logit_softcapping": None}
    config = Gemma3Config(text_config=text, vision_config=EYES, mm_tokens_per_image=4, image_token_id=5, boi_token_id=6,
                          eoi_token_id=7)  # fmt: skip
    return Gemma3ForConditionalGeneration(config).eval()


def saved(model: Gemma3ForConditionalGeneration, folder: Path, layout: str) -> Path:
    """The checkpoint, its text tensors named as transformers saves them or with a name in front, as on the Hub."""
    model.save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    if layout == "in front":
        file = folder / "model.safetensors"
        inside = {name.replace("model.language_model.", "model."): tensor for name, tensor in load_file(file).items()}
        inside = {name.removeprefix(AS_ON_THE_HUB): tensor for name, tensor in inside.items()}
        text = ("model.embed_tokens", "model.layers", "model.norm", "lm_head")
        save_file({f"{AS_ON_THE_HUB}{n}" if n.startswith(text) else n: t for n, t in inside.items()}, file)
    return folder


@pytest.mark.parametrize("layout", ["as saved", "in front"])
def test_its_text_part_is_read_and_is_transformers_own(model, layout, tmp_path):
    folder = saved(model, tmp_path, layout)
    loaded = load_model(str(folder), Placement("cpu"))
    assert loaded.can_generate and loaded.blocks == block_count(str(folder)) == 3
    words = ("maji", "moto", "ng'ombe", "a", "haba na haba")
    with loaded.using(None) as ours:
        states = pooled_states(ours, loaded.tokenizer, words, "last").vectors
        ids = torch.tensor([loaded.tokenizer("maji")["input_ids"]])
        with torch.no_grad():
            torch.testing.assert_close(ours(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-5)
    assert_same_layers(states, model, loaded.tokenizer)


@pytest.mark.parametrize("layout", ["as saved", "in front"])
def test_first_blocks_alone_are_found_and_its_eyes_do_not_count(model, layout, tmp_path):
    folder = str(saved(model, tmp_path, layout))
    loaded = load_model(folder, Placement("cpu", blocks=2))
    assert loaded.blocks == 2 and not loaded.can_generate
    assert not [name for name in open_checkpoint(folder).places if "vision" in name]
    of_text = sum(p.numel() for p in model.model.language_model.parameters())
    assert load_size(folder).parameters == of_text


def test_a_text_part_that_is_not_computed_here_is_refused_by_name(model, tmp_path):
    folder = saved(model, tmp_path, "as saved")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["use_bidirectional_attention"] = True
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="reads a text in both directions"):
        load_model(str(folder), Placement("cpu"))
    config["model_type"] = "paligemma"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="is a paligemma model: only models of these families"):
        load_model(str(folder), Placement("cpu"))
