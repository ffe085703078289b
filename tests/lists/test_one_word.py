"""A word that is typed alone gets its translations, whichever of the two languages it is in."""

import pytest

from tli_core.lists.one_word import (
    FORM,
    IN_BOTH,
    KNOWN,
    LETTERS,
    SAID,
    ReadWord,
    beginning_with,
    close_to,
    completed,
    read_word,
    translations_of,
    words_alone,
)
from tli_core.lists.pairs import WordPair


def test_a_word_of_either_language_is_known_and_an_infinitive_without_its_mark():
    assert [pair.target for pair in translations_of("kupanda")][:2] == ["to climb", "to plant"]
    assert WordPair("maji", "water") in translations_of("Water")
    assert any(pair.target == "to climb" for pair in translations_of("climb"))
    assert translations_of("tarakilishi") == ()


def test_words_alone_become_pairs_with_their_other_translations_as_glosses():
    (climb,) = completed("kupanda")
    assert climb.target == "to climb" and "to plant" in climb.glosses
    assert [pair.source for pair in completed("maji\nmoto")] == ["maji", "moto"]
    assert completed("maji\ntarakilishi") == () and completed("chien", "fr-en")[0].target == "dog"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("kitbau", "kitabu"), ("mjai", "maji"), ("rafik", "rafiki"), ("wter", "water"), ("Kitabuu", "kitabu")],
)
def test_a_slip_of_the_hand_is_known_by_its_letters(typed, meant):
    assert close_to(typed)[0] == meant


@pytest.mark.parametrize("typed", ["selfie", "nilikula", "привет", "x" * 60])
def test_a_word_of_its_own_is_taken_for_no_slip(typed):
    assert close_to(typed) == ()


def test_pairs_and_long_lists_are_no_words_alone():
    assert words_alone("maji, water") == words_alone("maji = water") == words_alone("neno\n" * 50) == ()


def test_the_language_of_a_word_is_the_lexicons_else_that_of_its_letters():
    assert read_word("Maji") == ReadWord("maji", "Swahili", KNOWN, ("water",))
    assert read_word("READ") == ReadWord("to read", "English", KNOWN, ("kusoma",))
    assert (read_word("mate").by, read_word("mate").language) == (IN_BOTH, "Swahili")
    assert read_word("tarakilishi") == ReadWord("tarakilishi", "Swahili", LETTERS, ())
    assert read_word("throughput").language == "English"
    assert read_word("chien", "fr-en").language == "French"


def test_a_language_that_is_said_holds_and_brings_no_translations_of_the_other_ones_word():
    assert read_word("maji", language="English") == ReadWord("maji", "English", SAID, ())
    assert read_word("mate", language="English").listed == ("mwenzi",)


def test_a_word_that_is_noun_and_verb_has_the_translations_of_both():
    assert {"kuacha", "kuondoka", "likizo"} <= set(read_word("leave").listed) and read_word("leave").word == "leave"


@pytest.mark.parametrize(
    "typed", ['"maji"', "“maji”", "*maji*", "<b>maji</b>", "ma\u200bji", "Maji.", "maji!", " maji "]
)
def test_what_stands_around_a_word_is_no_part_of_it(typed):
    assert read_word(typed) == read_word("maji")


@pytest.mark.parametrize("typed", ["", "  ", "123", "?!", "😀", "<s>", "x" * 500])
def test_what_is_no_word_is_refused_in_one_sentence(typed):
    with pytest.raises(ValueError, match=r"\w.*[:.]"):
        read_word(typed)


def test_words_that_begin_so_are_of_both_languages_and_few():
    assert "maji" in beginning_with("maj") and "water" in beginning_with("WAT")
    assert "to climb" in beginning_with("clim") and "Monday" in beginning_with("mond")
    assert len(beginning_with("k")) == 8 and beginning_with("  ") == beginning_with("<b>") == ()


@pytest.mark.parametrize(
    ("typed", "language", "known"),
    [
        ("watoto", "Swahili", "mtoto"),
        ("vitabu", "Swahili", "kitabu"),
        ("macho", "Swahili", "jicho"),
        ("books", "English", "book"),
    ],
)
def test_another_form_of_a_word_that_the_lexicon_has_is_of_its_language_and_offered(typed, language, known):
    assert read_word(typed) == ReadWord(typed, language, FORM, (), known)
    assert close_to(typed)[0] == known
