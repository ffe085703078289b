"""Projections share their axes; neighbours are ordered, marked and counted."""

import numpy as np
import pytest
import torch

from tli_core.encoding.lens import Lens
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.projection import nearest_words, project, translations
from tli_core.measures.projections import PROJECTIONS
from tli_core.models.loaded_model import load_model
from tli_core.models.registry import find_adapter
from tli_core.reports.pair_charts import BY_TOPIC, Space
from tli_core.reports.space_figure import space_figure


@pytest.fixture(scope="module")
def mini():
    return load_model("lugha-mini")


@pytest.mark.parametrize("method", PROJECTIONS)
def test_every_method_places_both_models_in_one_plane(method, mini):
    corrected = mini.add_adapter(find_adapter("mini-corrected")).key
    pairs = shipped("control")[: 6 if method == "UMAP" else 20]
    result = project(mini, pairs, [None, corrected], method=method)
    again = project(mini, pairs, [None, corrected], method=method)
    assert result.points.shape == (2, len(pairs), 2, 2) and np.isfinite(result.points).all()
    assert result.points == pytest.approx(again.points)
    assert result.layer_name == "output" and (result.partners_nearest[1] >= result.partners_nearest[0]).all()


def test_the_same_model_twice_gives_the_same_points(tiny, pairs):
    result = project(tiny, pairs, [None, None], layer=1)
    assert result.points[0] == pytest.approx(result.points[1], abs=1e-5) and result.layer_name == "block 1"


def test_pca_keeps_the_widest_spread(tiny, pairs):
    points = project(tiny, pairs, [None]).points[0].reshape(-1, 2)
    assert points.mean(axis=0) == pytest.approx([0, 0], abs=1e-5) and points[:, 0].std() > points[:, 1].std()


def test_neighbours_of_a_known_word_are_marked(mini):
    corrected = mini.add_adapter(find_adapter("mini-corrected")).key
    found = nearest_words(mini, "maji", "Swahili", corrected)
    words = {entry.pair.target for entry in lexicon() if entry.pos != "phrase"}
    assert len(found.nearest) == 10 and found.candidates == len(words)
    cosines = [neighbour.cosine for neighbour in found.nearest]
    assert cosines == sorted(cosines, reverse=True)
    marked = [rank for rank, neighbour in enumerate(found.nearest, 1) if neighbour.right]
    assert found.right_rank is not None and (marked[:1] == [found.right_rank] or found.right_rank > 10)


def test_a_phrase_is_no_candidate_for_one_word_unless_it_is_its_translation(mini):
    of_one, of_two = (nearest_words(mini, word, "English", None, count=2000) for word in ("water", "hot water"))
    assert "maji ya moto" not in {near.word for near in of_one.nearest}
    assert "maji ya moto" in {near.word for near in of_two.nearest if near.right}
    assert of_two.candidates == len({entry.pair.source for entry in lexicon()})
    listed = nearest_words(mini, "asante", "Swahili", None, count=2000, right=["thank you", "thank you very much"])
    assert [near.right for near in listed.nearest if near.word == "thank you very much"] == [True]


def test_look_alikes_are_marked_in_the_picture_and_among_neighbours(mini):
    pairs = tuple(map(WordPair, ("volkano", "maji", "moto", "mti"), ("volcano", "water", "fire", "tree")))
    drawn = project(mini, pairs, [None])
    assert drawn.look_alike.tolist() == [True, False, False, False]
    alone = project(mini, pairs[:1] * 3, [None])
    assert np.isnan(alone.partners_nearest[0, 1])
    points = [trace for trace in space_figure(Space(("base",), drawn)).data if trace.text is not None]
    symbols = [trace.marker.symbol for trace in points]
    assert symbols == [(f"{kind}-open", kind, kind, kind) for kind in ("circle", "diamond")]
    nearest = nearest_words(mini, "volkano", "Swahili", None).nearest
    assert next(n for n in nearest if n.word == "volcano").look_alike and not all(n.look_alike for n in nearest)


