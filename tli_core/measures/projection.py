"""Words of both languages in two dimensions, and a word's nearest neighbours in the other language."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.pair_states import word_states
from tli_core.encoding.views import viewed_words
from tli_core.i18n import N_, translate
from tli_core.lists.formats import single_word
from tli_core.lists.language_pair import DEFAULT, Language, language_pair
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.lists.lexicon import translations as lexicon_translations
from tli_core.lists.look_alike import LOOK_ALIKE, look_alikes, similarity
from tli_core.lists.pairs import WordPair, normalise
from tli_core.measures.projections import PROJECTIONS
from tli_core.models.layers import layer_index, layer_words
from tli_core.models.loaded_model import LoadedModel

NEIGHBOURS = 10


@dataclass(frozen=True)
class Projection:
    """The same pairs under each model, in one plane: points is (models, n, 2, 2), [model, pair, language, x or y].

    All models are projected together, so their axes are the same. look_alike is (n,): the pairs whose words look alike.
    partners_nearest is (models, 2): the share of source words whose nearest target word of the list, in the full space,
    is their own, of all pairs and of those that do not look alike; the plane cannot show it. lens is how words became
    vectors. explained are the shares of the variance that PCA's two axes carry; None of other methods.
    """

    method: str
    layer_name: str
    lens: Lens
    pairs: tuple[WordPair, ...]
    points: np.ndarray
    look_alike: np.ndarray
    partners_nearest: np.ndarray
    explained: tuple[float, float] | None = None

    @property
    def languages(self) -> tuple[str, str]:
        """The names of its two languages."""
        return self.lens.pair.names

    def __post_init__(self) -> None:
        if self.points.shape != (len(self.partners_nearest), len(self.pairs), 2, 2):
            raise ValueError(f"{len(self.pairs)} pairs do not fit points of shape {self.points.shape}.")


@dataclass(frozen=True)
class Neighbour:
    """A word of the other language: its cosine, whether the lexicon lists it as right, and whether it looks alike."""

    word: str
    cosine: float
    right: bool
    look_alike: bool


@dataclass(frozen=True)
class Neighbourhood:
    """The nearest words of the other language, and the rank of the first right one (None where none is listed).

    wrong is the mean cosine of the candidates that are not listed as right, the control of all others.
    """

    nearest: tuple[Neighbour, ...]
    right_rank: int | None
    candidates: int
    wrong: float


def project(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapters: Sequence[str | None],
    layer: int | str = "output",
    method: str = "PCA",
    lens: Lens = LENS,
    seed: int = 0,
) -> Projection:
    """Both languages' words at a layer in two dimensions, under every model of `adapters` (None: the base).

    Raises:
        ValueError: fewer than three pairs, an unknown method, or a layer that the model does not have.
    """
    if method not in PROJECTIONS:
        text = N_("There is no projection {method!r}: choose one of {choices}.")
        raise ValueError(translate(text, method=method, choices=", ".join(PROJECTIONS)))
    if len(pairs) < 3:
        raise ValueError(
            translate("A picture of the space needs at least three pairs, got {n}: add some.", n=len(pairs))
        )
    index = layer_index(loaded.layer_names, layer)
    sides = (
        (lens.pair.source, [pair.source for pair in pairs]),
        (lens.pair.target, [pair.target for pair in pairs]),
    )
    vectors = torch.stack(
        [torch.cat([_unit_states(loaded, words, of, key, index, lens) for of, words in sides]) for key in adapters]
    )  # (m, 2n, d)
    n = len(pairs)
    if not vectors.isfinite().all():
        text = N_("At {layer}, vectors are no numbers (NaN or infinity): the model or the adapter is broken there.")
        raise ValueError(translate(text, layer=layer_words(loaded.layer_names[index])))
    nearest = (vectors[:, :n] @ vectors[:, n:].transpose(1, 2)).argmax(dim=2)  # (m, n)
    flat, explained = _reduced(vectors.flatten(0, 1).numpy(), method, seed)  # (m · 2n, 2)
    points = flat.reshape(len(adapters), 2, n, 2).transpose(0, 2, 1, 3)  # (m, n, 2, 2)
    found, alike = (nearest == torch.arange(n)).numpy(), look_alikes(tuple(pairs))  # (m, n), (n,)
    beyond = found[:, ~alike].mean(axis=1) if not alike.all() else np.full(len(adapters), np.nan)
    shares = np.stack([found.mean(axis=1), beyond], axis=1)
    name = loaded.layer_names[index]
    return Projection(method, name, lens, tuple(pairs), points, alike, shares, explained)


def nearest_words(
    loaded: LoadedModel,
    word: str,
    language: str,
    adapter: str | None,
    layer: int | str = "output",
    lens: Lens = LENS,
    count: int = NEIGHBOURS,
    right: Sequence[str] | None = None,
) -> Neighbourhood:
    """The words of the other language in the lexicon that lie nearest to a word at a layer, by cosine.

    Phrases such as *hot water* are no candidates for one word, unless they are listed as its translation.

    Args:
        language: the name of the language that the word is in.
        right: its translations; None for those that the lexicon lists.

    Raises:
        ValueError: an unknown language, an empty or overlong word, or a layer that the model does not have.
    """
    word = single_word(word)
    names = lens.pair.names
    if language not in names:
        text = N_("There is no language {language!r}: choose {choices}.")
        raise ValueError(translate(text, language=language, choices=" or ".join(names)))
    index = layer_index(loaded.layer_names, layer)
    listed = translations(word, language, lens.languages) if right is None else set(map(normalise, right))
    own, other = (lens.pair.source, lens.pair.target) if language == names[0] else (lens.pair.target, lens.pair.source)
    vocabulary = _vocabulary(other.name, lens.languages)
    known = list(vocabulary)
    key = f"{lens.languages} {language} neighbours at {index}, {lens.readout}, {lens.view}"
    others = loaded.reference(adapter, key, lambda: _unit_states(loaded, known, other, adapter, index, lens))
    is_one = " " not in word.removeprefix("to ")
    kept = [i for i, of in enumerate(known) if vocabulary[of] or not is_one or normalise(of) in listed]
    candidates = [known[i] for i in kept]
    cosines = (others @ _unit_states(loaded, [word], own, adapter, index, lens)[0]).numpy()[kept]  # (candidates,)
    if not np.isfinite(cosines).all():
        text = N_("At {layer}, vectors are no numbers (NaN or infinity): the model or the adapter is broken there.")
        raise ValueError(translate(text, layer=layer_words(loaded.layer_names[index])))
    order = np.argsort(-cosines, kind="stable")
    alike = similarity((word,), tuple(candidates))[0] >= LOOK_ALIKE  # (candidates,)
    ranked = [
        Neighbour(candidates[i], float(cosines[i]), normalise(candidates[i]) in listed, bool(alike[i])) for i in order
    ]
    ranks = [rank for rank, neighbour in enumerate(ranked, 1) if neighbour.right]
    wrong = float(np.mean([neighbour.cosine for neighbour in ranked if not neighbour.right]))
    return Neighbourhood(tuple(ranked[:count]), ranks[0] if ranks else None, len(candidates), wrong)


def translations(word: str, language: str, languages: str = DEFAULT) -> frozenset[str]:
    """What the lexicon lists as translations of a word, in normal form; empty where it does not know the word."""
    source, target = lexicon_translations(languages)
    known = source if language == language_pair(languages).source.name else target
    return frozenset(map(normalise, known.get(normalise(word), ())))


def _vocabulary(language: str, languages: str) -> dict[str, bool]:
    """The lexicon's distinct words of one language, and whether each is a word rather than a phrase."""
    side = "source" if language == language_pair(languages).source.name else "target"
    found: dict[str, bool] = {}
    for entry in lexicon(languages):
        of = getattr(entry.pair, side)
        found[of] = found.get(of, False) or entry.pos != "phrase"
    return found


