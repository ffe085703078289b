"""A calibration finds what was planted, in the way of reading that it was planted for, and nothing else."""

import numpy as np
import pytest

from tests.measures.test_planted_truths import HIDDEN, PAIRS, planted, shared_pairs, unit
from tli_core.lists.lexicon import shipped
from tli_core.lists.look_alike import look_alikes
from tli_core.lists.pairs import WordPair
from tli_core.measures.calibration import (
    ASKED_ABOUT,
    KNOWN,
    LETTERS,
    LOOK_ALIKE,
    MUST_NOT,
    SHUFFLED,
    calibrate,
    wrong_lists,
)
from tli_core.reports.calibration import calibration_rows, calibration_sentence

HALF = PAIRS[:30], PAIRS[30:]


@pytest.fixture(autouse=True)
def few_ways(monkeypatch):
    """The planted tokenizer knows whole words only."""
    monkeypatch.setattr("tli_core.measures.calibration.TRIED", ("words", "last"))


def test_what_is_planted_is_found_and_wrong_pairs_are_not():
    found = calibrate(planted(*shared_pairs()), (HALF[0], "sw-en"), (HALF[1], "sw-en"))
    assert {of.list for of in found.readings} == {KNOWN, ASKED_ABOUT, *MUST_NOT}
    assert ("words", "raw") in found.usable and len(found.readings) == 5 * 2 * 4
    of = found.of("words", "raw")
    assert of[KNOWN].found == of[ASKED_ABOUT].found == of[KNOWN].layers and min(of[ASKED_ABOUT].p_at_1) > 0.8
    assert not any(of[name].found for name in MUST_NOT)
    rows = calibration_rows(found)
    assert rows[0][:2] == ("read", "view") and len(rows) == 1 + 2 * 4
    assert "8 ways of reading find what planted surely knows" in calibration_sentence(found)
    assert "on the 15 pairs that picked neither" in calibration_sentence(found)
    same = calibrate(planted(*shared_pairs()), (HALF[0], "sw-en"), (HALF[0], "sw-en"))
    assert calibration_sentence(same).endswith("The pairs asked about are the same, so nothing else is said of them.")


def test_a_model_that_finds_nothing_is_unreadable_and_not_called_unaligned():
    noise = planted(unit(60, HIDDEN, seed=1), unit(60, HIDDEN, seed=2))
    found = calibrate(noise, (HALF[0], "sw-en"), (HALF[1], "sw-en"))
    assert not found.usable
    said = calibration_sentence(found)
    assert "planted is unreadable" in said or "it is unreadable by this lens" in said
    assert "not aligned" in said and "says nothing of the other pairs" in said


def test_short_lists_are_found_too_and_of_fewer_than_five_pairs_nothing_is_said():
    """Of fewer than twenty pairs no more can be said than that they are found above chance."""
    loaded = planted(*shared_pairs())
    found = calibrate(loaded, (HALF[0][:12], "sw-en"), (HALF[1][:12], "sw-en"))
    of = found.of("words", "raw")
    assert of[KNOWN].found and of[ASKED_ABOUT].found and ("words", "raw") in found.usable
    assert "8 of these 8 find more than spelling and chance do" in calibration_sentence(found)
    with pytest.raises(ValueError, match="Of the list “must be found” nothing can be said, as it has 4 pairs"):
        calibrate(loaded, (HALF[0][:4], "sw-en"), (HALF[1], "sw-en"))


def test_a_list_that_the_model_may_not_know_is_said_to_be_so():
    source, target = shared_pairs()
    source[:30], target[:30] = unit(30, HIDDEN, seed=3), unit(30, HIDDEN, seed=4)
    found = calibrate(planted(source, target), (HALF[0], "sw-en"), (HALF[1], "sw-en"))
    assert not found.usable and "planted may not know these" in calibration_sentence(found)


def test_wrong_lists_hold_no_right_pair_and_lures_look_alike():
    pairs = (*shipped("control"), WordPair("maji", "liquid", ("water",)))
    made = wrong_lists(pairs, seed=0)
    right = {(pair.source, word) for pair in pairs for word in pair.accepted}
    for name in (SHUFFLED, LOOK_ALIKE):
        assert not right & {(pair.source, pair.target) for pair in made[name]}
    assert sorted(pair.source for pair in made[SHUFFLED]) == sorted(pair.source for pair in pairs)
    # Many lures look alike, more than right pairs do by chance.
    assert np.mean(look_alikes(made[LOOK_ALIKE])) > 3 * np.mean(look_alikes(pairs))
    twice = (WordPair("maji", "water"), WordPair("majimaji", "water"), WordPair("moto", "fire"))
    assert all(pair.target == "fire" or pair.source == "moto" for pair in wrong_lists(twice, seed=0)[SHUFFLED])
    assert wrong_lists(twice[2:], seed=0)[LOOK_ALIKE] == ()
    words = [word for pair in made[LETTERS] for word in pair[:2]]
    assert len(set(words)) == 2 * len(pairs)
    assert wrong_lists(pairs, seed=0) == made
