"""How a word becomes a vector: which text it stands in, which tokens are its own, and what a view takes away."""

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.conftest import character_tokenizer
from tli_core.encoding.lens import Lens
from tli_core.encoding.pair_states import embed_by_readout, embed_pairs, word_states
from tli_core.encoding.pooling import WEIGHTED, EncodedWord, pooling_weights
from tli_core.encoding.readouts import READOUTS, readout, texts_of
from tli_core.encoding.tokens import encode_in, text_space
from tli_core.encoding.views import viewed
from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair

PAIRS = (WordPair("maji", "water"), WordPair("moto", "fire"), WordPair("maji", "waters"))


def own_text(tokenizer, word: EncodedWord) -> str:
    return tokenizer.decode([token for token, special in zip(word.ids, word.special, strict=True) if not special])


@pytest.mark.parametrize("word", ["maji", "{word}", "says", "ng'ombe", "e"])
def test_in_a_sentence_the_words_tokens_are_its_own_wherever_it_stands(word):
    tokenizer, of = character_tokenizer(), readout("in_context")
    for text in texts_of(of, language_pair().target, language_pair()):
        (found,) = encode_in(tokenizer, [word], of, text)
        assert own_text(tokenizer, found) == word and found.special[0]
        # What stands behind the word changes nothing in a causal model, and is left out.
        assert tokenizer.decode(found.ids, skip_special_tokens=True) == text.partition("{word}")[0] + word


def test_a_word_in_a_sentence_is_what_the_whole_model_makes_of_it_there(tiny):
    text = "People say {word} every day."
    begin, end = 1 + text.index("{"), 1 + text.index("{") + len("water")  # BOS first, a token a letter
    with torch.no_grad(), tiny.using(None) as model:
        ids = torch.tensor([tiny.tokenizer(text.replace("{word}", "water"))["input_ids"]])
        states = model(ids, output_hidden_states=True).hidden_states[2][0]
    pair = language_pair()
    one = replace(pair.target, frames=(text,))
    lens = Lens(readout="in_context")
    ours = word_states(tiny, ["water"], one, None, 2, lens)
    torch.testing.assert_close(ours[0], states[begin:end].mean(dim=0), atol=1e-5, rtol=1e-4)


def test_a_word_asked_for_is_the_last_token_of_its_prompts_on_average(tiny):
    asked = embed_pairs(tiny, PAIRS, None, "asked").source[1]  # (a, d)
    each = []
    with torch.no_grad(), tiny.using(None) as model:
        for prompt in language_pair().asks:
            ids = torch.tensor([tiny.tokenizer(prompt.replace("{word}", "moto"))["input_ids"]])
            each.append(model(ids, output_hidden_states=True).hidden_states[1][0, -1])
    torch.testing.assert_close(asked[1], torch.stack(each).mean(dim=0), atol=1e-5, rtol=1e-4)


def test_all_readouts_together_are_what_each_is_alone(tiny):
    together = embed_by_readout(tiny, PAIRS, None, tuple(READOUTS))
    for key, states in together.items():
        alone = embed_pairs(tiny, PAIRS, None, key)
        assert torch.equal(states.source, alone.source) and torch.equal(states.target, alone.target)
        assert states.source.shape[1:] == (2, 16) and states.target.shape[1:] == (3, 16)
    assert not torch.equal(together["words"].source, together["spaced"].source)


def test_a_space_is_put_in_front_unless_the_tokenizer_does_so():
    assert text_space(character_tokenizer()) == " "
    vocabulary = {"<unk>": 0, "▁a": 1, "▁maji": 2}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    llama_2 = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<unk>")
    assert text_space(llama_2) == ""
    assert encode_in(llama_2, ["maji"], readout("spaced"))[0].ids[-1] == 2


def test_weights_by_position_are_those_of_mexa():
    word = EncodedWord((0, 5, 6), (True, False, False))
    assert pooling_weights(word, WEIGHTED).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_what_is_not_there_is_refused_by_name(tiny):
    with pytest.raises(ValueError, match="no readout 'pooled': choose one of spaced, words, asked"):
        Lens(readout="pooled")
    with pytest.raises(ValueError, match="no view 'white': choose one of raw, centred"):
        Lens(view="white")
    with pytest.raises(ValueError, match="German has no sentences here"):
        embed_pairs(tiny, PAIRS, None, "in_context", "de-en")


def test_views_by_hand(tiny):
    pool = embed_pairs(tiny, tuple(WordPair(a, b) for a, b in zip("abcdefgh", "ijklmnop", strict=True)), None)
    states = embed_pairs(tiny, PAIRS, None)
    assert viewed(states, pool, "raw")[0] is states
    centred, of_pool = viewed(states, pool, "centred")
    torch.testing.assert_close(centred.source, states.source - pool.source.mean(dim=1, keepdim=True))
    assert of_pool.target.mean(dim=1).abs().max() < 1e-5
    standardised, of_pool = viewed(states, pool, "standardised")
    torch.testing.assert_close(of_pool.source.std(dim=1), torch.ones_like(of_pool.source[:, 0]))
    torch.testing.assert_close(standardised.target[2], centred.target[2] / pool.target[2].std(dim=0))
    without, of_pool = viewed(states, pool, "without_top")
    assert without.source.norm() < centred.source.norm()
    # One direction of sixteen is gone: that along which the pool spreads most.
    assert torch.linalg.svdvals(of_pool.source[1])[-1] < 1e-4 < torch.linalg.svdvals(pool.source[1])[-1]
