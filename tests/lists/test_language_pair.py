"""Every language pair that ships is whole: names, prompts, sentences, and a lexicon whose splits share no word."""

import pytest

from tli_core.lists.language_pair import FOLDER, language_pair
from tli_core.lists.lexicon import SPLITS, lexicon, shipped
from tli_core.lists.pairs import normalise

SHIPPED = ("swahili_english",)


def test_what_ships_is_what_is_tested():
    assert {path.parent.name for path in FOLDER.glob("*/pair.yaml")} == set(SHIPPED)


@pytest.mark.parametrize("key", SHIPPED)
def test_a_pair_is_whole(key):
    pair = language_pair(key)
    assert len(pair.source.code) == len(pair.target.code) == 2 and pair.source != pair.target
    assert len(pair.source_sentences) == len(pair.target_sentences) >= 8
    to_target, to_source = pair.translations
    assert "maji" in to_target.fill("maji", "water") and "water" not in to_target.fill("maji", "water")
    assert "water" in to_source.fill("maji", "water") and "maji" not in to_source.fill("maji", "water")
    assert len({template.name for template in pair.templates}) == len(pair.templates)


@pytest.mark.parametrize("key", SHIPPED)
def test_its_splits_share_no_word_in_either_language(key):
    assert {entry.split for entry in lexicon(key)} == set(SPLITS)
    seen: dict[str, str] = {}
    for split in SPLITS:
        words = {normalise(side) for pair in shipped(split, key) for side in pair[:2]}
        assert not words & seen.keys(), split
        seen |= dict.fromkeys(words, split)


def test_an_unknown_pair_is_refused_by_name():
    with pytest.raises(ValueError, match="no language pair 'latin_greek': choose one of swahili_english"):
        language_pair("latin_greek")
