"""The verdict on what a model writes: harm is named, nothing is seldom called harm, and few sentences tell little."""

import math

import numpy as np
import pytest

from tli_core.measures.generation import TranslationAccuracy
from tli_core.measures.perplexity import Health
from tli_core.measures.translation import OutputCheck
from tli_core.measures.written import written_change

PAIRS, SENTENCES = 100, 8


def check(right, losses) -> OutputCheck:
    """Both directions translate the same pairs rightly; losses are of the source's and of the target's sentences."""
    greedy = TranslationAccuracy({"to_target": right, "to_source": right}, (), ())
    by_side = dict(zip(("source", "target"), (tuple(map(float, of)) for of in losses), strict=True))
    perplexities = (math.exp(np.mean(of)) if len(of) else math.nan for of in losses)
    return OutputCheck(greedy, {}, Health(*perplexities, 8192, "sw-en", by_side))


def changed(right_after, losses_after, losses=None):
    right = np.arange(PAIRS) % 10 > 0  # nine in ten
    losses = losses or (np.linspace(3, 5, SENTENCES), np.linspace(3, 5, SENTENCES))
    after = check(right_after(right), [np.asarray(of) + moved for of, moved in zip(losses, losses_after, strict=True)])
    return written_change(check(right, losses), after, np.arange(PAIRS))


def keep(right):
    return right


def lose(right):
    return right & (np.arange(PAIRS) % 5 > 0)


def test_each_part_that_moves_surely_and_enough_is_named():
    assert changed(keep, (0, 0)).verdict == "no clear change"
    lost = changed(lose, (0, 0))
    assert lost.verdict == "harmed" and lost.translations["to_target"].moved == -1
    assert lost.translations["to_source"].p < 0.01 and lost.sentences["source"].moved == 0
    read_worse = changed(keep, (0.5, 0))
    assert read_worse.verdict == "harmed" and read_worse.sentences["source"].moved == -1
    # All eight sentences moved one way: 2 of 256 sign flips are as far, and there are two languages.
    assert read_worse.sentences["source"].p == pytest.approx(2 * 2 / 256)
    assert changed(keep, (-0.5, -0.5)).verdict == "better" and changed(keep, (-0.5, 0.5)).verdict == "mixed"


def test_what_is_sure_but_small_or_large_but_unsure_is_kept():
    assert changed(keep, (0.05, 0)).verdict == "no clear change"  # perplexity grew by a twentieth
    uneven = np.array([4, -1, 1, -1, 1, -1, 1, -1])
    assert changed(keep, (uneven, 0)).verdict == "no clear change"


def test_too_little_to_tell_is_said_and_not_taken_for_no_harm():
    few = 6
    right, wrong = np.ones(few, dtype=bool), np.zeros(few, dtype=bool)
    lost = written_change(check(right, [(), ()]), check(wrong, [(), ()]), np.arange(few))
    assert lost.verdict == "too few" and not any(part.able for part in lost.translations.values())
    enough = written_change(check(np.ones(7, bool), [(), ()]), check(np.zeros(7, bool), [(), ()]), np.arange(7))
    assert enough.verdict == "harmed"


def test_a_language_without_sentences_is_left_out_and_a_loss_that_is_no_number_is_harm():
    one = changed(keep, (0, 0.5), losses=(np.array([]), np.linspace(3, 5, SENTENCES)))
    assert list(one.sentences) == ["target"] and one.sentences["target"].p == pytest.approx(2 / 256)
    assert changed(keep, (math.nan, 0)).verdict == "harmed"


def test_nothing_is_seldom_called_anything():
    drawn, said = np.random.default_rng(0), []
    for _ in range(400):
        right = [drawn.random(PAIRS) < 0.6 for _ in range(2)]
        both = drawn.normal(4, 1, (2, SENTENCES))
        losses = [both + drawn.normal(0, 0.5, (2, SENTENCES)) for _ in range(2)]
        said.append(written_change(*map(check, right, losses), np.arange(PAIRS)).verdict)
    assert said.count("no clear change") >= 370, {word: said.count(word) for word in set(said)}
