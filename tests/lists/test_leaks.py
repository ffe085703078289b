"""Words that were trained on are found in a held-out list in whatever form, and other words are not."""

import pytest

from tli_core.lists.leaks import leak_notice, leaks_of
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair

TRAINED = (
    WordPair("kitabu", "book"),
    WordPair("kufungua", "to open"),
    WordPair("mtu", "person"),
    WordPair("mwalimu", "teacher"),
    WordPair("gari", "car", ("automobile",)),
    WordPair("kusoma", "to read"),
    WordPair("mti", "tree"),
    WordPair("mji", "city"),
)


@pytest.mark.parametrize(
    ("held_out", "met"),
    [
        (WordPair("Kitabu", "volume"), {"Kitabu": "kitabu"}),
        (WordPair("vitabu", "books"), {"vitabu": "kitabu", "books": "book"}),
        (WordPair("fungua", "unlock"), {"fungua": "kufungua"}),
        (WordPair("-fungua", "loosen"), {"-fungua": "kufungua"}),
        (WordPair("watu", "people"), {"watu": "mtu"}),
        (WordPair("walimu", "staff"), {"walimu": "mwalimu"}),
        (WordPair("miti", "woods"), {"miti": "mti"}),
        (WordPair("motokaa", "automobile"), {"automobile": "automobile"}),
        (WordPair("motokaa", "vehicle", ("cars",)), {"cars": "car"}),
        (WordPair("somo", "read"), {"read": "to read"}),
        (WordPair("miji", "cities"), {"miji": "mji", "cities": "city"}),
    ],
)
def test_a_trained_word_is_known_in_every_form(held_out, met):
    assert list(leaks_of(TRAINED, [held_out])) == [(0, met)]


def test_other_words_are_no_leaks_and_the_lexicons_splits_hold_none():
    others = (WordPair("msichana", "girl"), WordPair("maji", "water"), WordPair("kula", "to eat"))
    assert list(leaks_of(TRAINED, others)) == [] and leak_notice(TRAINED, others) is None
    for split in ("control", "reserved"):
        assert leak_notice(shipped("train"), shipped(split)) is None
