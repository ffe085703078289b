"""Every language pair that ships is whole: names, prompts, frames, and a lexicon whose splits share no word."""

import pytest

from tli_core.lists.language_pair import DEFAULT, language, language_pair, language_pairs
from tli_core.lists.lexicon import SPLITS, lexicon, shipped, shipped_sentences
from tli_core.lists.lint import lint
from tli_core.lists.pairs import normalise

CLDR = ("af", "am", "ar", "fr", "ha", "ig", "om", "pt", "rw", "so", "ti", "xh", "yo", "zu")
SYNONYMS = "en-en"
SHIPPED = (DEFAULT, *sorted((SYNONYMS, *(f"{code}-en" for code in CLDR))))


def test_what_ships_is_what_is_tested():
    assert language_pairs() == SHIPPED


@pytest.mark.parametrize("key", SHIPPED)
def test_a_pair_is_whole(key):
    pair = language_pair(key)
    assert f"{pair.source.code}-{pair.target.code}" == pair.key == key
    assert len(pair.source.name) > 3 and (pair.source.name != pair.target.name or key == SYNONYMS)
    for text in (*pair.source.frames, *pair.target.frames, *pair.asks):
        assert text.count("{word}") == 1
    # A word's vector is the mean over frames of the same meaning, so both languages have as many.
    assert len(pair.source.frames) == len(pair.target.frames) == 3
    assert len({len(side.sentences) for side in (pair.source, pair.target) if side.sentences}) == 1
    to_target, to_source = pair.translations
    assert "maji" in to_target.fill("maji", "water") and "water" not in to_target.fill("maji", "water")
    assert "water" in to_source.fill("maji", "water") and "maji" not in to_source.fill("maji", "water")
    assert len({template.name for template in pair.templates}) == len(pair.templates) or key == SYNONYMS


@pytest.mark.parametrize("key", SHIPPED)
def test_its_splits_share_no_word_in_either_language(key):
    splits = {DEFAULT: set(SPLITS), SYNONYMS: {"control", "pool"}}.get(key, {"train", "control", "pool"})
    assert {entry.split for entry in lexicon(key)} == splits
    seen: dict[str, str] = {}
    for split in SPLITS:
        words = {(side, normalise(word)) for pair in shipped(split, key) for side, word in enumerate(pair[:2])}
        assert not words & seen.keys(), split
        seen |= dict.fromkeys(words, split)


@pytest.mark.parametrize("key", SHIPPED)
def test_its_held_out_list_is_long_enough_and_has_nothing_to_mend(key):
    control = shipped("control", key)
    assert len(control) >= 100 and len(lexicon(key)) >= (130 if key == SYNONYMS else 150)
    findings = lint(control, languages=key)
    assert not [finding for finding in findings if finding.fix and finding.kind != "same spelling"]
    assert not [finding for finding in findings if finding.kind == "wrong language"]


def test_the_sentences_that_ship_are_a_hundred_pairs_and_none_is_of_those_for_perplexity():
    pair, sentences = language_pair(), shipped_sentences()
    assert len({pair[0] for pair in sentences}) == len({pair[1] for pair in sentences}) == 100
    assert not {text for pair in sentences for text in pair[:2]} & {*pair.source.sentences, *pair.target.sentences}
    assert not shipped_sentences("fr-en")


def test_any_two_languages_can_be_named():
    pair = language_pair("de-nl")
    assert pair.names == ("German", "Dutch") and pair.lexicon is None and not shipped("control", "de-nl")
    assert language("qqq").name == "qqq"


@pytest.mark.parametrize("key", ["latin_greek", "../sw-en", "sw-en/..", "fr", ""])
def test_what_names_no_two_languages_is_refused(key):
    with pytest.raises(ValueError, match="names no two languages: give their codes, as in fr-en; there are lists of"):
        language_pair(key)
