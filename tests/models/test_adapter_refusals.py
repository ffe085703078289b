"""What an adapter may not be or do: each kind is refused with its field or tensor named, and changes nothing."""

import copy
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import character_tokenizer
from tests.models.conftest import (
    EMBEDDINGS,
    SUPPORTED,
    Kind,
    Q,
    State,
    cast,
    change,
    check_the_base_is_untouched,
    llama,
    renamed,
    save,
    seen,
    weights_of,
)
from tli_core.models.adapter_config import _is_name, _names
from tli_core.models.loaded_model import LoadedModel


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


def times(factor: float) -> Callable[[State], State]:
    return lambda given: {name: tensor * factor for name, tensor in given.items()}


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
    ("another name in the middle", {}, renamed("model.layers", "model.default.layers"), "tensors that do not match"),
    ("another method", {"peft_type": "IA3"}, copy.copy, "mine is a IA3 adapter: only LoRA"),
    ("a method of no name", {"peft_type": [1]}, copy.copy, "only LoRA"),
    ("a field of a later PEFT", {"use_something": True}, copy.copy, "use_something in its adapter_config.json is not"),
    ("a rank that is not the tensors'", {"r": 2}, copy.copy, "has LoRA of rank 4, but adapter_config.json says 2"),
    ("a module that is saved but not there", {"modules_to_save": ["embed_tokens"]}, copy.copy, "not in the file"),
    ("a whole MLP saved", {"modules_to_save": ["mlp"]}, copy.copy, "modules_to_save names .*mlp, but only"),
    ("a matrix saved", {"modules_to_save": ["o_proj"]}, copy.copy, "modules_to_save names .*o_proj, but only"),
    ("a classifier", {"modules_to_save": ["score"]}, copy.copy, "modules_to_save names score, but only"),
    ("tokens that are not there", {"trainable_token_indices": [1]}, copy.copy, "its rows are not in the file"),
    (
        "targets that are not there",
        {"target_modules": ["q_proj", "v_proj", "o_proj"]},
        copy.copy,
        "or are missing: 3, such",
    ),
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
    ("one matrix missing", {}, without("lora_A"), "or are missing: 1, such"),
    (
        "one block missing",
        {},
        lambda s: {n: t for n, t in s.items() if ".layers.1." not in n},
        "tensors that do not match",
    ),
    ("empty matrices, as ZeRO-3 leaves them", {}, lambda s: {n: torch.empty(0) for n in s}, "is empty. DeepSpeed"),
    ("a scalar", {}, lambda s: {n: torch.tensor(1.0) for n in s}, "has shape"),
    ("whole numbers", {}, lambda s: {n: t.to(torch.int8) for n, t in s.items()}, "is stored as I8"),
    ("FP8", {}, cast(torch.float8_e4m3fn), "is stored as F8_E4M3"),
    ("not a number", {}, first_is(float("nan")), "not finite"),
    ("infinity", {}, first_is(float("inf")), "not finite"),
    ("numbers no vector's norm can hold", {}, first_is(1e30), "above 1e15, too large"),
    ("products that no number holds", {}, times(1e14), "overflow at .*though its own are finite"),
    ("a bias that is not declared", {}, with_tensor(f"{Q}.lora_B.bias", 16), "does not declare"),
    ("the same tensor twice", {}, with_tensor(f"{Q}.lora_A.default.weight", 4, 16), "twice, under two names"),
    ("a cut vocabulary", {"modules_to_save": ["embed_tokens"]}, with_tensor(f"{EMBEDDINGS}.weight", 9, 16), "was cut"),
)


@pytest.mark.parametrize("size", [1e15, 1e38])
def test_a_head_too_large_for_any_logit_is_refused(size, another, tmp_path):
    loaded = LoadedModel(llama(False), character_tokenizer(), "tiny", None)
    before, weights = seen(loaded, None), weights_of(loaded)
    save(Kind("", {"modules_to_save": ["lm_head"]}), tmp_path / "mine")
    change(tmp_path / "mine", {}, lambda s: {n: t * size if "lm_head" in n else t for n, t in s.items()})
    with pytest.raises(ValueError, match=r"too large|overflow at the logits"):
        loaded.add_adapter(tmp_path / "mine")
    check_the_base_is_untouched(loaded, before, weights, another)


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
     {"target_modules": ["q_proj", "v_proj", "embed_tokens"]}, copy.copy, "tensors that do not match"),
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


@given(st.text("ab._^", min_size=1, max_size=6), st.text("ab._", min_size=1, max_size=8))
def test_a_key_of_a_pattern_means_the_modules_that_peft_finds_by_it(key, module):
    assume(_is_name(key))
    assert _names(key, module) == (re.match(rf"(.*\.)?({key})$", module) is not None)


def test_thousands_of_keys_that_name_nothing_cost_nothing(server, mine):
    many = {f"block.of.nothing.{number}": 4 for number in range(10_000)}
    change(mine, {"rank_pattern": many, "alpha_pattern": many}, lambda state: state)
    server.loaded.drop(server.loaded.add_adapter(mine).key)
    server.check_nothing_was_left()


@pytest.mark.parametrize("name", ["tli.json", "adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder"])
def test_what_is_no_file_is_never_opened(name, kind, server, mine):
    (mine / name).unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(mine / name)
    elif kind == "a device":
        (mine / name).symlink_to("/dev/zero")
    else:
        (mine / name).mkdir()
    if name == "tli.json":  # it only tells how an adapter was made
        server.loaded.drop(server.loaded.add_adapter(mine).key)
    else:
        with pytest.raises(ValueError, match=f"has no {name}"):
            server.loaded.add_adapter(mine)
    server.check_nothing_was_left()


def test_a_path_of_any_length_is_refused_in_a_sentence(server):
    with pytest.raises(ValueError, match="point to a folder that PEFT saved") as refusal:
        server.loaded.add_adapter("/" + "p" * 5000)
    assert len(str(refusal.value)) < 300
