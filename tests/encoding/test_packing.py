"""Packed words have the states they would have alone, whatever shares their row."""

import numpy as np
import pytest
import torch

from tli_core.encoding.packing import pack_batches, pack_words
from tli_core.encoding.pooled_states import layer_states, packed, pooled_states
from tli_core.encoding.pooling import EncodedWord, pooling_weights
from tli_core.encoding.tokens import encode

WORDS = ["maji", "a", "moto", "ng'ombe wa maziwa", "to be or not", "x", "maji"]


def words(*lengths: int, bos: int = 1) -> list[EncodedWord]:
    """Words of so many tokens, no two of which begin alike."""
    return [
        EncodedWord((0,) * bos + tuple(range(100 * i, 100 * i + n)), (True,) * bos + (False,) * n)
        for i, n in enumerate(lengths, 1)
    ]


def packs(of, max_tokens=1000, row_tokens=16):
    return list(pack_words(of, [pooling_weights(word, "words") for word in of], max_tokens, row_tokens))


@pytest.mark.parametrize("pooling", ["words", "all", "last"])
def test_packed_words_equal_words_alone(tiny, pooling):
    with tiny.using(None) as model:
        together = pooled_states(model, tiny.tokenizer, WORDS, pooling).vectors
        for i, word in enumerate(WORDS):
            ids = torch.tensor([tiny.tokenizer(word)["input_ids"]])
            with torch.inference_mode():
                hidden = model(ids, output_hidden_states=True).hidden_states
            weights = torch.from_numpy(pooling_weights(encode(tiny.tokenizer, [word])[0], pooling))
            alone = torch.stack([(layer[0] * weights[:, None]).sum(dim=0) for layer in hidden])
            torch.testing.assert_close(together[:, i], alone, rtol=1e-5, atol=1e-6)


def test_gradients_flow_through_shared_beginnings_as_through_separate_ones(tiny):
    encoded = encode(tiny.tokenizer, WORDS)
    with tiny.using(None) as model:
        weight = model.model.layers[0].self_attn.q_proj.weight.requires_grad_(True)
        together = layer_states(model, encoded, 2, "all")
        (shared,) = torch.autograd.grad(together.square().sum(), weight)
        alone = torch.cat([layer_states(model, [word], 2, "all") for word in encoded])
        (separate,) = torch.autograd.grad(alone.square().sum(), weight)
        weight.requires_grad_(False)
    assert (shared - separate).norm() / separate.norm() < 1e-5


def test_bos_is_there_once_a_row_and_little_is_padded():
    (pack,) = packs(words(3, 4, 5, 2))
    assert pack.ids.shape == (1, 16) and int((pack.ids[0] == 0).sum()) == 1 + 1  # BOS, and one token of padding
    assert sorted(pack.slots.tolist()) == [0, 1, 2, 3]
    assert pack.positions[0, :6].tolist() == [0, 1, 2, 3, 1, 2]


def test_every_word_sees_bos_and_its_own_past_only():
    (pack,) = packs(words(2, 2))
    # BOS, a1, a2, b1, b2
    assert pack.mask[0, :5, :5].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [1, 0, 0, 1, 1],
    ]
    assert pack.mask[0].any(dim=1).all()


def test_packs_keep_to_their_size_and_a_long_word_gets_a_row():
    found = packs(words(*[3] * 40, 30), max_tokens=64, row_tokens=16)
    assert sum(len(pack.slots) for pack in found) == 41
    assert all(pack.ids.numel() <= 96 for pack in found)
    assert max(pack.ids.shape[1] for pack in found) == 32


def test_several_batches_are_laid_out_as_each_would_be_alone():
    of = words(3, 9, 1, 60, 70, 2, 5, 5)
    weights = [pooling_weights(word, "all") for word in of]
    together = pack_batches(of, weights, [3, 4, 1], round_to=(32, 8))
    begin = 0
    for pack, size in zip(together, [3, 4, 1], strict=True):
        part = slice(begin, begin + size)
        (alone,) = pack_batches(of[part], weights[part], [size], round_to=(32, 8))
        for ours, its in zip(pack.tensors(), alone.tensors(), strict=True):
            assert torch.equal(ours, its)
        begin += size
    assert [tuple(pack.ids.shape) for pack in together] == [(1, 32), (2, 96), (1, 32)]


def test_within_a_row_words_have_places_in_the_order_of_the_list():
    (pack,) = packs(words(2, 5, 3))
    hidden = torch.randn(1, pack.ids.shape[1], 4)
    assert pack.slots.tolist() == [0, 1, 2]
    by_slot = torch.bmm(pack.weights, hidden).flatten(0, 1).index_select(0, pack.slots)
    torch.testing.assert_close(pack.pool(hidden, pack.weights), by_slot)


def test_without_bos_nothing_is_shared():
    (bare,) = packs(words(2, 3, bos=0))
    assert bare.positions[0, :5].tolist() == [0, 1, 0, 1, 2] and not bare.mask[0, 2, 0]


def test_words_share_what_they_begin_with():
    written = [(0, 7, 8), (0, 5), (0, 7), (0, 7, 8, 9), (0, 7, 8)]
    (pack,) = packs([EncodedWord(ids, (True,) + (False,) * (len(ids) - 1)) for ids in written])
    # BOS, 5, 7, 7 8, 7 8 9
    assert pack.ids[0, :6].tolist() == [0, 5, 7, 8, 9, 0] and pack.positions[0, :5].tolist() == [0, 1, 1, 2, 3]
    assert pack.mask[0, :5, :5].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 1, 1, 0],
        [1, 0, 1, 1, 1],
    ]
    # Whatever the order of the tokens, words are in the order of the list.
    assert (pack.weights[0, pack.slots] > 0)[:, 1:5].int().tolist() == [
        [0, 1, 1, 0],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 1],
        [0, 1, 1, 0],
    ]


def test_a_row_that_is_full_begins_another_with_what_its_words_begin_with():
    written = [(0, 7, 8, i) for i in range(20, 30)]
    (pack,) = packs([EncodedWord(ids, (True,) + (False,) * 3) for ids in written], row_tokens=8)
    assert pack.ids.tolist() == [[0, 7, 8, *range(20, 25)], [0, 7, 8, *range(25, 30)]]
    assert pack.mask[:, 3:, :3].all() and pack.mask[0, 3:, 3:].equal(torch.eye(5, dtype=torch.bool))


def test_words_of_two_languages_share_their_own_sentences_beginning():
    one = [EncodedWord((0, 7, 8, 9, i), (True,) * 4 + (False,)) for i in (20, 21)]
    swallowed = EncodedWord((0, 7, 8, 22), (True,) * 3 + (False,))
    other = [EncodedWord((0, 3, i), (True,) * 2 + (False,)) for i in (23, 24, 25)]
    (pack,) = packs([*one, swallowed, *other])
    assert pack.ids[0, :11].tolist() == [0, 3, 23, 24, 25, 7, 8, 9, 20, 21, 22]
    assert pack.prefix_weights.sum() == 0 and pack.slots.tolist() == list(range(6))


def test_weights_of_every_word_sum_to_one(tiny):
    encoded = encode(tiny.tokenizer, WORDS)
    for pooling in ("words", "all", "last"):
        for pack in packed(encoded, pooling):
            sums = pack.weights.sum(dim=2).flatten()[pack.slots]
            assert sums.numpy() == pytest.approx(np.ones(len(WORDS)))
            assert bool(pack.prefix_weights.any()) == (pooling == "all")
