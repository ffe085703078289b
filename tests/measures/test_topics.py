"""What a list's topics change: wrong partners, clusters, and where words of a topic alone are found."""

import numpy as np
import pytest

from tests.planted import measured, shared, unlike_pairs
from tli_core.measures.long_lists import merge_parts
from tli_core.measures.rank_tests import topic_clusters
from tli_core.measures.registry import MATCHED
from tli_core.measures.verdicts import verdict
from tli_core.measures.wrong_pairs import candidates_of, matched_partners


def test_pairs_of_a_topic_are_one_cluster_where_topics_are_many():
    groups = np.array([0, 1, 0, 2, 3, *range(4, 14)])
    # The first two groups are of one topic; the third pair shares a word with the first, and belongs to its topic.
    topics = ["food", "food", "home", "", "", *map(str, range(10))]
    clusters = topic_clusters(groups, topics)
    assert clusters[0] == clusters[1] == clusters[2]
    assert len(set(clusters.tolist())) == 1 + 2 + 10
    assert topic_clusters(groups, ["food"] * 5 + [""] * 10) is groups
    # A group's first pair may have none.
    assert topic_clusters(np.array([0, 0, 1, *range(2, 12)]), ["", "food", "food", *map(str, range(10))])[0] == 0


def test_topics_that_name_pairs_are_left_out_and_few_are_said():
    pairs = unlike_pairs(40)
    own = tuple(pair._replace(topic=str(i)) for i, pair in enumerate(pairs))
    few = tuple(pair._replace(topic=str(i % 3)) for i, pair in enumerate(pairs))
    many = tuple(pair._replace(topic=str(i % 12)) for i, pair in enumerate(pairs))
    vectors = shared(np.random.default_rng(0), 40, 1, 1.2)
    codes = [{warning.code for warning in measured(listed, vectors).warnings} for listed in (pairs, own, few, many)]
    assert codes == [set(), {"topics_of_pairs"}, {"few_topics"}, set()]
    assert verdict(measured(own, vectors), 0) == verdict(measured(pairs, vectors), 0) == "aligned"


def test_intervals_widen_where_a_topic_moves_as_one():
    drawn = np.random.default_rng(0)
    both = np.repeat(drawn.normal(size=(1, 12, 64)), 5, axis=1) * np.repeat([0.2, 2.0], 30)[None, :, None]
    vectors = tuple(both + drawn.normal(size=(1, 60, 64)) for _ in range(2))
    plain = unlike_pairs(60)
    named = tuple(pair._replace(topic=str(i // 5)) for i, pair in enumerate(plain))
    narrow, wide = (np.ptp(MATCHED.interval(measured(pairs, vectors))[0]) for pairs in (plain, named))
    assert wide > 1.3 * narrow


def test_wrong_partners_of_a_topic_are_those_whose_topic_both_words_share():
    pairs = tuple(
        pair._replace(topic=topic) for pair, topic in zip(unlike_pairs(24), ["a", "A ", "b", ""] * 6, strict=True)
    )
    candidates = candidates_of(pairs, unlike_pairs(30))
    rows, columns = matched_partners(candidates, (1,) * 24, (1,) * 30).of_topic
    assert len(rows) == 12 * 11 + 6 * 5 and not (rows == columns).any()
    assert all({pairs[i].topic.strip().lower(), pairs[j].topic.strip().lower()} in ({"a"}, {"b"})
               for i, j in zip(rows, columns, strict=True))  # fmt: skip
    result = measured(pairs, shared(np.random.default_rng(0), 24, 1, 1.0))
    own = result.cosine  # the right pairs' are no wrong ones
    assert result.scores["same_topic_wrong"][0] < own.mean()


def test_a_list_without_topics_has_no_wrong_partners_of_a_topic():
    result = measured(unlike_pairs(24), shared(np.random.default_rng(0), 24, 1, 1.0))
    assert np.isnan(result.scores["same_topic_wrong"]).all() and (result.clusters == result.groups).all()


def test_a_topic_is_one_in_all_parts_of_a_long_list():
    drawn = np.random.default_rng(0)
    pairs = tuple(pair._replace(topic=str(i % 10)) for i, pair in enumerate(unlike_pairs(48)))
    parts = [measured(part, shared(drawn, 24, 1, 1.0)) for part in (pairs[:24], pairs[24:])]
    assert len(np.unique(merge_parts(parts).clusters)) == 10
    assert merge_parts(parts).p_values["topic"] == pytest.approx(
        np.minimum(1, parts[0].p_values["topic"] + parts[1].p_values["topic"])
    )


def test_a_part_without_topics_takes_nothing_from_the_others():
    drawn = np.random.default_rng(0)
    pairs = unlike_pairs(48)
    named = tuple(pair._replace(topic=str(i % 3)) for i, pair in enumerate(pairs[:24]))
    parts = [measured(part, shared(drawn, 24, 1, 1.2)) for part in (named, pairs[24:])]
    assert merge_parts(parts).scores["same_topic_wrong"] == pytest.approx(parts[0].scores["same_topic_wrong"])
