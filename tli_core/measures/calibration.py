"""Calibration: what each readout and view finds, for one model, of pairs that must be found and of pairs that must not.

A readout that does not find what the model surely knows says nothing about what it finds of other pairs.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.encoding.lens import VIEWS
from tli_core.encoding.pair_states import embed_by_readout, reference_states
from tli_core.encoding.readouts import IN_CONTEXT, READOUTS
from tli_core.encoding.views import viewed
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.look_alike import similarity
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import align
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.significance import FEWEST
from tli_core.measures.verdicts import verdict
from tli_core.models.loaded_model import LoadedModel

FOUND = ("aligned", "one way", "above chance")
"""What is called when a list is found beyond spelling, length and topic, and not just a little; and of short lists, of
which no more than this can be said, when it is found beyond spelling."""

TRIED = tuple(key for key in READOUTS if key not in ("all", "weighted"))
"""All readouts of words but the published artefact."""

KNOWN, ASKED_ABOUT = N_("must be found"), N_("asked about")
SHUFFLED, LOOK_ALIKE, LETTERS = N_("shuffled"), N_("look-alike"), N_("random letters")
MUST_NOT = (SHUFFLED, LOOK_ALIKE, LETTERS)


@dataclass(frozen=True)
class LensReading:
    """What one list gives under one readout in one view.

    found: at how many layers the list is found (FOUND). layer is picked on every other pair, by the mean reciprocal
    rank of both directions, which is picked_by, and p_at_1, (to target, to source), is of the pairs between, which had
    no say, with the same candidates. beyond_spelling is the same of those that do not look alike.
    """

    readout: str
    view: str
    list: str
    n: int
    layers: int
    found: int
    layer: int
    layer_name: str
    picked_by: float
    p_at_1: tuple[float, float]
    beyond_spelling: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """The readings of every list through every lens that the languages allow.

    one_list: whether the pairs asked about are those that must be found, so that they are read once, as these.
    """

    model: str
    readings: tuple[LensReading, ...]
    one_list: bool

    @property
    def usable(self) -> tuple[tuple[str, str], ...]:
        """The readouts and views that find what must be found, and nothing of what must not, the best first.

        Which is best is said by the pairs that pick layers, so that P@1 of the best is not the best of many.
        """
        wrong = {(of.readout, of.view) for of in self.readings if of.list in MUST_NOT and of.found}
        known = sorted((of for of in self.readings if of.list == KNOWN and of.found), key=lambda of: -of.picked_by)
        return tuple((of.readout, of.view) for of in known if (of.readout, of.view) not in wrong)

    def of(self, readout: str, view: str) -> dict[str, LensReading]:
        """The readings of all lists under one readout in one view, by the lists' names."""
        return {of.list: of for of in self.readings if (of.readout, of.view) == (readout, view)}


def calibrate(
    loaded: LoadedModel,
    known: tuple[Sequence[WordPair], str],
    asked_about: tuple[Sequence[WordPair], str],
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
) -> Calibration:
    """Read pairs that must be found, those asked about, and three kinds that must not be found, in every way.

    Args:
        known: pairs that the model surely knows, with the key of their languages.
        asked_about: the list in question, likewise; the pairs that must not be found are made of its words.

    Raises:
        ValueError: one of them has fewer than FEWEST pairs, of which nothing could be said.
    """
    pairs, languages = asked_about
    for name, listed in ((KNOWN, known[0]), (ASKED_ABOUT, pairs)):
        if len(listed) < FEWEST:
            text = N_("Of the list “{name}” nothing can be said, as it has {n} pairs: give at least {least}.")
            raise ValueError(translate(text, name=translate(name), n=len(listed), least=FEWEST))
    one_list = (tuple(known[0]), known[1]) == (tuple(pairs), languages)
    lists = [
        (KNOWN, *known),
        *([] if one_list else [(ASKED_ABOUT, *asked_about)]),
        *((name, made, languages) for name, made in wrong_lists(pairs, seed).items()),
    ]
    readings = []
    for name, of, codes in lists:
        pair = language_pair(codes)
        readouts = [key for key in TRIED if key != IN_CONTEXT or (pair.source.frames and pair.target.frames)]
        progress(f"{len(of)} pairs: {name}")
        states = embed_by_readout(loaded, of, None, readouts, codes)
        for key in readouts:
            reference = reference_states(loaded, None, key, codes) or states[key]
            for view in VIEWS:
                provenance = loaded.provenance(None, len(of), seed, codes, key, view)
                readings.append(reading(name, align(*viewed(states[key], reference, view), provenance, seed)))
    return Calibration(loaded.name, tuple(readings), one_list)