def _unit_states(
    loaded: LoadedModel, words: Sequence[str], language: Language, adapter: str | None, layer: int, lens: Lens
) -> Tensor:
    """Words of one language as the lens shows them, of length 1: (n, d)."""
    states = word_states(loaded, words, language, adapter, layer, lens)
    if lens.view != "raw":
        side = "source" if language == lens.pair.source else "target"
        pool = list(dict.fromkeys(getattr(pair, side) for pair in shipped("pool", lens.languages))) or list(words)
        states = viewed_words(states, word_states(loaded, pool, language, adapter, layer, lens), lens.view)
    return torch.nn.functional.normalize(states, dim=-1)


def _reduced(vectors: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Unit vectors (k, d) in two dimensions, (k, 2), and the shares of the variance that these carry, where known."""
    # Imported where they are used: each takes seconds to load, which nobody should wait for who does not look.
    if method == "PCA":
        from sklearn.decomposition import PCA

        fitted = PCA(2, random_state=seed)
        flat = fitted.fit_transform(vectors)
        return flat, (float(fitted.explained_variance_ratio_[0]), float(fitted.explained_variance_ratio_[1]))
    if method == "t-SNE":
        from sklearn.manifold import TSNE

        perplexity = min(30, (len(vectors) - 1) / 3)
        made = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=seed)
        return made.fit_transform(vectors), None
    from umap import UMAP

    neighbours = min(15, len(vectors) - 1)
    made = UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1)
    return made.fit_transform(vectors), None
