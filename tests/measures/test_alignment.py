"""Every measure on vectors written by hand, and the verdicts on models whose answer is known."""

import math
from dataclasses import fields, make_dataclass, replace

import numpy as np
import pytest
import torch

import tli_core.measures.alignment
from tests.planted import WIDTH, measured, near_to_all, unlike_pairs
from tli_core.encoding.lens import Lens
from tli_core.encoding.pair_states import PairStates
from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import align, measure
from tli_core.measures.rank_tests import word_groups
from tli_core.measures.registry import MATCHED
from tli_core.measures.result import LayerAlignment
from tli_core.measures.retrieval import auc, beats_wrong, best_rank, csls, largest_hub, nearest
from tli_core.measures.verdicts import change, verdict
from tli_core.models.loaded_model import Provenance
from tli_core.reports.notices import worded

SOURCE = Provenance("hand", None, "float32", None, None, "sw-en", "words", "raw", "<s>", False, 0, 0)


def states(source, target, pairs=None) -> PairStates:
    """One layer from rows of vectors, repeated as a second layer so that there is an output."""
    source, target = torch.as_tensor(source, dtype=torch.float32), torch.as_tensor(target, dtype=torch.float32)
    n = len(source)
    pairs = pairs or tuple(WordPair(f"sw{i}", f"en{i}") for i in range(n))
    index = np.arange(n)
    return PairStates(
        pairs,
        source.repeat(2, 1, 1),
        target.repeat(2, 1, 1),
        index,
        index,
        np.ones(n, dtype=int),
        np.ones(n, dtype=int),
        ("embeddings", "output"),
        np.zeros(2),
        np.ones(2),
    )


def noise(n, d, seed):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def reference(d):
    return states(noise(12, d, 90), noise(12, d, 91), tuple(WordPair(f"r{i}", f"q{i}") for i in range(12)))


@pytest.fixture
def own_pairs(monkeypatch):
    """Wrong pairs of the list itself however short it is, as nobody works out hundreds by hand."""
    monkeypatch.setattr(tli_core.measures.wrong_pairs, "FEW_PAIRS", 1)


def test_cosines_by_hand(own_pairs):
    result = align(states([[1, 0], [0, 1]], [[1, 0], [1, 1]]), reference(2), SOURCE)
    root = math.sqrt(0.5)
    assert result.cosine[:, 0] == pytest.approx([1, root])
    assert result.matched[0] == pytest.approx((1 + root) / 2)
    assert result.mismatched[0] == pytest.approx((root + 0) / 2)
    assert result.gap[0] == pytest.approx(0.5)
    assert result.scores["auc"][0] == pytest.approx((2 + 1.5) / 4)
    assert result.scores["mexa"][0].mean() == 0.5
    assert result.retrieval["to_target"].p_at_1[0] == 1.0
    assert result.retrieval["to_source"].rank[0].tolist() == [1, 2]
    assert result.retrieval["to_source"].mrr[0] == 0.75
    assert result.chance == (0.5, 0.5) and result.pool_size == (2, 2)


def test_listed_translations_are_no_wrong_pairs(own_pairs):
    pairs = (WordPair("haki", "justice", ("right",)), WordPair("kulia", "right"), WordPair("maji", "water"))
    vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    target = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    result = align(states(vectors, target, pairs), reference(3), SOURCE)
    # `right` is a listed translation of haki, so the cosine of 1 between them is no mismatch, and finds haki.
    assert result.mismatched[0] == pytest.approx((0 + 0 + 1 + 1 + 0) / 5)
    assert result.retrieval["to_target"].rank[0].tolist() == [1, 3, 3]
    assert result.chance == pytest.approx((4 / 9, 4 / 9))


def test_chance_is_of_each_direction_as_words_are_shared():
    """Two of three pairs share a target word: it is one of two, and back again two of three source words are right."""
    pairs = (WordPair("bahari", "sea"), WordPair("ziwa", "sea"), WordPair("maji", "water"))
    one_by_one = states(np.eye(3), np.eye(3)[:2], pairs)
    shared = replace(one_by_one, target_index=np.array([0, 0, 1]), target_pieces=np.ones(2, dtype=int))
    result = align(shared, reference(3), SOURCE)
    assert result.pool_size == (2, 3)
    assert result.chance == pytest.approx((1 / 2, (2 + 2 + 1) / 9))