def wrong_lists(pairs: Sequence[WordPair], seed: int) -> dict[str, tuple[WordPair, ...]]:
    """Pairs that must not be found: wrong translations, wrong ones that look alike, and strings of random letters."""
    drawn = random.Random(seed)
    source = list(dict.fromkeys(pair.source for pair in pairs))
    target = list(dict.fromkeys(pair.target for pair in pairs))
    order = drawn.sample(pairs, len(pairs))
    right = {(pair.source, accepted) for pair in pairs for accepted in pair.accepted}
    turned = (WordPair(pair.source, other.target) for pair, other in zip(order, order[1:] + order[:1], strict=True))
    # In a list that names a word twice another pair's translation may be right.
    shuffled = tuple(pair for pair in turned if (pair.source, pair.target) not in right)
    alike = np.array(similarity(tuple(source), tuple(target)))  # (a, b)
    for i, word in enumerate(source):
        for j, other in enumerate(target):
            if (word, other) in right:
                alike[i, j] = -1
    lured = []
    for _ in range(min(alike.shape)):
        i, j = np.unravel_index(alike.argmax(), alike.shape)
        if alike[i, j] < 0:
            break  # only right pairs are left
        lured.append(WordPair(source[i], target[j]))
        alike[i], alike[:, j] = -2, -2
    return {SHUFFLED: shuffled, LOOK_ALIKE: tuple(lured), LETTERS: _letters(len(pairs), drawn)}


def _letters(n: int, drawn: random.Random) -> tuple[WordPair, ...]:
    """Pairs of made-up words; the two of a pair have nothing to do with each other."""
    words: dict[str, None] = {}
    while len(words) < 2 * n:
        syllables = (drawn.choice("bdfgklmnprstvz") + drawn.choice("aeiou") for _ in range(drawn.randint(2, 4)))
        words["".join(syllables)] = None
    made = list(words)
    return tuple(map(WordPair, made[:n], made[n:]))


def reading(name: str, result: LayerAlignment) -> LensReading:
    """What a measured list gives: P@1 of every second pair at the layer that the pairs between pick."""
    layers, n = len(result.names), len(result.pairs)
    picking = np.arange(n) % 2 == 0
    ranks = [1 / result.retrieval[way].rank[:, picking] for way in DIRECTIONS]  # (layers, n / 2) each
    found = np.mean(ranks, axis=(0, 2))  # (layers,)
    layer = int(found.argmax())
    unlike = ~picking & ~result.look_alike

    def share(way: str, of: np.ndarray) -> float:
        return float(result.retrieval[way].hit[layer, of].mean()) if of.any() else float("nan")

    to_target, to_source = DIRECTIONS
    return LensReading(
        readout=result.provenance.readout,
        view=result.provenance.view,
        list=name,
        n=n,
        layers=layers,
        found=sum(verdict(result, layer) in FOUND for layer in range(layers)),
        layer=layer,
        layer_name=result.names[layer],
        picked_by=float(found[layer]),
        p_at_1=(share(to_target, ~picking), share(to_source, ~picking)),
        beyond_spelling=(share(to_target, unlike), share(to_source, unlike)),
    )
