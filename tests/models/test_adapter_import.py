"""Adapters as other tools save them: exactly what PEFT makes of them on a fresh model, or refused before anything."""

import copy
import json
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from tests.conftest import character_tokenizer, tiny_llama
from tests.models.test_loaded_model import peft_folder
from tli_core.encoding.pooled_states import pooled_states
from tli_core.models.adapter_import import read_record
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement

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


@pytest.mark.parametrize("kind", SUPPORTED, ids=lambda kind: kind.name)
def test_an_adapter_is_what_peft_makes_of_it_and_nobody_else_sees_it(kind, another, tmp_path):
    loaded = LoadedModel(llama(kind.tied), character_tokenizer(), "tiny", None)
    held = loaded.add_adapter(another).key
    before, others, weights = seen(loaded, None), seen(loaded, held), weights_of(loaded)
    save(kind, tmp_path / "mine")
    with torch.random.fork_rng():
        fresh = PeftModel.from_pretrained(resized(llama(kind.tied), kind.added), tmp_path / "mine").eval()
    expected = everything(fresh, ids_of(loaded))

    key = loaded.add_adapter(tmp_path / "mine").key
    for found, right in zip(seen(loaded, key), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)
    assert not equal(seen(loaded, key), before)
    assert equal(seen(loaded, None), before) and equal(seen(loaded, held), others)
    with pytest.raises(RuntimeError, match="midway"), loaded.using(key):
        raise RuntimeError("midway")
    loaded.drop(key)
    assert equal(seen(loaded, held), others)
    check_the_base_is_untouched(loaded, before, weights, another)


def test_two_larger_vocabularies_are_held_side_by_side(tiny, another, tmp_path):
    before, weights = seen(tiny, None), weights_of(tiny)
    kinds = [kind for kind in SUPPORTED if kind.added and not kind.tied and "modules_to_save" in kind.settings]
    keys = []
    for i, kind in enumerate(kinds):
        save(kind, tmp_path / str(i))
        keys.append(tiny.add_adapter(tmp_path / str(i)).key)
    first, second = (seen(tiny, key) for key in keys)
    assert not equal(first, second) and equal(seen(tiny, keys[0]), first)
    for key in keys:
        tiny.drop(key)
    check_the_base_is_untouched(tiny, before, weights, another)


@pytest.mark.parametrize(
    "state",
    [renamed(".weight", ".default.weight"), renamed("base_model.model.", "")],
    ids=["the adapter's name in its keys", "keys without PEFT's prefix"],
)
def test_keys_that_peft_passes_over_in_silence_mean_what_they_say(state, tiny, mine):
    right = seen(tiny, tiny.add_adapter(mine).key)
    change(mine, {}, state)
    assert equal(seen(tiny, tiny.add_adapter(mine).key), right)


def test_a_vocabulary_that_peft_saved_because_it_was_resized_is_used(tiny, tmp_path):
    save(Kind("larger", {"modules_to_save": ["embed_tokens", "lm_head"]}, added=5), tmp_path / "mine")
    right = seen(tiny, tiny.add_adapter(tmp_path / "mine").key)
    change(tmp_path / "mine", {"modules_to_save": None})
    assert equal(seen(tiny, tiny.add_adapter(tmp_path / "mine").key), right)


def of_head(value: float, dtype: torch.dtype = torch.float32) -> Callable[[State], State]:
    return lambda state: {**state, f"{EMBEDDINGS}.base_layer.weight": torch.full((99, 16), value, dtype=dtype)}


def without(part: str) -> Callable[[State], State]:
    def state(given: State) -> State:
        gone = next(name for name in given if part in name)
        return {name: tensor for name, tensor in given.items() if name != gone}

    return state


def with_tensor(name: str, *shape: int, value: float = 1.0) -> Callable[[State], State]:
    return lambda state: {**state, name: torch.full(shape, value)}


def first_is(value: float) -> Callable[[State], State]:
    def state(given: State) -> State:
        given[f"{Q}.lora_B.weight"][0, 0] = value
        return given

    return state


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