def test_axes_say_what_they_carry_and_panels_move_together(mini):
    pairs = shipped("control")[:20]
    drawn = project(mini, pairs, [None, None])
    figure = space_figure(Space(("one", "two"), drawn))
    assert figure.layout.xaxis.title.text == f"component 1: {100 * drawn.explained[0]:.0f} % of the variance"
    assert figure.layout.xaxis2.matches == "x" and figure.layout.yaxis2.matches == "y"
    assert 0 < drawn.explained[1] <= drawn.explained[0] < 1
    plain = space_figure(Space(("one",), project(mini, pairs, [None], method="t-SNE")))
    assert plain.layout.xaxis.title.text == "t-SNE 1, without a unit"


def test_colours_tell_topics_and_words_stand_beside_their_points(mini):
    topics = ("animals", "animals", "water", "")
    words = (("simba", "lion"), ("paka", "cat"), ("mto", "river"), ("<b>", "to go"))
    pairs = tuple(WordPair(*pair, (), topic) for pair, topic in zip(words, topics, strict=True))
    figure = space_figure(Space(("base",), project(mini, pairs, [None]), BY_TOPIC, words=True))
    source, _ = (trace for trace in figure.data if trace.text is not None)
    lion, cat, river, unknown = source.marker.color
    assert lion == cat and len({lion, river, unknown}) == 3
    assert source.texttemplate == ("simba", "paka", "mto", "&lt;b>") and source.mode == "markers+text"
    assert source.text[0] == "simba – lion"
    assert {"animals", "water", "other topics, or none"} <= {trace.name for trace in figure.data}


@pytest.mark.parametrize("view", ["raw", "centred", "standardised"])
def test_the_space_is_of_the_vectors_that_are_measured(view, mini):
    lens, pairs = Lens("sw-en", "words", view), shipped("control")[:40]
    drawn, measured = project(mini, pairs, [None], 6, lens=lens), measure(mini, pairs, lens=lens)
    # Listed translations count as right in a measurement, and partners alone in a picture.
    assert drawn.partners_nearest[0, 0] == pytest.approx(measured.retrieval["to_target"].p_at_1[6], abs=0.026)
    words = [
        nearest_words(mini, "maji", "Swahili", None, 6, Lens("sw-en", "words", of)).nearest for of in ("raw", view)
    ]
    assert (words[0] == words[1]) is (view == "raw")


def test_neighbours_are_embedded_once_and_let_go_with_their_adapter(tiny, monkeypatch):
    import tli_core.measures.projection

    calls = []
    real = tli_core.measures.projection.word_states
    monkeypatch.setattr(
        tli_core.measures.projection, "word_states", lambda m, w, *a: calls.append(len(w)) or real(m, w, *a)
    )
    first = nearest_words(tiny, "water", "English", None, layer=2)
    second = nearest_words(tiny, "fire", "English", None, layer=2)
    assert first.nearest != second.nearest and calls.count(1) == 2 and len(calls) == 3


def test_an_unknown_word_has_neighbours_but_none_is_called_right(tiny):
    found = nearest_words(tiny, "zzz", "Swahili", None)
    assert found.right_rank is None and len(found.nearest) == 10 and not any(n.right for n in found.nearest)
    assert translations("zzz", "Swahili") == frozenset() and "maji" in translations("Water", "English")


def test_what_cannot_be_drawn_is_one_sentence(tiny, pairs):
    with pytest.raises(ValueError, match="no projection 'MDS'"):
        project(tiny, pairs, [None], method="MDS")
    with pytest.raises(ValueError, match="at least three pairs, got 2"):
        project(tiny, pairs[:2], [None])
    with pytest.raises(ValueError, match="no language 'French'"):
        nearest_words(tiny, "eau", "French", None)
    with pytest.raises(ValueError, match="no layer 8"):
        nearest_words(tiny, "maji", "Swahili", None, layer=8)
    assert torch.is_tensor(tiny.reference(None, "probe", lambda: torch.zeros(1)))


def test_words_stay_what_they_are(tiny):
    pairs = [WordPair("a", "b"), WordPair("a", "b"), WordPair("c", "d")]
    assert project(tiny, pairs, [None]).points.shape == (1, 3, 2, 2)
