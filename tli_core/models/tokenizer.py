"""A model's tokenizer, and the token that every text begins with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from tli_core.i18n import N_, translate
from tli_core.models.model_files import model_files

_KEPT_AS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


@dataclass(frozen=True)
class PrefixToken:
    """The special token in front of every text; added: put there by this project, as the tokenizer adds none.

    A causal model needs one: the first token attends only to itself and becomes an attention sink, whose vector
    has a large norm and carries nothing of the word. Source: Xiao et al. 2024, arXiv 2309.17453.
    """

    id: int | None
    token: str | None
    added: bool


def prefix_of(tokenizer: PreTrainedTokenizerBase) -> PrefixToken:
    """What every text begins with: the token that the tokenizer adds, else BOS, else EOS, else nothing."""
    own: Any = tokenizer("a", return_special_tokens_mask=True)
    if own["special_tokens_mask"][0]:
        first = int(own["input_ids"][0])
        return PrefixToken(first, str(tokenizer.convert_ids_to_tokens(first)), added=False)
    for token in (tokenizer.bos_token, tokenizer.eos_token):
        if token is not None:
            found: Any = tokenizer.convert_tokens_to_ids(str(token))  # a list of a list of tokens
            return PrefixToken(int(found), str(token), added=True)
    return PrefixToken(None, None, added=False)


def load_tokenizer(source: str, commit: str | None, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or Hub id, without remote code, checked against the model that it is for.

    Args:
        commit: of the Hub repository, as its weights were fetched.

    Raises:
        ValueError: there is none, it cannot be read, brings code of its own, or is of another model.
    """
    files = model_files(source, commit, lambda done, total: None)
    names = files.names()
    kept = [name for name in _KEPT_AS if name in names]
    if not kept:
        text = N_("{source} has no tokenizer: put the tokenizer.json of the model that it was made from beside it.")
        raise ValueError(translate(text, source=source))
    if _brings_code(files.get("tokenizer_config.json")):
        text = N_(
            "{source} has a tokenizer with code of its own (auto_map), which is never run here: save a tokenizer.json."
        )
        raise ValueError(translate(text, source=source))
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.source, revision=commit or "main", trust_remote_code=False)
    except Exception as error:  # transformers and its converters raise whatever they meet
        if kept == ["tokenizer.model"]:
            text = N_(
                "{source} has its tokenizer as a sentencepiece model only (tokenizer.model): pip install sentencepiece "
                "protobuf, or put its tokenizer.json beside it."
            )
            raise ValueError(translate(text, source=source)) from error
        text = N_("The tokenizer of {source} cannot be read: {reason}")
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise ValueError(translate(text, source=source, reason=reason)) from error
    _check_vocabulary(source, tokenizer, config)
    return tokenizer


def _brings_code(path: Path | None) -> bool:
    if path is None:
        return False
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(given, dict) and bool(given.get("auto_map"))


def _check_vocabulary(source: str, tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> None:
    """Refuse a tokenizer with tokens that the model has no embedding for; the model's BOS is made the tokenizer's."""
    special = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    last = max((id for id in tokenizer.get_vocab().values() if id not in special), default=0)
    if last >= config.vocab_size:
        text = N_(
            "The tokenizer of {source} has token {token}, but the model has embeddings for {n} tokens only: they are "
            "of different models."
        )
        raise ValueError(translate(text, source=source, token=last, n=config.vocab_size))
    for name in ("bos_token", "eos_token"):
        token = getattr(tokenizer, name)
        if token is not None and tokenizer.convert_tokens_to_ids(token) >= config.vocab_size:
            setattr(tokenizer, name, None)
    if tokenizer.bos_token is None and isinstance(config.bos_token_id, int) and config.bos_token_id < config.vocab_size:
        tokenizer.bos_token = tokenizer.convert_ids_to_tokens(config.bos_token_id)
