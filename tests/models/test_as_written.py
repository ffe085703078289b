"""A checkpoint is computed as it was written, or refused by name: no code of its own, nothing left out in silence."""

import builtins
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.conftest import LETTERS, character_tokenizer, tiny_llama
from tests.hub import serve, take_for_the_hub
from tli_core.encoding.pooled_states import pooled_states
from tli_core.encoding.tokens import encode
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.model_files import HubFiles
from tli_core.models.placement import Placement
from tli_core.models.tokenizer import prefix_of
from tli_core.reports.notices import worded
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

CPU = Placement("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_llama().save_pretrained(tmp_path / "model")
    character_tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def configure(folder: Path, name: str = "config.json", **changes) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(folder: Path, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        load_model(str(folder), CPU)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_of_a_checkpoint_never_runs_and_nobody_is_asked(where, folder, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    kinds = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    configure(
        folder, where, auto_map={kind: [None, "own.Own"] if kind == "AutoTokenizer" else "own.Own" for kind in kinds}
    )

    def ask(*_args):
        raise AssertionError("nobody may be asked to run code")

    monkeypatch.setattr(builtins, "input", ask)
    refused(folder, r"code of its own \(auto_map\), which is never run here")
    assert not ran.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"quant_method": "fp8", "activation_scheme": "dynamic"},
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        {"quant_method": "gptq", "bits": 4},
        {"quant_method": "awq", "bits": 4},
        {"quant_method": "compressed-tensors", "config_groups": {}},
        {"quant_method": "int8"},
    ],
    ids=lambda settings: settings["quant_method"],
)
def test_quantised_weights_are_refused_by_name(settings, folder):
    configure(folder, quantization_config=settings)
    refused(folder, rf"is stored quantised \({settings['quant_method']}\)")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_so_are_quantised_tensors_that_no_config_tells_of(dtype, folder):
    file = folder / "model.safetensors"
    state = {n: t.to(dtype) if n.endswith("down_proj.weight") else t for n, t in load_file(file).items()}
    save_file(state, file)
    refused(folder, r"stores model\.layers\.0\.mlp\.down_proj\.weight as (F8_E4M3|I8), which is quantised")


@pytest.mark.parametrize("own_head", [True, False])
def test_a_head_beside_tied_embeddings_is_used_where_it_is_another(own_head, folder):
    file = folder / "model.safetensors"
    state = load_file(file)
    if not own_head:
        state["lm_head.weight"] = state["model.embed_tokens.weight"].clone()
    save_file(state, file, metadata={"format": "pt"})
    configure(folder, tie_word_embeddings=True)
    theirs, ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), load_model(str(folder), CPU)
    ids = torch.tensor([[0, 40, 50, 60]])
    with torch.no_grad(), ours.using(None) as model:
        torch.testing.assert_close(model(ids).logits, theirs(ids).logits)
        assert (model.lm_head.weight is model.model.embed_tokens.weight) is not own_head


def test_a_tokenizer_of_a_larger_model_is_refused_before_a_word_falls_outside(folder):
    tokenizer = character_tokenizer()
    tokenizer.add_tokens(["ng'ombe", "nyumba"])
    tokenizer.save_pretrained(folder)
    refused(folder, "has token 100, but the model has embeddings for 99 tokens only")


def test_special_tokens_without_embeddings_do_no_harm(folder):
    """As chat templates add them to a base model's tokenizer."""
    tokenizer = character_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|a|>", "<|b|>"]})
    tokenizer.save_pretrained(folder)
    loaded = load_model(str(folder), CPU)
    assert measure(loaded, [WordPair("a <|b|>", "b"), WordPair("c", "d")]).cosine.shape == (2, 4)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"rope_parameters": {"rope_type": "spiral", "rope_theta": 1e4}}, "The config of .* cannot be used: .*spiral"),
        ({"hidden_act": "squiggle"}, "The config of .* cannot be used: .*squiggle"),
        ({"num_attention_heads": 0}, "The config of .* cannot be used"),
        ({"hidden_size": "wide"}, "The config of .* cannot be used"),
        ({"model_type": ["llama"]}, r"is a \['llama'\] model"),
    ],
    ids=["rope", "activation", "no heads", "a word for a number", "no name"],
)
def test_a_config_that_cannot_be_built_is_one_sentence(config, says, folder):
    configure(folder, **config)
    refused(folder, says)


