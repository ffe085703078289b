"""Token by token, base and adapter: the same text as at once, the adapter off between tokens, differences marked."""

import pytest
import torch

from tli_core.lists.pairs import WordPair
from tli_core.measures.generation import continuations
from tli_core.measures.next_tokens import differences, right_word, side_by_side, written
from tli_core.reports.model_card import save_adapter
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured


@pytest.fixture
def adapted(tiny, pairs, tmp_path):
    config = configured("corrected", layer=3, batch_size=10, epochs=3, learning_rate=5e-2)
    *_, trained = train_adapter(tiny, pairs[:20], config)
    return tiny, tiny.add_adapter(save_adapter(trained, tmp_path, "mine")).key


def test_both_write_what_they_write_at_once_and_the_base_is_back_between_two_tokens(adapted):
    loaded, key = adapted
    expected = []
    for which in (None, key):
        with loaded.using(which) as model:
            expected += continuations(model, loaded.tokenizer, ["maji ni"], 12)
    assert expected[0] != expected[1]
    with loaded.using(None) as model:
        plain = model(torch.tensor([[0, 5, 6]])).logits
    steps = 0
    for base, other in side_by_side(loaded, key, "maji ni", 12):  # noqa: B007 (their last values are looked at)
        steps += 1
        with loaded.using(None) as model:
            assert torch.equal(model(torch.tensor([[0, 5, 6]])).logits, plain)
    assert steps > 1 and [base.text, other.text] == expected


def test_the_next_tokens_are_the_likeliest_with_their_probabilities(tiny):
    *_, last = written(tiny, None, "maji", 3)
    with tiny.using(None) as model:
        ids = torch.tensor([tiny.tokenizer("maji")["input_ids"]])
        probabilities = model(ids).logits[0, -1].softmax(-1)
    assert [token.probability for token in last.next_tokens] == pytest.approx(
        sorted(probabilities.tolist(), reverse=True)[:8]
    )
    assert last.text.startswith(last.next_tokens[0].text)


def test_without_an_adapter_there_is_one_text_and_without_a_head_none(tiny):
    *_, (base, other) = side_by_side(tiny, None, "maji", 3)
    assert base.text and other is None
    tiny._model.lm_head = torch.nn.Identity()
    with pytest.raises(ValueError, match="has no output head here"):
        next(written(tiny, None, "maji", 3))


def test_the_right_word_is_ranked_among_the_reference_pool_under_both(adapted):
    loaded, key = adapted
    found = right_word(loaded, key, WordPair("maji", "water"), "to_target")
    assert found.before.candidates == found.after.candidates > 190
    assert 1 <= found.before.rank[0] <= found.before.candidates and found.before.log_probability[0] < 0


def test_differences_are_marked_and_the_texts_stay_whole():
    first, second = differences(" the cat sat here", " the dog sat")
    assert first == [(" the", False), (" cat", True), (" sat", False), (" here", True)]
    assert second == [(" the", False), (" dog", True), (" sat", False)]
    assert differences("", "a") == ([], [("a", True)])
