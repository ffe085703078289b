"""A tiny random Llama and a character tokenizer, so that no test downloads or waits."""

import os
from collections.abc import Iterator
from pathlib import Path

# UMAP compiles itself for half a minute; what it computes is the same without.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core; more threads would only push each other aside. Read when PyTorch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tli_core.lists.pairs import WordPair
from tli_core.models.loaded_model import LoadedModel

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
    source = (
        "maji moto mti paka mbwa nyoka samaki ndege jua mwezi nyota mvua upepo jiwe mlima bahari ziwa mto njia nyumba"
    )
    target = "water fire tree cat dog snake fish bird sun moon star rain wind stone hill sea lake river road house"
    source += " kula kunywa kulala kuona kusoma kuandika kucheza kuimba kulia kucheka"
    target += " eat drink sleep see read write play sing cry laugh"
    return tuple(WordPair(sw, en) for sw, en in zip(source.split(), target.split(), strict=True))


@pytest.fixture(scope="session")
def browser():
    """A real browser, one for all tests of a process."""
    from tests.browsing import chromium

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running app, one for all browser tests of a process."""
    import ui.page
    import ui.serve
    from tests.browsing import free_port
    from ui.server.jobs import Jobs
    from ui.server.visitors import Models

    models = Models(ui.serve.OFFERED)
    demo = ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))
    yield ui.page.launch(demo, free_port(), quiet=True)
    demo.close()


@pytest.fixture(scope="session")
def contexts(browser) -> Iterator[dict]:
    """A browser context for each screen: its cache spares every test the page's own files."""
    made: dict = {}
    yield made
    for context in made.values():
        context.close()


# What an earlier test left in the browser is not this one's.
FORGET = "if (!sessionStorage.getItem('begun')) { localStorage.clear(); sessionStorage.setItem('begun', 'yes'); }"


def open_page(browser, contexts: dict, address: str, settings: dict) -> tuple:
    """A page in the context of a screen, once its first curve is drawn, and what must not happen on it."""
    from playwright.sync_api import expect

    from tests.browsing import open_tab, watched

    if str(settings) not in contexts:
        contexts[str(settings)] = browser.new_context(**settings)
    page = contexts[str(settings)].new_page()
    page.set_default_timeout(20_000)
    page.add_init_script(FORGET)
    problems = watched(page, address)
    page.goto(address)
    expect(page.get_by_role("tab", name="Alignment", exact=True)).to_be_visible()
    open_tab(page, "Alignment")
    # The first page of a process waits for PyTorch and the model.
    expect(page.locator("#curve .legendtext").first).to_be_visible(timeout=90_000)
    return page, problems


@pytest.fixture(scope="module")
def opened(browser, contexts: dict, address: str) -> Iterator[tuple]:
    """A page for the tests of a module that keep to parts of their own, and what must not happen on it.

    To open one takes four seconds on two cores, more than most tests take on it.
    """
    page, problems = open_page(browser, contexts, address, {"viewport": {"width": 1440, "height": 1000}})
    yield page, problems
    page.close()


@pytest.fixture
def shared_page(opened: tuple, request: pytest.FixtureRequest) -> Iterator:
    """The module's page, as the test before left it; otherwise as `page`."""
    from tests.browsing import keep_picture

    page, problems = opened
    page.set_viewport_size({"width": 1440, "height": 1000})
    yield page
    keep_picture(page, request.node.name)
    assert not problems, problems


@pytest.fixture
def page(browser, contexts: dict, address: str, request: pytest.FixtureRequest) -> Iterator:
    """The page, freshly opened; any console error, failed or outside request on it fails the test."""
    from tests.browsing import keep_picture

    settings = {"viewport": {"width": 1440, "height": 1000}, **getattr(request, "param", {})}
    page, problems = open_page(browser, contexts, address, settings)
    yield page
    keep_picture(page, request.node.name)
    # A stream that the closing page cuts is none of the page's faults.
    found = list(problems)
    page.close()
    assert not found, found
