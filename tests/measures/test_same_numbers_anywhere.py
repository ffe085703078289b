"""The same words give the same numbers whatever stands beside them: order, company, batches, devices, others' work."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tli_core.encoding.lens import VIEWS, Lens
from tli_core.encoding.readouts import READOUTS
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import find_adapter
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

MINI, ADAPTER = "lugha-mini", "mini-corrected"
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
ROUNDING = 2e-6
"""Of a cosine in float32: one word more in a row is another order of the same sums."""


@dataclass(frozen=True)
class Base:
    """A model and an adapter in it."""

    loaded: LoadedModel
    adapter: str


def base(device: str = "cpu", dtype: torch.dtype = torch.float32) -> Base:
    loaded = load_model(MINI, Placement(device))
    with loaded.using(None) as model:
        model.to(dtype)
    return Base(loaded, loaded.add_adapter(find_adapter(ADAPTER)).key)


@pytest.fixture(scope="module")
def mini() -> Base:
    return base()


@pytest.fixture(scope="module")
def words() -> tuple[WordPair, ...]:
    return shipped("control")[:60]


@pytest.fixture(params=["base", "adapter"])
def adapter(request: pytest.FixtureRequest, mini: Base) -> str | None:
    return mini.adapter if request.param == "adapter" else None


def figures(result: LayerAlignment) -> Iterator[tuple[str, np.ndarray]]:
    """Everything that is said of a whole list: (layers, …) each."""
    for name in ("matched", "mismatched", "gap", "wrong_quantiles", "prefix_share", "rogue_share"):
        yield name, getattr(result, name)
    for way in DIRECTIONS:
        yield f"{way}: P@1", result.retrieval[way].p_at_1
        yield f"{way}: MRR", result.retrieval[way].mrr
    for key, values in result.scores.items():
        yield key, values if values.ndim == 1 else values.mean(axis=1)
    yield "spelling alone", np.array(result.spelling_alone)
    yield "chance", np.array(result.chance)


def of_each(result: LayerAlignment) -> Mapping[WordPair, np.ndarray]:
    """Each pair's cosine, and the mean of its wrong ones: (layers, 2)."""
    return {
        pair: np.stack([result.cosine[number], result.wrong_cosine[number]], axis=1)
        for number, pair in enumerate(result.pairs)
    }


def assert_same(found: LayerAlignment, right: LayerAlignment, within: float = ROUNDING, ties: int = 0) -> None:
    """Every figure of the list and every pair's cosines are the same.

    Args:
        within: of cosines; of shares of n pairs, `ties` of them may be won by another.
    """
    for (name, ours), (_, theirs) in zip(figures(found), figures(right), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=within * 10 + ties / len(right.pairs), err_msg=name)
    own, other = of_each(found), of_each(right)
    assert own.keys() == other.keys()
    for pair in own:
        np.testing.assert_allclose(own[pair], other[pair], rtol=0, atol=within, err_msg=str(pair))


def test_the_order_of_a_list_changes_no_figure(mini, adapter, words):
    mixed = [words[i] for i in np.random.default_rng(0).permutation(len(words))]
    assert_same(measure(mini.loaded, mixed, adapter), measure(mini.loaded, words, adapter))


def test_pairs_that_are_there_twice_change_no_figure(mini, adapter, words):
    assert_same(measure(mini.loaded, [*words, *words[:20]], adapter), measure(mini.loaded, words, adapter), within=0)


@pytest.mark.parametrize("readout", READOUTS)
def test_company_changes_no_pairs_cosine(mini, adapter, words, readout):
    lens = Lens(readout=readout)
    among, few = (measure(mini.loaded, pairs, adapter, lens) for pairs in (words, words[7:10]))
    for pair, row in of_each(few).items():
        np.testing.assert_allclose(row[:, 0], of_each(among)[pair][:, 0], atol=ROUNDING)


@pytest.mark.parametrize("view", VIEWS)
def test_the_size_of_packs_and_rows_changes_no_figure(mini, adapter, words, view, monkeypatch):
    whole = measure(mini.loaded, words, adapter, Lens(view=view))
    monkeypatch.setattr("tli_core.encoding.pooled_states.MAX_BATCH_TOKENS", 40)
    in_small_packs = measure(mini.loaded, words, adapter, Lens(view=view))
    assert_same(in_small_packs, whole)


def test_threads_change_no_figure(mini, adapter, words):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = measure(mini.loaded, words, adapter)
        torch.set_num_threads(4)
        assert_same(measure(mini.loaded, words, adapter), one)
    finally:
        torch.set_num_threads(before)


def test_a_fine_tune_beside_it_changes_no_bit(mini, adapter, words):
    """Before, while and after somebody else trains on the same base, and reads it with other adapters."""
    before = measure(mini.loaded, words, adapter)
    steps: list[int] = []
    asked = threading.Event()

    def train() -> None:
        for step in train_adapter(mini.loaded, shipped("train")[:32], configured("corrected", epochs=4)):
            steps.append(getattr(step, "step", -1))
            if len(steps) == 2:
                asked.set()

    trainer = threading.Thread(target=train)
    trainer.start()
    assert asked.wait(60)
    while trainer.is_alive():
        meanwhile = measure(mini.loaded, words, adapter)
        assert_same(meanwhile, before, within=0)
    trainer.join()
    assert len(steps) > 4
    assert_same(measure(mini.loaded, words, adapter), before, within=0)


@GPU
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_gpu_gives_the_figures_of_a_cpu(dtype, mini, words):
    """In float32 to rounding; in bf16 within what its eight bits allow, and few words are found otherwise."""
    there = base("cuda", dtype)
    for on_cpu, on_gpu in ((None, None), (mini.adapter, there.adapter)):
        exact = dtype == torch.float32
        found, right = measure(there.loaded, words, on_gpu), measure(mini.loaded, words, on_cpu)
        assert_same(found, right, within=1e-4 if exact else 0.03, ties=1 if exact else 4)