EVIL = "(a+)+$"
UNSLOTH = (
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:q_proj|v_proj).*?)"
    r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)\.(?:(?:q_proj|v_proj)))"
)

# What is done to the config and to the tensors of a plain adapter, and what the refusal names.
REFUSED: tuple[tuple[str, dict[str, Any], Callable[[State], State], str], ...] = (
    *(
        (
            f"a base rewritten by {init}",
            {"init_lora_weights": init},
            copy.copy,
            f"init_lora_weights is {init}, which .*",
        )
        for init in ("pissa", "pissa_niter_4", "olora", "OLoRA", "corda", "loftq", "lora_ga")
    ),
    *(
        (f"{field} of another method", {field: value}, copy.copy, f"{field} is set, which is more than LoRA")
        for field, value in (
            ("alora_invocation_tokens", [1]),
            ("arrow_config", {"top_k": 3}),
            ("kasa_config", {"beta": 0.1}),
            ("layer_replication", [[0, 2]]),
            ("layer_replication", [[0, 3_000_000]]),
            ("megatron_config", {"x": 1}),
            ("monteclora_config", {"num_samples": 8}),
            ("target_parameters", ["experts"]),
            ("use_bdlora", {"n": 2}),
            ("use_qalora", True),
            ("velora_config", {"rank": 1}),
        )
    ),
    *(
        (f"{field} = {str(value)[:30]}", {field: value}, copy.copy, f"{field}[^ ]* in its adapter_config.json must be")
        for field, value in (
            ("r", "4"),
            ("r", 0),
            ("r", True),
            ("r", 10**9),
            ("r", 4.0),
            ("r", None),
            ("lora_alpha", "8"),
            ("lora_alpha", 1e300),
            ("lora_alpha", -1),
            ("lora_alpha", 10**400),
            ("lora_alpha", [8]),
            ("lora_dropout", 2),
            ("lora_dropout", "0"),
            ("target_modules", None),
            ("target_modules", []),
            ("target_modules", {"q_proj": 1}),
            ("target_modules", [1, 2]),
            ("target_modules", nested(60)),
            ("exclude_modules", 3),
            ("layers_to_transform", "0"),
            ("layers_to_transform", [0.5]),
            ("layers_to_transform", [-1]),
            ("layers_pattern", EVIL),
            ("rank_pattern", ["q_proj"]),
            ("rank_pattern", {"q_proj": "4"}),
            ("alpha_pattern", {"q_proj": None}),
            ("bias", "some"),
            ("use_dora", "yes"),
            ("use_rslora", 1),
            ("fan_in_fan_out", "no"),
            ("modules_to_save", [""]),
            ("trainable_token_indices", "1"),
            ("trainable_token_indices", [-1]),
            ("trainable_token_indices", [1, 1]),
            ("trainable_token_indices", {"embed_tokens": 3}),
            ("init_lora_weights", 3),
            ("init_lora_weights", "somehow"),
        )
    ),
    *(
        (f"{field} as an empty {type(value).__name__}", {field: value}, copy.copy, f"{field} is set, which is more")
        for field in ("kasa_config", "arrow_config", "use_bdlora", "velora_config", "alora_invocation_tokens")
        for value in ({}, [])
    ),
    *(
        (f"a pattern for {field}", {field: pattern}, copy.copy, f"{field} is a pattern, and patterns from outside")
        for field, pattern in (
            ("target_modules", UNSLOTH),
            ("target_modules", "q_proj"),
            ("target_modules", r".*layers\.0\..*q_proj"),
            ("target_modules", EVIL),
            ("exclude_modules", EVIL),
            ("modules_to_save", "embed_tokens"),
        )
    ),
    *(
        (f"a pattern in {field}", {field: {pattern: 3}}, copy.copy, f"{field} has the pattern")
        for field in ("rank_pattern", "alpha_pattern")
        for pattern in (EVIL, ".*v_proj", "", "^", "a" * 301)
    ),
    ("a name that is half a letter", {"target_modules": ["q_proj", "\ud800"]}, copy.copy, "is no JSON object"),
    ("a field that is half a letter", {"\ud800": True}, copy.copy, "is no JSON object"),
    ("a name with a space", {"target_modules": ["q_proj", "v proj"]}, copy.copy, "must be a list of module names"),
    (
        "every matrix of some blocks",
        {"target_modules": "all-linear", "layers_to_transform": [0]},
        copy.copy,
        "target_modules in its",
    ),
    ("a bias beside DoRA", {"lora_bias": True, "use_dora": True}, copy.copy, "lora_bias in its"),
    ("modules by their last letter", {"modules_to_save": ["s"]}, copy.copy, "modules_to_save names .*, but only"),
    ("tokens of no module", {"trainable_token_indices": {"": [1]}}, copy.copy, "must be an object of module names"),
    ("more than a float32 holds", {}, lambda s: {n: t.double() * 1e300 for n, t in s.items()}, "not finite"),
    ("another name in the middle", {}, renamed("model.layers", "model.default.layers"), "tensors do not match"),
    ("another method", {"peft_type": "IA3"}, copy.copy, "mine is a IA3 adapter: only LoRA"),
    ("a method of no name", {"peft_type": [1]}, copy.copy, "only LoRA"),
    ("a field of a later PEFT", {"use_something": True}, copy.copy, "use_something in its adapter_config.json is not"),
    ("a rank that is not the tensors'", {"r": 2}, copy.copy, "has LoRA of rank 4, but adapter_config.json says 2"),
    ("a module that is saved but not there", {"modules_to_save": ["embed_tokens"]}, copy.copy, "not in the file"),
    ("a whole MLP saved", {"modules_to_save": ["mlp"]}, copy.copy, "modules_to_save names .*mlp, but only"),
    ("a matrix saved", {"modules_to_save": ["o_proj"]}, copy.copy, "modules_to_save names .*o_proj, but only"),
    ("a classifier", {"modules_to_save": ["score"]}, copy.copy, "modules_to_save names score, but only"),
    ("tokens that are not there", {"trainable_token_indices": [1]}, copy.copy, "its rows are not in the file"),
    ("targets that are not there", {"target_modules": ["q_proj", "v_proj", "o_proj"]}, copy.copy, "3 tensors do not"),
    ("fewer targets than tensors", {"target_modules": ["q_proj"]}, copy.copy, "which its target_modules does not name"),
    ("DoRA without its vectors", {"use_dora": True}, copy.copy, "lora_magnitude_vector"),
    ("a base's matrix", {}, with_tensor(f"{Q}.weight", 16, 16), "an adapter may not rewrite its base"),
    ("a base's matrix, bare", {}, with_tensor("model.layers.0.self_attn.q_proj.weight", 16, 16), "may not rewrite"),
    ("a base's matrix under LoRA", {}, with_tensor(f"{Q}.base_layer.weight", 16, 16), "may not rewrite"),
    ("a base's norm", {}, with_tensor("base_model.model.model.norm.weight", 16), "may not rewrite"),
    ("a base's embeddings", {}, with_tensor(f"{EMBEDDINGS}.weight", 98, 16), "may not rewrite|differs|tokens"),
    ("a base's bias", {"bias": "all"}, with_tensor(f"{Q}.bias", 16), "may not rewrite"),
    ("somebody's buffer", {}, with_tensor("x", 2), "may not rewrite"),
    ("no tensors", {}, lambda state: {"x": torch.ones(1)}, "holds no LoRA tensors"),
    ("one matrix missing", {}, without("lora_A"), "1 tensors do not match"),
    ("one block missing", {}, lambda s: {n: t for n, t in s.items() if ".layers.1." not in n}, "tensors do not match"),
    ("empty matrices, as ZeRO-3 leaves them", {}, lambda s: {n: torch.empty(0) for n in s}, "is empty. DeepSpeed"),
    ("a scalar", {}, lambda s: {n: torch.tensor(1.0) for n in s}, "has shape"),
    ("whole numbers", {}, lambda s: {n: t.to(torch.int8) for n, t in s.items()}, "is stored as I8"),
    ("FP8", {}, cast(torch.float8_e4m3fn), "is stored as F8_E4M3"),
    ("not a number", {}, first_is(float("nan")), "not finite"),
    ("infinity", {}, first_is(float("inf")), "not finite"),
    ("a bias that is not declared", {}, with_tensor(f"{Q}.lora_B.bias", 16), "does not declare"),
    ("the same tensor twice", {}, with_tensor(f"{Q}.lora_A.default.weight", 4, 16), "twice, under two names"),
    ("a cut vocabulary", {"modules_to_save": ["embed_tokens"]}, with_tensor(f"{EMBEDDINGS}.weight", 9, 16), "was cut"),
)