def test_ties_count_against_the_right_word():
    scores = np.array([[0.5, 0.5, 0.5]])
    assert best_rank(scores, np.array([[True, False, False]])).tolist() == [3]


def test_auc_counts_ties_half():
    assert auc(np.array([1.0, 0.0]), np.array([0.0, 0.0])) == 0.75
    assert math.isnan(auc(np.array([1.0]), np.array([])))


def test_mexa_needs_row_and_column():
    row, column = beats_wrong(np.array([[0.9, 0.1], [0.95, 0.96]]), ~np.eye(2, dtype=bool))
    assert (row & column).tolist() == [False, True]


def test_a_hub_is_a_wrong_word_that_alone_is_nearest():
    cosines = np.array([[0.9, 0.1, 0.2], [0.8, 0.1, 0.3], [0.7, 0.2, 0.1], [0.5, 0.6, 0.6]])
    right = np.zeros((4, 3), dtype=bool)
    # Column 0 is nearest to three of four rows; row 3, whose own nearest is a tie, to two of three columns.
    assert largest_hub(cosines, right) == (0.75, 4)
    right[0, 0] = True
    assert largest_hub(cosines, right) == (2 / 3, 3)
    assert largest_hub(np.ones((4, 3)), right)[0] == 0
    assert largest_hub(np.full((4, 3), np.nan), right)[0] == 0


def test_csls_lowers_a_hub():
    cosines = np.array([[0.6, 0.7], [0.1, 0.7], [0.1, 0.7]])
    assert best_rank(cosines, np.array([[True, False]] + [[False, True]] * 2)).tolist() == [2, 1, 1]
    corrected = csls(cosines, nearest(cosines)[0], nearest(cosines.T)[0])  # all three are near
    assert best_rank(corrected, np.array([[True, False]] + [[False, True]] * 2))[0] == 1


def test_percentiles_of_wrong_pairs_are_those_of_numpy():
    cosines = noise(9, 9, 5).numpy()
    result = align(planted("noise"), reference(32), SOURCE)
    own = (
        torch.nn.functional.normalize(noise(60, 32, 2), dim=1)
        @ torch.nn.functional.normalize(noise(60, 32, 3), dim=1).T
    )
    wrong = own.numpy()[~np.eye(60, dtype=bool)]
    assert result.wrong_quantiles[0] == pytest.approx(np.percentile(wrong, np.arange(101)), abs=1e-6)
    assert auc(cosines[0], np.sort(cosines[1])) == pytest.approx(
        np.mean([(a > b) + (a == b) / 2 for a in cosines[0] for b in cosines[1]])
    )


def test_the_share_of_the_largest_dimensions_by_hand():
    result = align(
        states([[3, 4, 0, 12, 0], [1, 1, 1, 1, 0]], [[0, 0, 0, 0, 7], [1, 1, 1, 1, 1]]), reference(5), SOURCE
    )
    assert result.rogue_share[0] == pytest.approx((1 + 0.75 + 1 + 0.6) / 4)


def test_centring_removes_what_a_language_has_in_common():
    shift = torch.tensor([50.0, 0, 0, 0])
    words, pool = noise(20, 4, 1), noise(40, 4, 2)
    own = states(words + shift, words)
    pooled = states(pool + shift, pool, tuple(WordPair(f"r{i}", f"q{i}") for i in range(40)))
    result = align(own, pooled, SOURCE)
    assert result.scores["centred"][0] == pytest.approx(1.0, abs=1e-5) and result.matched[0] < 0.5
    assert result.scores["p_at_1_centred"][0].all() and result.scores["p_at_1_standardised"][0].all()


def test_a_vector_of_zeros_leaves_the_other_vectors_their_shares():
    source = np.zeros((1, 30, WIDTH))
    source[:, 1:, 0] = 1
    assert measured(unlike_pairs(30), (source, source)).rogue_share == pytest.approx([1.0])


def test_pairs_that_hang_together_by_their_words_count_as_one_and_are_said_to():
    chain = [WordPair(f"a{i // 2}", f"b{(i + 1) // 2}") for i in range(40)]
    drawn = np.random.default_rng(0).normal(size=(2, 1, 40, WIDTH))
    result = measured(tuple(chain), tuple(drawn))
    assert verdict(result, 0) == "too few pairs"
    assert any("40 pairs share so many words that they count as 1" in worded(of) for of in result.warnings)