def only_sentencepiece(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"no sentencepiece model")


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (only_sentencepiece, r"as a sentencepiece model only \(tokenizer\.model\): pip install sentencepiece protobuf"),
        (no_tokenizer, r"has no tokenizer: put the tokenizer\.json of the model"),
        (pickled, r"has its weights in pytorch_model\.bin only, a pickle, which can run code"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "The tokenizer of .* cannot be read: "),
    ],
)
def test_what_is_missing_is_said_with_what_helps(change: Callable[[Path], None], says, folder):
    change(folder)
    refused(folder, says)


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((403, "GatedRepo"), "owner/small is gated: ask for access on its page on the Hub"),
        ((401, "GatedRepo"), "owner/small is gated: ask for access on its page on the Hub"),
        ((404, "RepoNotFound"), "There is no owner/small on the Hub, or it needs a login"),
        ((404, "RevisionNotFound"), "owner/small has no revision v9 on the Hub"),
        ((429, ""), "The Hub asks for a pause"),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_helps(refusal, says, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    with serve(folder, "owner/small") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        served.refusal = refusal
        with pytest.raises(ValueError, match=says) as refusal:
            HubFiles("owner/small", "v9", lambda done, total: None).get("config.json")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["owner/small@v2", "https://huggingface.co/owner/small/tree/v2"])
def test_a_revision_is_loaded_by_the_id_that_names_it(name, folder, tmp_path, monkeypatch):
    with serve(folder, "owner/small") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        loaded = load_model(name, CPU)
    assert loaded.blocks == 3 and "v2" in served.revisions and "main" not in served.revisions


# A token in front


def bare_tokenizer(bos: str | None = "<s>", eos: str | None = "</s>") -> PreTrainedTokenizerFast:
    """One token a character and nothing in front, as the tokenizers of SmolLM2 and Qwen are; ▁ begins every word."""
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", "<unk>", *LETTERS])}
    vocabulary["▁"] = vocabulary.pop("~")
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always", split=False), pre_tokenizers.Split("", "isolated")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, unk_token="<unk>")


PAIRS = (WordPair("maji", "water"), WordPair("moto", "fire"), WordPair("jua", "sun"), WordPair("nyota", "star"))


@pytest.mark.parametrize(("bos", "eos", "token"), [("<s>", "</s>", "<s>"), (None, "</s>", "</s>")])
def test_a_tokenizer_that_puts_nothing_in_front_gets_a_prefix_that_no_word_has_a_part_in(bos, eos, token):
    loaded = LoadedModel(tiny_llama(), bare_tokenizer(bos, eos), "bare", None)
    prefix = prefix_of(loaded.tokenizer)
    assert (prefix.token, prefix.added) == (token, True)
    (word,) = encode(loaded.tokenizer, ["maji"])
    assert word.special == (True, *[False] * (len(word.ids) - 1))
    with loaded.using(None) as model, torch.no_grad():
        states = model(torch.tensor([word.ids]), output_hidden_states=True).hidden_states
        pooled = pooled_states(model, loaded.tokenizer, ["maji"])
    torch.testing.assert_close(pooled.vectors[1, 0], states[1][0, 1:].mean(dim=0))
    result = measure(loaded, PAIRS)
    assert result.provenance.prefix_token == token and result.provenance.prefix_added
    assert any(
        f"puts no token in front of a text. {token} was put there" in worded(warning) for warning in result.warnings
    )
    *_, trained = train_adapter(loaded, PAIRS, configured("published", epochs=1, batch_size=4))
    assert trained.record["base"]["prefix_added"]


def test_a_tokenizers_own_prefix_is_left_alone(tiny):
    result = measure(tiny, PAIRS)
    assert (result.provenance.prefix_token, result.provenance.prefix_added) == ("<s>", False)
    assert not any("in front" in worded(warning) for warning in result.warnings)


def test_a_first_piece_that_carries_the_norm_is_called_a_sink():
    model = tiny_llama()
    tokenizer = bare_tokenizer(None, None)
    plain = measure(LoadedModel(model, tokenizer, "bare", None), PAIRS)
    assert any("has no token to put in front" in worded(warning) for warning in plain.warnings)
    assert not any("attention sink" in worded(warning) for warning in plain.warnings)
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.convert_tokens_to_ids("▁")] *= 100
    sunk = measure(LoadedModel(model, tokenizer, "bare", None), PAIRS)
    (said,) = [worded(warning) for warning in sunk.warnings if "attention sink" in worded(warning)]
    assert re.match(r"At 3 layers from the embeddings on, a word's first piece is an attention sink, up to \d\d ", said)
    assert (sunk.mismatched[:3] > 0.95).all(), "which is why it is said: wrong pairs look like right ones"