def test_enough_kinds_are_tried():
    assert len(SUPPORTED) + len(REFUSED) > 100


@pytest.mark.parametrize(("config", "state", "named"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_whatever_is_not_plain_lora_for_this_base_is_refused_by_name(config, state, named, server, mine):
    change(mine, config, state)
    with pytest.raises(ValueError, match=named) as refusal:
        server.loaded.add_adapter(mine)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 500
    server.check_nothing_was_left()


# Adapters that change embeddings or the head, and what is then done to them.
SPOILT: tuple[tuple[str, Kind, dict[str, Any], Callable[[State], State], str], ...] = (
    ("a copy of the embeddings that is another", Kind("", {"target_modules": ["q_proj", "embed_tokens"]}), {},
     of_head(0.1), "which differs from tiny's own"),
    ("a copy of the embeddings, rounded", Kind("", {"target_modules": ["q_proj", "embed_tokens"]}), {},
     lambda s: {n: t.half() if "base_layer" in n else t for n, t in s.items()}, "which differs from tiny's own"),
    ("two copies of the embeddings", Kind("", {"target_modules": ["q_proj", "embed_tokens"]}), {},
     lambda s: {f"{EMBEDDINGS}.weight": s[f"{EMBEDDINGS}.base_layer.weight"].clone(), **s}, "twice, under two names"),
    ("two keys for one embedding",
     Kind("", {"trainable_token_indices": {"embed_tokens": [3], "model.embed_tokens": [4]}}, tied=True), {}, copy.copy,
     "names model.embed_tokens twice"),
    ("token rows twice", Kind("", {"trainable_token_indices": [4]}), {},
     with_tensor(f"{EMBEDDINGS}.trainable_tokens_delta", 1, 16), "twice, under two names"),
    ("a tied head that is to follow", Kind("", {"target_modules": ["q_proj", "embed_tokens"]}, tied=True),
     {"ensure_weight_tying": True}, copy.copy, "ensure_weight_tying is set"),
    ("rows of a tied head that carries LoRA",
     Kind("", {"target_modules": ["q_proj", "lm_head"], "trainable_token_indices": [4]}, tied=True), {}, copy.copy,
     "in two ways at once"),
    ("a bias on the embeddings", Kind("", {"target_modules": ["q_proj", "embed_tokens"]}), {"lora_bias": True},
     copy.copy, "lora_bias is set, which LoRA on embeddings"),
    ("saved embeddings that are to be LoRA's", Kind("", {"modules_to_save": ["embed_tokens"]}),
     {"target_modules": ["q_proj", "v_proj", "embed_tokens"]}, copy.copy, "tensors do not match"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "state", "named"), [s[1:] for s in SPOILT], ids=[s[0] for s in SPOILT])
def test_what_is_done_to_embeddings_twice_or_in_silence_is_refused(kind, config, state, named, another, tmp_path):
    loaded = LoadedModel(llama(kind.tied), character_tokenizer(), "tiny", None)
    before, weights = seen(loaded, None), weights_of(loaded)
    save(kind, tmp_path / "mine")
    change(tmp_path / "mine", config, state)
    with pytest.raises(ValueError, match=named):
        loaded.add_adapter(tmp_path / "mine")
    check_the_base_is_untouched(loaded, before, weights, another)


FIRST_BLOCKS = {"target_modules": ["q_proj"], "layers_to_transform": [0, 1]}


@pytest.mark.parametrize("more", [
    {"modules_to_save": ["norm"]},
    {"modules_to_save": ["lm_head", "embed_tokens"]},
    {"trainable_token_indices": {"embed_tokens": [40], "lm_head": [41]}},
], ids=str)  # fmt: skip
def test_of_first_blocks_alone_what_lies_behind_them_is_passed_over(more, tiny_folder, tmp_path):
    loaded = load_model(str(tiny_folder), Placement("cpu", 2))
    save(Kind("", {**FIRST_BLOCKS, **more}), tmp_path / "mine")
    expected = everything(PeftModel.from_pretrained(llama(), tmp_path / "mine").eval(), ids_of(loaded))
    with loaded.using(loaded.add_adapter(tmp_path / "mine").key) as model, torch.no_grad():
        found = pooled_states(model, loaded.tokenizer, ["maji, moto"], "last").vectors[:, 0]
    for layer in range(3):
        torch.testing.assert_close(found[layer], expected[layer][0, -1], rtol=1e-5, atol=1e-5)
    save(Kind("plain"), tmp_path / "all")
    with pytest.raises(ValueError, match=r"changes block 2, but only 2 blocks of .* are loaded"):
        loaded.add_adapter(tmp_path / "all")


def test_a_model_in_use_is_not_used_or_changed_inside(tiny, another):
    key = tiny.add_adapter(another).key
    right = seen(tiny, key)
    for inside in (lambda: seen(tiny, None), lambda: tiny.add_adapter(another)):
        with pytest.raises(RuntimeError, match="does not nest"), tiny.using(key):
            inside()
    assert equal(seen(tiny, key), right)


@pytest.mark.parametrize("shape", ["[1e999]", "[Infinity]", '["a"]', "[-1]", "{}", "null", "[1, [2]]"])
def test_a_table_of_tensors_that_is_none_is_one_sentence(shape, tiny, mine):
    table = f'{{"x": {{"dtype": "F32", "shape": {shape}, "data_offsets": [0, 0]}}}}'.encode()
    (mine / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(table)) + table)
    with pytest.raises(ValueError, match=r"is no safetensors file|holds no LoRA tensors"):
        tiny.add_adapter(mine)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "NaN", '{"r": NaN}', "[" * 100_000, '{"a":' * 50_000, "\x00", '"LORA"', "1" * 9999]
)
def test_a_config_that_is_none_is_one_sentence(text, tiny, mine):
    (mine / "adapter_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"adapter_config\.json is no JSON object, or is cut short"):
        tiny.add_adapter(mine)


def test_a_config_of_another_tool_says_so(tiny, mine):
    (mine / "adapter_config.json").write_text('{"fine_tune_type": "lora", "num_layers": 16}')
    with pytest.raises(ValueError, match=r"has no peft_type: PEFT did not save it"):
        tiny.add_adapter(mine)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{}", '{"base": 1}', '{"base": {"model": []}, "config": {}}', "NaN", '{"config": null}']
)
def test_a_record_that_is_none_is_passed_over(text, tmp_path):
    (tmp_path / "tli.json").write_text(text)
    assert read_record(tmp_path) == {}


def test_a_base_that_was_changed_all_the_same_is_not_used_again(tiny, tmp_path, monkeypatch):
    """The last line of defence: PEFT's own way to attach what takes the base apart."""
    config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights="pissa")
    with pytest.raises(RuntimeError, match="has changed tiny in memory: load it again"):
        tiny.new_adapter(config)
    with pytest.raises(RuntimeError, match="load it again"), tiny.using(None):
        pass
