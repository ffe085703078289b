"""The pilot picks what the published one would, and shows why that says nothing."""

from tli_core.lists.lexicon import shipped
from tli_core.measures.pilot import run_pilot
from tli_core.models.loaded_model import load_model


def test_the_published_choice_is_the_layer_where_bos_is_loudest():
    pilot = run_pilot(load_model("lugha-mini"), shipped("control"))
    chosen = pilot.layer
    assert 1 <= chosen <= 11 and pilot.with_bos.matched[chosen] == pilot.with_bos.matched[1:-1].max()
    assert pilot.with_bos.matched[chosen] > 0.98 and pilot.with_bos.mismatched[chosen] > 0.98
    assert pilot.with_bos.prefix_share[chosen] > 0.9
    assert pilot.words.matched[chosen] < 0.7 and pilot.words.gap[pilot.best_gap] > pilot.words.gap[chosen]


def test_layer_0_and_the_output_are_never_chosen(tiny, pairs):
    told = []
    pilot = run_pilot(tiny, pairs, progress=told.append)
    assert pilot.layer in (1, 2) and told == ["30 pairs, BOS averaged in", "30 pairs, words only"]
