"""Which words look alike, what letters alone find, and what a verdict makes of both."""

import numpy as np
import pytest

from tests.planted import WIDTH, measured, shared, unlike_pairs
from tli_core.lists.lexicon import shipped
from tli_core.lists.look_alike import look_alikes, similarity
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.spelling import spelling_alone
from tli_core.measures.verdicts import RankChange, change, ranks_verdict, verdict
from tli_core.models.loaded_model import load_model
from tli_core.models.placement import Placement
from tli_core.reports.messages import curve_sentence


def test_similarity_by_hand():
    # ^a, a, ab, ab$, b, b$, ^ab of both; the second has c, bc … beside them.
    assert similarity(("ab",), ("AB", "áb", "xy")).tolist()[0] == pytest.approx([1, 1, 0])
    assert similarity(("ab",), ("to ab",))[0, 0] == pytest.approx(1)
    assert similarity(("a1",), ("b1",))[0, 0] == similarity(("12",), ("12",))[0, 0] == 0


@pytest.mark.parametrize(
    ("source", "target", "alike"),
    [
        ("volkano", "volcano", True), ("juisi", "juice", True), ("simba", "silk", True), ("2024", "2024", True),
        ("maji", "water", False), ("kitabu", "book", False), ("mbwa", "dog", False), ("maji!", "fire!", False),
        ("maji (n.)", "water (n.)", False), ("maji [n]", "water [n]", False), ("juisi (n.)", "juice", True),
    ],
)  # fmt: skip
def test_what_looks_alike(source, target, alike):
    assert look_alikes((WordPair(source, target),)).tolist() == [alike]


def test_letters_alone_find_loans_and_no_more():
    pairs = tuple(map(WordPair, ("volkano", "maji", "juisi"), ("volcano", "water", "juice")))
    sides = tuple(zip(*(pair[:2] for pair in pairs), strict=True))
    assert spelling_alone(pairs, np.eye(3, dtype=bool), sides) == (2 / 3, 1)


LURES = (
    "simba", "silk", "samaki", "sample", "maji", "major", "kitabu", "kite", "mti", "mist", "paka", "pack",
    "ndege", "ending", "nyumba", "number",
)  # fmt: skip


@pytest.fixture(scope="module")
def mini():
    return load_model("lugha-mini", Placement("cpu"))


def test_what_spelling_alone_would_earn_is_not_called_aligned(mini):
    """Words that no training saw are found by their spelling, and pairs that only look alike are as well."""
    reserved = measure(mini, shipped("reserved"))
    assert {verdict(reserved, layer) for layer in range(len(reserved.names))} == {"spelling"}
    lures = tuple(map(WordPair, LURES[::2], LURES[1::2]))
    lured = measure(mini, lures)
    assert {verdict(lured, layer) for layer in range(len(lured.names))} <= {"spelling", "not discriminative"}


@pytest.mark.parametrize(
    ("gained_beyond", "p_apart", "said"),
    [
        (0.01, 0.01, "spelling"),
        (0.01, 0.03, "no clear change"),
        (0.01, np.nan, "no clear change"),
        (0.06, 0.01, "no clear change"),
    ],
)
def test_a_gain_is_of_spelling_only_where_other_pairs_surely_gained_less(gained_beyond, p_apart, said):
    ranks = RankChange(0.05, (0.02, 0.08), 0.02, 0.05, (0.02, 0.08), gained_beyond, 0.03, p_apart)
    sure = np.ones(2, dtype=bool)
    assert ranks_verdict(dict.fromkeys(DIRECTIONS, ranks), sure, sure, 0.1, 0.1) == said


def gained(drawn, n: int, unlike: float, alike: float) -> str:
    """The verdict on a list of which every other pair looks alike, where pairs of both kinds share more than before."""
    pairs = tuple(WordPair(p.source, f"{p.source}o") if i % 2 else p for i, p in enumerate(unlike_pairs(n)))
    both, *noise = (drawn.normal(size=(1, n, WIDTH)) for _ in range(5))
    more = np.where(np.arange(n) % 2, alike, unlike)[:, None]
    before = tuple(0.6 * both + own for own in noise[:2])
    after = tuple((0.6 + more) * both + own + 0.35 * moved for own, moved in zip(noise[:2], noise[2:], strict=True))
    return change(measured(pairs, before), measured(pairs, after), 0).verdict


def test_a_change_is_of_spelling_where_look_alikes_alone_gained_and_not_where_all_did():
    drawn = np.random.default_rng(0)
    assert [gained(drawn, 150, 0, 0.4) for _ in range(20)].count("spelling") >= 19
    said = [gained(drawn, 300, 0.07, 0.07) for _ in range(100)]
    assert said.count("spelling") <= 5 and said.count("no clear change") < 100


def test_of_others_that_are_too_few_nothing_is_said():
    """Of 24 pairs 23 look alike: a single other one cannot be told from chance."""
    alike = tuple(WordPair(pair.source, f"{pair.source}s") for pair in unlike_pairs(23))
    result = measured((*alike, *unlike_pairs(24)[23:]), shared(np.random.default_rng(0), 24, 2, 2.0))
    assert verdict(result, 0) == "spelling"
    assert "the others are too few to tell" in curve_sentence(result, "tiny")