def test_the_gap_has_the_same_interval_from_either_language():
    """Some target words are near every source word, so that the mean of wrong pairs varies with them."""
    drawn = np.random.default_rng(0)
    pairs, (source, target) = near_to_all(drawn, 60, 1, 1.0)
    there, back = measured(pairs, (source, target)), measured(pairs, (target, source))
    assert there.gap_of_pairs == pytest.approx(back.gap_of_pairs, abs=1e-6)
    assert there.gap_of_pairs.mean(axis=0) == pytest.approx(there.gap, abs=1e-6)
    scatter = (there.cosine - there.wrong_cosine).std(), there.gap_of_pairs.std()
    assert scatter[1] > 1.1 * scatter[0]


def test_standardising_takes_a_rogue_dimension_away():
    words, pool = noise(30, 16, 1), noise(40, 16, 2)
    loud = torch.tensor([15.0] + [1.0] * 15)
    sides = words * loud, (words + torch.cat([3 * noise(30, 1, 3), torch.zeros(30, 15)], dim=1)) * loud
    pooled = states(pool * loud, pool * loud, tuple(WordPair(f"r{i}", f"q{i}") for i in range(40)))
    result = align(states(*sides), pooled, SOURCE)
    plain, even = result.retrieval["to_target"].p_at_1[0], result.scores["p_at_1_standardised"][0].mean()
    assert plain < 0.75 and even > 0.9


def test_one_pair_gets_its_band_and_rank_from_the_reference_pool():
    result = align(states([[1.0, 0, 0, 0]], [[1.0, 0, 0, 0]]), reference(4), SOURCE)
    assert result.wrong_from == "reference pool" and result.warnings
    assert result.mismatched_band[0, 0] < result.mismatched[0] < result.mismatched_band[0, 1]
    assert np.isnan(MATCHED.interval(result)).all() and verdict(result, 0) == "too few pairs"
    assert result.reference_rank[0, 0] == 1 and result.reference_size == 13


def test_a_list_without_a_reference_pool_is_its_own_and_says_so():
    made = states(noise(6, 8, 1), noise(6, 8, 2), tuple(WordPair(f"s{i}", f"t{i}") for i in range(6)))
    result = align(made, made, SOURCE)
    assert result.wrong_from == "list" and "own_pool" in {warning.code for warning in result.warnings}


def test_two_spellings_of_a_word_are_one_word_to_every_test():
    words = ["mbwa", "dog", "Mbwa", "dogs", "ng'ombe", "cow", "ng’ombe", "cows", "paka", "cat", "simba", "lion"]
    pairs = tuple(WordPair(words[i], words[i + 1]) for i in range(0, len(words), 2))
    groups = align(states(noise(6, 8, 1), noise(6, 8, 2), pairs), reference(8), SOURCE).groups
    assert groups[0] == groups[1] and groups[2] == groups[3] and len(set(groups)) == 4


def test_a_pair_with_nothing_to_beat_beats_nothing():
    wrong = np.array([[False, True, False], [True, False, False], [False, False, False]])
    there, back = beats_wrong(np.eye(3, dtype=np.float32), wrong)
    assert there.tolist() == back.tolist() == [True, True, False]


def planted(kind):
    """Sixty pairs whose truth is known; `test_planted_truths` plants the same in real models."""
    shared, sw, en = noise(60, 32, 1), noise(60, 32, 2), noise(60, 32, 3)
    constant = 40 * noise(1, 32, 4)
    return {
        "shared": states(shared + 0.3 * sw, shared + 0.3 * en),
        "noise": states(sw, en),
        "constant": states(sw + constant, en + constant),
    }[kind]


def test_change_tells_collapse_from_gain():
    base = align(planted("noise"), reference(32), SOURCE)
    collapsed = align(planted("constant"), reference(32), SOURCE)
    gained = align(planted("shared"), reference(32), SOURCE)
    assert change(base, gained, 1).verdict == "improved"
    assert change(base, base, 1).verdict == "no clear change"
    assert change(gained, base, 1).verdict == "worse"
    moved = change(base, collapsed, 1)
    assert moved.matched > 0.9 and moved.mismatched > 0.9 and moved.verdict == "no clear change"
    fallen = change(gained, collapsed, 1)
    assert fallen.matched > 0 and fallen.verdict == "collapsed"


