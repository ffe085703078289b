"""Adapters of every kind that PEFT saves, and a base that is told whether one of them has touched it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from tests.conftest import character_tokenizer, tiny_llama
from tests.models.test_loaded_model import peft_folder
from tli_core.models.loaded_model import LoadedModel

State = dict[str, torch.Tensor]
Q = "base_model.model.model.layers.0.self_attn.q_proj"
EMBEDDINGS = "base_model.model.model.embed_tokens"


def llama(tied: bool = False) -> LlamaForCausalLM:
    model = tiny_llama()
    if tied:
        model.config.tie_word_embeddings = True
        model.tie_weights()
    return model


def resized(model: LlamaForCausalLM, by: int) -> LlamaForCausalLM:
    if by:
        model.resize_token_embeddings(model.config.vocab_size + by, mean_resizing=False)
    return model


@dataclass(frozen=True)
class Kind:
    """An adapter that PEFT saves: its settings, how many tokens were added, and what another tool did to its files."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    added: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    state: Callable[[State], State] = lambda state: state
    tied: bool = False


def renamed(old: str, new: str) -> Callable[[State], State]:
    return lambda state: {name.replace(old, new): tensor for name, tensor in state.items()}


def cast(dtype: torch.dtype) -> Callable[[State], State]:
    return lambda state: {name: tensor.to(dtype) for name, tensor in state.items()}


SUPPORTED = (
    Kind("plain"),
    Kind("every matrix", {"target_modules": "all-linear"}),
    Kind("every matrix, in capitals", {"target_modules": "ALL-LINEAR"}),
    Kind(
        "every matrix of no block in particular", {"target_modules": "all-linear"}, config={"layers_to_transform": []}
    ),
    Kind("full names", {"target_modules": ["model.layers.1.self_attn.k_proj", "mlp.up_proj"]}),
    Kind("some blocks", {"layers_to_transform": [0, 2], "layers_pattern": "layers"}),
    Kind("one block", {"layers_to_transform": 1}),
    Kind("some left out", {"target_modules": "all-linear", "exclude_modules": ["o_proj", "layers.1.mlp.up_proj"]}),
    Kind("ranks of their own", {"rank_pattern": {"v_proj": 2, "layers.2.self_attn.q_proj": 3}}),
    Kind("alphas of their own", {"alpha_pattern": {"v_proj": 3, "^model.layers.2.self_attn.q_proj": 5}}),
    Kind("dots that stand for any letter", {"alpha_pattern": {"q.proj": 99}, "rank_pattern": {"v.proj": 3}}),
    Kind("rank-stabilised", {"use_rslora": True}),
    Kind("DoRA", {"use_dora": True}),
    Kind("LoRA with a bias", {"lora_bias": True}),
    Kind("biases of a base that has none", {"bias": "all"}),
    Kind("drawn from a normal distribution", {"init_lora_weights": "gaussian"}),
    Kind("orthogonal", {"init_lora_weights": "orthogonal"}),
    Kind("eva", config={"init_lora_weights": "eva"}),
    Kind("random from the start", {"init_lora_weights": False}),
    Kind("dropout in training", {"lora_dropout": 0.3}),
    Kind("embeddings saved", {"modules_to_save": ["embed_tokens"]}),
    Kind("head saved", {"modules_to_save": ["lm_head"]}),
    Kind("embeddings and head saved", {"modules_to_save": ["embed_tokens", "lm_head"]}),
    Kind("every norm saved", {"modules_to_save": ["norm"]}),
    Kind("one norm saved", {"modules_to_save": ["input_layernorm"]}),
    Kind("a larger vocabulary", {"modules_to_save": ["embed_tokens", "lm_head"]}, added=5),
    Kind("another larger vocabulary", {"modules_to_save": ["embed_tokens", "lm_head"]}, added=64),
    Kind("some tokens", {"trainable_token_indices": [40, 7, 41]}),
    Kind("some tokens of both", {"trainable_token_indices": {"embed_tokens": [40, 7], "lm_head": [3]}}),
    Kind("LoRA on the embeddings", {"target_modules": ["q_proj", "embed_tokens"]}),
    Kind("LoRA on the head", {"target_modules": ["q_proj", "lm_head"]}),
    Kind("DoRA on the embeddings", {"target_modules": ["v_proj", "embed_tokens"], "use_dora": True}),
    Kind("tied, embeddings saved", {"modules_to_save": ["embed_tokens"]}, tied=True),
    Kind("tied, some tokens", {"trainable_token_indices": [40, 7]}, tied=True),
    Kind("tied, LoRA on the embeddings", {"target_modules": ["q_proj", "embed_tokens"]}, tied=True),
    Kind("tied, a larger vocabulary", {"modules_to_save": ["embed_tokens", "lm_head"]}, added=5, tied=True),
    Kind("new tokens", {"trainable_token_indices": [40, 101, 99]}, added=5),
    Kind("new tokens, tied", {"trainable_token_indices": [40, 101, 99]}, added=5, tied=True),
    Kind("half precision", state=cast(torch.float16)),
    Kind("brain floats", {"modules_to_save": ["embed_tokens"]}, state=cast(torch.bfloat16)),
    Kind("a config of its time", config={"kasa_config": None, "peft_version": "0.11.1", "loftq_config": {}}),
    Kind("fields of another tool, empty", config={"unsloth_fixed": False, "new_in_2027": None}),
)


