"""What is compared is read at one layer, and the more is compared, the more it takes to be called better."""

from dataclasses import replace

import numpy as np
import pytest

from tests.planted import WIDTH, measured, unlike_pairs
from tli_core.measures.across_models import Compared, measure_compared, standings
from tli_core.measures.verdicts import change
from tli_core.reports.across_models import UNKNOWN, leaderboard_rows, picking_note, standing_sentences
from tli_core.reports.charts import comparison_chart, distinctly_labelled
from tli_core.reports.saved import read_shipped


@pytest.fixture(scope="module")
def shipped():
    """Base, gentle and corrected adapter of lugha-mini on the control list."""
    names = ("lugha-mini", "lugha-mini-mini-gentle", "lugha-mini-mini-corrected")
    results = (read_shipped(f"{name}-sw-en-control-spaced-raw").result for name in names)
    return [Compared(of.provenance.label, of) for of in results]


def test_each_is_set_against_the_first_at_the_layer_that_all_are_read_at(shipped):
    base, gentle, corrected = standings(shipped, "output")
    assert base.change is None and (gentle.change.verdict, corrected.change.verdict) == ("improved", "improved")
    assert [item.layer for item in standings(shipped, 2)] == [2, 2, 2]
    assert standings(shipped, 0)[2].change.verdict == "no clear change"


def test_p_values_are_corrected_for_the_number_of_comparisons(shipped):
    alone, *_ = (item.change for item in standings(shipped[:2], 9)[1:])
    among = standings([*shipped, replace(shipped[2], label="again")], 9)[1].change
    for way, rank in alone.ranks.items():
        assert among.ranks[way].p == pytest.approx(min(1, 3 * rank.p))


def test_what_was_measured_otherwise_stands_in_the_table_without_a_comparison(shipped):
    first, second, third = shipped
    other = replace(second.result, provenance=replace(second.result.provenance, readout="words"))
    found = standings([first, replace(second, result=other), third])
    assert found[1].change is None and found[2].change is not None
    # One comparison is left, and nothing is corrected for one that was not made.
    assert found[2].change.ranks == standings([first, third])[1].change.ranks
    rows = leaderboard_rows(found)
    assert rows[0][1] == "beside lugha-mini" and [row[1] for row in rows[1:]] == [UNKNOWN, UNKNOWN, "improved"]


def test_a_model_without_the_layer_says_so(shipped):
    rows = leaderboard_rows(standings(shipped, 40))
    assert all(row[2] == "no such layer" and len(row) == len(rows[0]) for row in rows[1:])


def test_the_note_on_picking_comes_with_three(shipped):
    assert picking_note(standings(shipped[:2])) == ""
    assert "The best of 3 that were measured alike is best on these pairs by luck" in picking_note(standings(shipped))


def test_those_of_one_name_are_numbered(shipped):
    labels = [of.label for of in distinctly_labelled([shipped[0], shipped[1], shipped[0]])]
    assert labels == ["lugha-mini (1)", "lugha-mini + mini-gentle", "lugha-mini (3)"]


def test_what_was_measured_otherwise_says_so_in_its_name_and_in_a_sentence(shipped, tiny, pairs):
    first, second, _ = shipped
    otherwise = replace(second.result, provenance=replace(second.result.provenance, readout="last"))
    few = measure_compared(tiny, pairs, None)
    named = distinctly_labelled([first, replace(second, result=otherwise), few])
    assert [of.label for of in named] == [
        "lugha-mini, after a space, 150 pairs",
        "lugha-mini + mini-gentle, last token, 150 pairs",
        "tiny, after a space, 30 pairs",
    ]
    found = standings(named)
    assert picking_note(found) == "" and [item.change for item in found[1:]] == [None, None]
    read, pairs_told = standing_sentences(found)
    assert "was not read as lugha-mini, after a space, 150 pairs was" in read
    assert "was measured on other pairs than lugha-mini" in pairs_told
    chart = comparison_chart([(of.label, of.result) for of in named])
    chances = [line.name for line in chart.panels[0].lines if line.entry is None]
    assert chances == ["chance, 150 pairs", "spelling alone, 150 pairs", "chance, 30 pairs", "spelling alone, 30 pairs"]


def test_a_measured_adapter_has_sentences_perplexity_and_what_it_was_trained_on(tiny, pairs):
    of = measure_compared(tiny, pairs, None)
    assert of.health is not None and of.record is None and of.in_sentences.provenance.readout == "in_context"
    record = {"config": {"preset": "gentle", "shuffled": True}, "pairs": 12}
    row = leaderboard_rows(standings([replace(of, record=record)]))[1]
    assert row[-1] == "12 shuffled pairs, gentle" and len(row) == 12


def test_the_same_pairs_in_another_order_are_said_to_be_so(shipped):
    first, second, _ = shipped
    turned = replace(second, result=replace(second.result, pairs=second.result.pairs[::-1]))
    [told] = standing_sentences(standings([first, turned]))
    assert "was measured on the pairs of lugha-mini in another order" in told


def test_a_sentence_has_the_p_value_and_the_verdict_of_its_row(shipped):
    """However many are compared, and by whichever seed."""
    for seed in (0, 7):
        found = standings(shipped, seed=seed)
        for item, told in zip(found[1:], standing_sentences(found), strict=True):
            assert told.endswith(f": {item.change.verdict}.")
            assert all(f"p {of.p:.2g}" in told for of in item.change.ranks.values())
        alone = standings(shipped[:2], seed=seed)[1].change
        for way, of in found[1].change.ranks.items():
            assert of.p == pytest.approx(min(1, 2 * alone.ranks[way].p))


def test_beside_several_others_a_list_may_be_too_short_for_any_change():
    """Of seven pairs that all move, signs fall so by chance once in 64; in one of two comparisons once in 32."""
    pairs, vectors = unlike_pairs(7), np.eye(7, WIDTH)[None]
    far, near = measured(pairs, (vectors, -vectors)), measured(pairs, (vectors, vectors))
    assert change(far, near, 0).verdict == "improved"
    assert change(far, near, 0, comparisons=2).verdict == "too few pairs"