def test_cosines_alone_change_no_verdict():
    base = align(planted("shared"), reference(32), SOURCE)
    lower = replace(base, matched=base.matched - 0.2, gap_of_pairs=base.gap_of_pairs - 0.2)
    assert change(base, lower, 1).gap_ci95[1] < 0 and change(base, lower, 1).verdict == "no clear change"


def test_measure_gives_every_layer_and_says_where_it_comes_from(tiny, pairs):
    result = measure(tiny, pairs)
    assert result.names == ("embeddings", "block 1", "block 2", "output")
    assert result.cosine.shape == (30, 4) and result.reference_rank.shape == (4, 30)
    low, high = MATCHED.interval(result).T
    assert (low <= result.matched).all() and (result.matched <= high).all()
    assert result.provenance.model == "tiny" and result.provenance.n == 30 and result.provenance.readout == "spaced"


def test_two_pairs_are_too_few_for_a_verdict(tiny, pairs):
    # Both found by guessing: one time in four.
    assert verdict(measure(tiny, pairs[:2]), 3) == verdict(measure(tiny, pairs[:1]), 3) == "too few pairs"
    assert verdict(measure(tiny, pairs), 3) != "too few pairs"


def test_the_reference_pool_is_embedded_once(tiny, pairs, monkeypatch):
    import tli_core.measures.alignment

    calls = []
    real = tli_core.encoding.pair_states.embed_pairs
    for module in (tli_core.measures.alignment, tli_core.encoding.pair_states):
        monkeypatch.setattr(module, "embed_pairs", lambda *a, **k: calls.append(len(a[1])) or real(*a, **k))
    first, second = measure(tiny, pairs), measure(tiny, pairs)
    assert sorted(calls) == [30, 30, 200]
    assert (first.cosine == second.cosine).all()


def test_a_process_that_gets_no_part_of_a_long_list_has_the_same_result(tiny, pairs, monkeypatch):
    monkeypatch.setattr("tli_core.measures.alignment.PART", 10)
    whole = measure(tiny, pairs)
    parts = [measure(tiny, pairs[i : i + 10]) for i in (0, 10, 20)]
    monkeypatch.setattr(
        "tli_core.measures.alignment.own_part", lambda items: items if isinstance(items[0][0], str) else []
    )
    monkeypatch.setattr("tli_core.measures.alignment.gather_objects", lambda own: [*own, *parts])
    assert (measure(tiny, pairs).cosine == whole.cosine).all()


def test_nothing_to_measure_is_one_sentence(tiny):
    with pytest.raises(ValueError, match="no pairs to measure"):
        measure(tiny, ())


def test_a_long_list_is_measured_in_parts_and_says_so(tiny, pairs, monkeypatch):
    whole = measure(tiny, pairs)
    monkeypatch.setattr(tli_core.measures.alignment, "PART", 10)
    told = []
    parts = measure(tiny, pairs, progress=lambda done, steps: told.append((done, steps)))
    assert parts.pairs == whole.pairs and parts.pool_size == (10, 10)
    np.testing.assert_allclose(parts.cosine, whole.cosine, atol=1e-6)
    np.testing.assert_allclose(parts.matched, whole.matched, atol=1e-6)
    # The wrong pairs are other ones, but of the same words.
    np.testing.assert_allclose(parts.mismatched, whole.mismatched, atol=0.1)
    assert (
        parts.independent == 30
        and not np.isnan(parts.p_values["all"]).any()
        and (parts.retrieval["to_target"].rank <= 10).all()
    )
    assert any("30 pairs are measured in parts of 10" in worded(warning) for warning in parts.warnings)
    assert told == [(i, 9) for i in range(1, 10)]


def test_a_word_in_two_parts_of_a_long_list_is_one_word(tiny, pairs, monkeypatch):
    """A list by its first glosses, then by its second ones."""
    twice = [*pairs[:15], *(pair._replace(target=f"{pair.target} too") for pair in pairs[:15])]
    whole = measure(tiny, twice)
    monkeypatch.setattr(tli_core.measures.alignment, "PART", 10)
    parts = measure(tiny, twice)
    assert parts.independent == whole.independent == 15
    assert parts.groups.tolist() == parts.clusters.tolist() == whole.groups.tolist()