def save(kind: Kind, path: Path) -> None:
    """The adapter as PEFT saves it, every trained number moved, then as another tool left it."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **kind.settings}
    wrapped = get_peft_model(resized(llama(kind.tied), kind.added), LoraConfig(**settings))
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter += 0.2 * torch.randn_like(parameter)
    wrapped.save_pretrained(path)
    change(path, kind.config, kind.state)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "mine"
    save(Kind("plain"), folder)
    return folder


@pytest.fixture
def mine(saved: Path, tmp_path: Path) -> Path:
    """A plain adapter, to be spoilt."""
    return shutil.copytree(saved, tmp_path / "mine")


def change(path: Path, config: dict[str, Any], state: Callable[[State], State] = lambda state: state) -> None:
    file = path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    weights = path / "adapter_model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in state(load_file(weights)).items()}, weights)


def everything(model, ids: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All hidden states and the logits of the base's own tokens."""
    with torch.no_grad():
        found = model(ids, output_hidden_states=True)
    return *found.hidden_states, found.logits[..., : len(character_tokenizer())]


def seen(loaded: LoadedModel, adapter: str | None) -> tuple[torch.Tensor, ...]:
    with loaded.using(adapter) as model:
        return everything(model, ids_of(loaded))


def ids_of(loaded: LoadedModel) -> torch.Tensor:
    return torch.tensor([loaded.tokenizer("maji, moto")["input_ids"]])


def equal(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def another(tmp_path_factory) -> Path:
    """An ordinary adapter of another visitor's."""
    folder = tmp_path_factory.mktemp("another") / "another"
    peft_folder(folder)
    return folder


@dataclass(frozen=True)
class Server:
    """A base that serves everybody, another visitor's adapter on it, and what both gave before anything was tried."""

    loaded: LoadedModel
    held: str
    before: tuple[torch.Tensor, ...]
    others: tuple[torch.Tensor, ...]
    weights: State

    @classmethod
    def of(cls, loaded: LoadedModel, another: Path) -> "Server":
        held = loaded.add_adapter(another).key
        return cls(loaded, held, seen(loaded, None), seen(loaded, held), weights_of(loaded))

    def check_nothing_was_left(self) -> None:
        """The base reads and is as it was, to the bit, and so does the other adapter."""
        assert equal(seen(self.loaded, None), self.before) and equal(seen(self.loaded, self.held), self.others)
        now = weights_of(self.loaded)
        assert now.keys() == self.weights.keys()
        assert all(torch.equal(now[name], self.weights[name]) for name in self.weights)
        assert set(self.loaded.adapters) == {self.held}


@pytest.fixture(scope="module")
def server(another: Path) -> Iterator[Server]:
    """One server for all that is refused: whatever one attempt left behind would show in the next."""
    made = Server.of(LoadedModel(llama(), character_tokenizer(), "tiny", None), another)
    yield made
    check_the_base_is_untouched(made.loaded, made.before, made.weights, another)


def weights_of(loaded: LoadedModel) -> State:
    with loaded.using(None) as model:
        return {
            name.replace(".base_layer", ""): parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if ".lora_" not in name
        }


def check_the_base_is_untouched(loaded: LoadedModel, before: tuple, weights: State, other: Path) -> None:
    """The base reads and is as it was, and the next visitor's adapter and fine-tune work."""
    assert equal(seen(loaded, None), before)
    now = weights_of(loaded)
    assert now.keys() == weights.keys() and all(torch.equal(now[name], weights[name]) for name in weights)
    following = loaded.add_adapter(other).key
    assert not equal(seen(loaded, following), before)
    new = loaded.new_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
    assert equal(seen(loaded, new), before)  # LoRA begins as nothing
    for key in (following, new):
        loaded.drop(key)
