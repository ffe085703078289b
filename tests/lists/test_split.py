"""A list is divided by chance into parts that share no word in any form."""

import pytest

from tli_core.lists.leaks import leaks_of
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.lists.split import split


@pytest.mark.parametrize("seed", range(5))
def test_no_word_of_one_part_is_in_the_other(seed):
    pairs = (*shipped("train"), *shipped("control"))
    found = split(pairs, 0.2, seed)
    train, test = ([pairs[i] for i in part] for part in (found.train, found.test))
    assert sorted((*found.train, *found.test)) == list(range(len(pairs)))
    assert not list(leaks_of(train, test)) and not list(leaks_of(test, train))
    assert 0.15 * len(pairs) < len(test) <= 0.2 * len(pairs)


def test_forms_and_glosses_keep_pairs_together_and_the_seed_decides():
    pairs = [WordPair("kitabu", "book"), WordPair("vitabu", "books"), WordPair("haki", "justice", ("right",))]
    pairs += [WordPair("kulia", "right"), *shipped("train")[:30]]
    for seed in range(10):
        test = set(split(pairs, 0.3, seed).test)
        assert (0 in test) == (1 in test) and (2 in test) == (3 in test)
    assert split(pairs, 0.3, 1) == split(pairs, 0.3, 1) != split(pairs, 0.3, 2)
    assert split(pairs, 0.3, 1).held_together >= 4


def test_what_cannot_be_divided_is_said():
    with pytest.raises(ValueError, match="too few"):
        split(shipped("train")[:5])
    with pytest.raises(ValueError, match="none can be set apart"):
        split([WordPair(f"neno{i}", "word") for i in range(20)])
    with pytest.raises(ValueError, match="between 0 and 1"):
        split(shipped("train"), 1.5)
