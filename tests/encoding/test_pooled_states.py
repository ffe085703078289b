"""Pooling against transformers' own hidden states, and forward passes that stop where they should."""

import pytest
import torch

import tli_core.encoding.pooled_states
from tli_core.encoding.pooled_states import layer_states, pooled_states
from tli_core.encoding.tokens import encode, length_batches
from tli_core.models.layers import layer_names

WORDS = ["maji", "moto", "ng'ombe", "a", "haba na haba"]


def hidden_states(loaded, word):
    """transformers' hidden states of one word: (layers, t, d), BOS at position 0."""
    ids = torch.tensor([loaded.tokenizer(word)["input_ids"]])
    with torch.no_grad(), loaded.using(None) as model:
        return torch.stack(model(ids, output_hidden_states=True).hidden_states)[:, 0]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("words", lambda states: states[:, 1:].mean(dim=1)),
        ("all", lambda states: states.mean(dim=1)),
        ("last", lambda states: states[:, -1]),
    ],
)
def test_pooling_is_what_it_says_at_every_layer(tiny, pooling, expected):
    with tiny.using(None) as model:
        states = pooled_states(model, tiny.tokenizer, WORDS, pooling).vectors
    assert states.shape == (4, len(WORDS), 16)
    for i, word in enumerate(WORDS):
        torch.testing.assert_close(states[:, i], expected(hidden_states(tiny, word)), rtol=1e-5, atol=1e-6)


def test_stopping_early_gives_the_same_layers_and_runs_no_later_block(tiny):
    ran = []
    with tiny.using(None) as model:
        full = pooled_states(model, tiny.tokenizer, WORDS).vectors
        handles = [
            block.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, block in enumerate(model.model.layers)
        ]
        cut = pooled_states(model, tiny.tokenizer, WORDS, upto=2).vectors
        for handle in handles:
            handle.remove()
    assert torch.equal(cut, full[:3])
    assert set(ran) == {0, 1}


def test_layer_states_of_a_padded_batch_equal_the_pooled_states(tiny):
    encoded = encode(tiny.tokenizer, WORDS)
    with tiny.using(None) as model:
        full = pooled_states(model, tiny.tokenizer, WORDS).vectors
        for layer in range(4):
            torch.testing.assert_close(layer_states(model, encoded, layer, "words"), full[layer], rtol=1e-5, atol=1e-6)


def test_blocks_are_told_as_they_are_done_over_all_packs(tiny, monkeypatch):
    monkeypatch.setattr(tli_core.encoding.pooled_states, "MAX_BATCH_TOKENS", 128)
    told = []
    with tiny.using(None) as model:
        pooled_states(model, tiny.tokenizer, WORDS * 20, progress=lambda done, blocks: told.append((done, blocks)))
    packs = len(told) // 3
    assert packs > 1 and told == [(i, 3 * packs) for i in range(1, 3 * packs + 1)]


def test_batches_hold_words_of_one_length(tiny):
    encoded = encode(tiny.tokenizer, WORDS * 3)
    batches = length_batches(encoded, max_tokens=12)
    assert sorted(i for batch in batches for i in batch) == list(range(15))
    for batch in batches:
        lengths = {len(encoded[i].ids) for i in batch}
        assert len(lengths) == 1 and (len(batch) == 1 or len(batch) * lengths.pop() <= 12)


def test_a_word_that_spells_a_special_token_is_read_as_letters(tiny):
    (encoded,) = encode(tiny.tokenizer, ["<s>"])
    assert len(encoded.ids) == 4 and encoded.special == (True, False, False, False)


def test_unknown_layers_and_poolings_are_refused_by_name(tiny):
    with tiny.using(None) as model:
        with pytest.raises(ValueError, match="no layer 9: this model has layers 0 to 3"):
            pooled_states(model, tiny.tokenizer, ["maji"], upto=9)
        with pytest.raises(ValueError, match="no pooling 'mean': choose one of words, all, last"):
            pooled_states(model, tiny.tokenizer, ["maji"], "mean")


def test_an_empty_word_is_refused(tiny):
    with pytest.raises(ValueError, match="no token of ''"):
        encode(tiny.tokenizer, ["maji", ""])


def test_layer_names_begin_with_embeddings_and_end_with_output():
    assert layer_names(3) == ("embeddings", "block 1", "block 2", "output")