def test_every_field_of_a_long_list_comes_of_all_its_parts():
    assert set(tli_core.measures.long_lists._JOINED) == {field.name for field in fields(LayerAlignment)}
    with pytest.raises(KeyError, match="forgotten"):
        joined_with_a_new_field()


def joined_with_a_new_field():
    """A field that was added and not told how to be joined."""
    added = make_dataclass("Added", [("forgotten", int, 0)], bases=(LayerAlignment,), frozen=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tli_core.measures.long_lists, "LayerAlignment", added)
        tli_core.measures.long_lists.merge_parts(
            [align(states(noise(6, 4, 1), noise(6, 4, 2)), reference(4), SOURCE)] * 2
        )


@pytest.mark.parametrize(("n", "sizes"), [(21, [7, 7, 7]), (25, [9, 9, 7]), (30, [10, 10, 10])])
def test_no_part_of_a_long_list_is_much_shorter_than_the_others(n, sizes, tiny, pairs, monkeypatch):
    monkeypatch.setattr(tli_core.measures.alignment, "PART", 10)
    found = []
    monkeypatch.setattr(tli_core.measures.alignment, "merge_parts", lambda parts: found.extend(parts) or parts[0])
    measure(tiny, pairs[:n])
    assert [len(part.pairs) for part in found] == sizes


def test_what_is_no_number_finds_nothing():
    right = np.eye(3, dtype=bool)
    nothing = np.full((3, 3), np.nan)
    assert best_rank(nothing, right).tolist() == [3, 3, 3]
    one = np.array([[0.9, 0.1, 0.1], [np.nan, 0.8, 0.1], [0.1, 0.1, np.nan]])
    assert best_rank(one, right).tolist() == [1, 2, 3]
    assert np.isnan(auc(np.array([np.nan]), np.array([0.1]))) and np.isnan(auc(np.array([0.1]), np.array([np.nan])))
    assert not np.any(beats_wrong(nothing, ~right))


def test_a_model_whose_vectors_are_no_numbers_is_named_and_never_aligned(tiny, pairs):
    with tiny.using(None) as model, torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(float("nan"))
    result = measure(tiny, pairs)
    assert any("At 2 layers from block 2 on, vectors are no numbers" in worded(warning) for warning in result.warnings)
    for layer in (2, 3):
        assert result.retrieval["to_target"].p_at_1[layer] == result.retrieval["to_source"].p_at_1[layer] == 0
        assert (
            result.reference_rank[layer].min() > 100
            and np.isnan(result.scores["auc"][layer])
            and not result.scores["mexa"][layer].any()
        )
        assert verdict(result, layer) == "no numbers"


def test_one_layer_alone_has_the_same_figures_and_its_own_p_values(tiny, pairs):
    whole, alone = measure(tiny, pairs), measure(tiny, pairs, only=tiny.blocks)
    assert alone.names == whole.names[-1:]
    np.testing.assert_array_equal(alone.cosine[:, 0], whole.cosine[:, -1])
    np.testing.assert_array_equal(alone.gap[0], whole.gap[-1])
    for way, retrieval in alone.retrieval.items():
        np.testing.assert_array_equal(retrieval.rank[0], whole.retrieval[way].rank[-1])
    for name, p in alone.p_values.items():  # one layer is picked from one
        assert (p[0] <= whole.p_values[name][-1]).all()
    assert (alone.p_values["all"][0] < whole.p_values["all"][-1]).any()


def test_pairs_of_one_word_in_several_forms_are_one_group():
    pairs = [
        WordPair(*two) for two in (("kitabu", "book"), ("vitabu", "volumes"), ("maji", "water"), ("chai", "books"))
    ]
    first, second, third, fourth = word_groups(pairs, language_pair("sw-en"))
    assert first == second == fourth != third


def test_words_that_stand_on_both_sides_are_named(tiny):
    pairs = [WordPair("big", "large"), WordPair("large", "huge"), WordPair("cat", "cat"), WordPair("sun", "star")]
    (told,) = (worded(of) for of in measure(tiny, pairs, lens=Lens("en-en")).warnings if of.code == "on_both_sides")
    assert told.startswith("On both sides of the list stand words such as large (1 of them).")
