"""A tiny random Llama and a character tokenizer, so that no test downloads or waits."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core; more threads would only push each other aside. Read when PyTorch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tli_core.model import LoadedModel
from tli_core.pairs import WordPair

BOS, EOS, UNKNOWN = "<s>", "</s>", "<unk>"
LETTERS = [chr(code) for code in range(32, 127)] + ["\n"]


def character_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character, BOS first, as Llama's tokenizer adds it."""
    vocabulary = {token: i for i, token in enumerate([BOS, EOS, UNKNOWN, *LETTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, unk_token=UNKNOWN)


def tiny_llama(blocks: int = 3, hidden: int = 16, seed: int = 0) -> LlamaForCausalLM:
    """A random Llama of a few thousand parameters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(LETTERS) + 3,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=None,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def tiny() -> LoadedModel:
    """A fresh tiny model for tests that attach adapters to it."""
    return LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model saved as a checkpoint folder."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_llama().save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pairs() -> tuple[WordPair, ...]:
    """Thirty short pairs, each word once."""
    swahili = (
        "maji moto mti paka mbwa nyoka samaki ndege jua mwezi nyota mvua upepo jiwe mlima bahari ziwa mto njia nyumba"
    )
    english = "water fire tree cat dog snake fish bird sun moon star rain wind stone hill sea lake river road house"
    swahili += " kula kunywa kulala kuona kusoma kuandika kucheza kuimba kulia kucheka"
    english += " eat drink sleep see read write play sing cry laugh"
    return tuple(WordPair(sw, en) for sw, en in zip(swahili.split(), english.split(), strict=True))


@pytest.fixture(scope="session")
def browser():
    """A real browser, one for all tests of a process."""
    from .browsing import chromium

    with chromium() as started:
        yield started
