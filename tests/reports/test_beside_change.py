"""Sentences on what stands beside an adapter's change."""

import numpy as np
import pytest

from tests.planted import aligned, measured, noise
from tli_core.measures.before_after import EvaluationReport, compare
from tli_core.measures.linear_map import LinearMap
from tli_core.measures.result import DIRECTIONS, LayerAlignment, Retrieval
from tli_core.measures.verdicts import beyond_map
from tli_core.reports.beside_change import linear_sentence

NEVER_FOUND, ALWAYS_FOUND = np.full((1, 60), 60), np.ones((1, 60), dtype=int)


def told(before: LayerAlignment, after: LayerAlignment, ranks: np.ndarray) -> str:
    """What is said of a change beside a map that puts the right words at these ranks."""
    linear = LinearMap(0, {way: Retrieval(ranks, ranks) for way in DIRECTIONS}, fitted_on=20, shrinkage=1.0)
    return linear_sentence(EvaluationReport((compare("control", before, after, 0),), {}, before, linear))


@pytest.fixture(scope="module")
def unknown() -> LayerAlignment:
    return measured(*noise(np.random.default_rng(0), 60, 1))


@pytest.fixture(scope="module")
def known() -> LayerAlignment:
    return measured(*aligned(np.random.default_rng(0), 60, 1))


def test_an_adapter_that_changes_nothing_gives_nothing_however_bad_the_map(known):
    assert "but not surely more than that base" in told(known, known, NEVER_FOUND)


def test_an_adapter_that_finds_more_than_map_and_base_gave_more(unknown, known):
    said = told(unknown, known, NEVER_FOUND)
    assert "changing the model gave more than a linear map" in said
    share = known.retrieval["to_target"].p_at_1[0]
    assert f"by the base, 0.00 by the map and {share:.2f} with the adapter" in said


def test_a_map_that_finds_more_is_said_to(unknown):
    assert "finds more than the adapter" in told(unknown, unknown, ALWAYS_FOUND)


def test_a_map_that_finds_as_much_stands_beside_the_adapter(unknown, known):
    ranks = known.retrieval["to_target"].rank
    assert "stands beside the adapter" in told(unknown, known, ranks)


def test_a_layer_that_was_picked_on_these_pairs_is_paid_for(unknown, known):
    ranks = {way: np.where(np.arange(60) < 12, 2, known.retrieval[way].rank) for way in DIRECTIONS}
    linear = {way: Retrieval(of, of) for way, of in ranks.items()}
    given, picked = (beyond_map(linear, known, 0, picked=chosen) for chosen in (False, True))
    for way in DIRECTIONS:
        assert picked[way] == (given[way][0], pytest.approx(min(1, given[way][1] * len(known.names))))
