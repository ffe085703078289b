"""Batches come in the run's order, small ones several at a time, each as it would alone."""

from dataclasses import replace

import pytest
import torch

import tli_core.training.batches
from tli_core.lists.pairs import WordPair
from tli_core.training.batches import TrainingPairs, batches
from tli_core.training.presets import PRESETS

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [4, 7, 30])
def test_batches_are_the_same_however_many_are_made_at_a_time(tiny, pairs, monkeypatch, size):
    config = replace(PRESETS["published"], batch_size=size, epochs=2)
    order = list(batches(len(pairs), config))

    def made(ahead):
        monkeypatch.setattr(tli_core.training.batches, "AHEAD", ahead)
        return list(TrainingPairs.of(tiny, pairs, config).ready(order, CPU))

    alone, together = made(1), made(20)
    assert [epoch for epoch, _ in together] == [epoch for epoch, _ in order]
    for (_, one), (_, other) in zip(alone, together, strict=True):
        for ours, its in zip(one.tensors(), other.tensors(), strict=True):
            assert torch.equal(ours, its)


def test_words_are_tokenised_when_their_batch_comes(tiny, pairs, monkeypatch):
    seen = []
    real = tli_core.training.batches.encode_in
    monkeypatch.setattr(
        tli_core.training.batches,
        "encode_in",
        lambda tokenizer, words, *how: seen.append(words) or real(tokenizer, words, *how),
    )
    monkeypatch.setattr(tli_core.training.batches, "AHEAD", 8)
    config = replace(PRESETS["published"], batch_size=4)
    ready = TrainingPairs.of(tiny, pairs, config).ready(batches(len(pairs), config), CPU)
    next(ready)
    assert [len(words) for words in seen] == [16]


def test_what_is_right_for_a_word_is_marked_in_its_row(tiny):
    pairs = [WordPair("nyumba", "house"), WordPair("jua", "sun"), WordPair("nyumba", "home"), WordPair("jua", "know")]
    ready = TrainingPairs.of(tiny, pairs, PRESETS["published"]).ready([(1, range(4))], CPU)
    ((_, batch),) = ready
    assert batch.same[0].int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
