"""Which column is which language is told right on words that the guess was not fitted on, or is not told."""

import random

import pytest

from tli_core.lists import language_guess
from tli_core.lists.language_guess import leanings, sides
from tli_core.lists.language_pair import language_pairs
from tli_core.lists.lexicon import lexicon

OTHERS = [key for key in language_pairs() if key != "en-en"]


@pytest.fixture(scope="module")
def other_half():
    """Fit the guess on one half of each list; the pairs of the other half, by the key of their languages."""
    sizes = {key: len(lexicon(key)) for key in OTHERS}
    fitted_on = {key: set(random.Random(key).sample(range(size), size // 2)) for key, size in sizes.items()}

    def half(key: str):
        return tuple(entry for i, entry in enumerate(lexicon(key)) if i in fitted_on.get(key, ()))

    language_guess._fitted.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language_guess, "lexicon", half)
        yield {key: [e.pair for i, e in enumerate(lexicon(key)) if i not in fitted_on[key]] for key in OTHERS}
    language_guess._fitted.cache_clear()


@pytest.mark.parametrize("key", OTHERS)
def test_no_column_is_taken_for_the_other_and_thirty_pairs_nearly_always_tell(other_half, key: str):
    chance = random.Random(key)
    for size in (3, 10, 30):
        told = 0
        for _ in range(40):
            pairs = chance.sample(other_half[key], size)
            source, target = ([pair[side] for pair in pairs] for side in (0, 1))
            found, turned = sides(source, target, *key.split("-")), sides(target, source, *key.split("-"))
            assert found.order != -1 and turned.order != 1
            told += found.order == 1 and turned.order == -1
        assert size < 30 or told >= 34


@pytest.mark.parametrize("key", OTHERS)
def test_two_columns_of_one_language_are_known_and_two_languages_are_not_taken_for_one(other_half, key: str):
    chance, pairs = random.Random(key), other_half[key]
    known = 0
    for _ in range(20):
        one, two = (chance.sample([pair.target for pair in pairs], 30) for _ in range(2))
        english = sides(one, two, *key.split("-"))
        known += english.same == "en"
        assert english.order == 0 or not english.same
        some = chance.sample(pairs, 30)
        assert not sides([pair.source for pair in some], [pair.target for pair in some], *key.split("-")).same
    # French looks most like English.
    assert known >= 5


def test_a_language_of_which_no_list_ships_is_any_other_and_nothing_is_told_of_two_such():
    english, ganda = ["water", "dog", "school", "to read"], ["amazzi", "embwa", "essomero", "okusoma"]
    assert sides(ganda, english, "lg", "en").order == 1 and sides(english, ganda, "lg", "en").order == -1
    assert not leanings(ganda, "lg", "ki").any() and not sides(ganda, english, "lg", "ki").order


def test_few_rows_and_rows_that_return_tell_nothing():
    assert sides(["water", "dog"], ["maji", "mbwa"], "sw", "en").order == 0
    assert sides(["water"] * 50, ["maji"] * 50, "sw", "en").order == 0
