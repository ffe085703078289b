"""The pooled vectors of a list of pairs: each distinct word embedded once, whatever the number of its pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tli_core.distributed import gather_tensor, own_part, processes
from tli_core.encoding.lens import Lens
from tli_core.encoding.pooled_states import PooledStates, layer_states, states_by_pooling
from tli_core.encoding.pooling import EncodedWord
from tli_core.encoding.readouts import ALONE, DEFAULT_READOUT, Readout, readout, texts_of
from tli_core.encoding.tokens import encode, encode_in
from tli_core.lists.language_pair import DEFAULT, Language, LanguagePair, language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair, numbered
from tli_core.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class PairStates:
    """The pooled vectors of a list of pairs, each distinct word once.

    source is (layers, a, d) and target (layers, b, d) for a and b distinct strings; pair i is row source_index[i] of
    the one and target_index[i] of the other. source_pieces (a,) and target_pieces (b,) count each word's tokens.
    prefix_share (layers,) is the mean over words of
    `pooled_states.PooledStates.prefix_share`; first_piece (layers,) is the ratio of the same name there.
    """

    pairs: tuple[WordPair, ...]
    source: Tensor
    target: Tensor
    source_index: np.ndarray
    target_index: np.ndarray
    source_pieces: np.ndarray
    target_pieces: np.ndarray
    names: tuple[str, ...]
    prefix_share: np.ndarray
    first_piece: np.ndarray

    @cached_property
    def spreads(self) -> list[tuple[tuple[Tensor, Tensor], ...]]:
        """By layer, of source words and of target words: their vectors' mean (d,) and standard deviation (d,)."""
        sides = self.source, self.target
        return [tuple((of[at].mean(dim=0), of[at].std(dim=0)) for of in sides) for at in range(len(self.names))]

    def at(self, layer: int) -> "PairStates":
        """The same at one layer alone."""
        only = slice(layer, layer + 1)
        return replace(
            self,
            source=self.source[only],
            target=self.target[only],
            names=self.names[only],
            prefix_share=self.prefix_share[only],
            first_piece=self.first_piece[only],
        )

    def __post_init__(self) -> None:
        if self.source.shape[0] != self.target.shape[0] or self.source.shape[2] != self.target.shape[2]:
            raise ValueError(
                f"Source states {tuple(self.source.shape)} do not fit target states {tuple(self.target.shape)}."
            )
        if not len(self.names) == len(self.prefix_share) == self.source.shape[0]:
            raise ValueError(
                f"{self.source.shape[0]} layers but {len(self.names)} names and {len(self.prefix_share)} shares."
            )
        if not len(self.pairs) == len(self.source_index) == len(self.target_index):
            raise ValueError(f"{len(self.pairs)} pairs but {len(self.source_index)} indices.")


def embed_pairs(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    readout: str = DEFAULT_READOUT,
    languages: str = DEFAULT,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> PairStates:
    """Embed every distinct word of the pairs under one readout, as `embed_by_readout`."""
    return embed_by_readout(loaded, pairs, adapter, (readout,), languages, progress, alone)[readout]


def embed_by_readout(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    readouts: Sequence[str],
    languages: str = DEFAULT,
    progress: Callable[[int, int], None] = lambda done, blocks: None,
    alone: bool = False,
) -> dict[str, PairStates]:
    """Embed every distinct word of the pairs, with the named adapter on (None: the base).

    Readouts that take a word in the same text share one pass.

    Args:
        readouts: keys of READOUTS.
        languages: the key of the pair of languages.
        progress: called with (blocks done, total blocks).
        alone: whether this process embeds all of them; otherwise several processes share the words out.

    Raises:
        ValueError: an unknown readout, a word without tokens, or a language without sentences to read it in.
    """
    source, source_index = numbered(pair.source for pair in pairs)
    target, target_index = numbered(pair.target for pair in pairs)
    words = [("source", word) for word in source] + [("target", word) for word in target]
    own = words if alone else own_part(words)
    own_source, own_target = ([word for of, word in own if of == side] for side in ("source", "target"))
    kinds: dict[str, list[Readout]] = {}
    for key in readouts:
        kinds.setdefault(readout(key).text, []).append(readout(key))
    passes = [
        (of, encoded)
        for of in kinds.values()
        for encoded in _encoded(loaded, own_source, own_target, of[0], language_pair(languages))
    ]
    pooled: dict[str, list[PooledStates]] = {key: [] for key in readouts}
    with loaded.using(adapter) as model:
        for number, (of, encoded) in enumerate(passes):

            def report_progress(done: int, blocks: int, number: int = number) -> None:
                progress(number * blocks + done, len(passes) * blocks)

            made = states_by_pooling(model, encoded, [one.pooling for one in of], progress=report_progress)
            for one in of:
                pooled[one.key].append(made[one.pooling])
    # Words that are read alone, all of them by this process, are tokenised already.
    tokenised = next((encoded for of, encoded in passes if of[0].text == ALONE and len(own) == len(words)), None)
    tokenised = tokenised or encode(loaded.tokenizer, source + target)
    pieces = np.array([len(word.ids) - sum(word.special) for word in tokenised])
    found = {}
    for key, texts in pooled.items():
        states, shares = _mean([text.vectors for text in texts]), _mean([text.prefix_share for text in texts])
        if not alone:
            states, shares = (_gathered(part, len(words), loaded) for part in (states, shares))
        found[key] = PairStates(
            tuple(pairs),
            states[:, : len(source)],  # (layers, a, d)
            states[:, len(source) :],  # (layers, b, d)
            source_index,
            target_index,
            pieces[: len(source)],
            pieces[len(source) :],
            loaded.layer_names[: states.shape[0]],
            shares.numpy().mean(axis=1, dtype=np.float64),
            _mean([text.first_piece for text in texts]).numpy(),
        )
    return found


@torch.inference_mode()
def word_states(
    loaded: LoadedModel, words: Sequence[str], language: Language, adapter: str | None, layer: int, lens: Lens
) -> Tensor:
    """Words of one language at one layer, as a lens reads them and in no view: (n, d) on the CPU."""
    of = readout(lens.readout)
    with loaded.using(adapter) as model:
        texts = [
            layer_states(model, encode_in(loaded.tokenizer, words, of, text), layer, of.pooling).cpu()
            for text in texts_of(of, language, lens.pair)
        ]
    return _mean(texts)


def _encoded(
    loaded: LoadedModel, source: Sequence[str], target: Sequence[str], of: Readout, languages: LanguagePair
) -> list[list[EncodedWord]]:
    """Source words, then target words, in each text of a readout's kind."""
    texts = zip(texts_of(of, languages.source, languages), texts_of(of, languages.target, languages), strict=True)
    return [
        encode_in(loaded.tokenizer, source, of, of_source) + encode_in(loaded.tokenizer, target, of, of_target)
        for of_source, of_target in texts
    ]


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).mean(dim=0)


def _gathered(part: Tensor, total: int, loaded: LoadedModel) -> Tensor:
    """All processes' words of (layers, own n, …), on the CPU: (layers, total, …)."""
    if processes() == 1:
        return part
    # Processes exchange what lies on their device.
    return gather_tensor(part.transpose(0, 1).to(loaded.device), total).transpose(0, 1).cpu()


def reference_states(
    loaded: LoadedModel, adapter: str | None, readout: str = DEFAULT_READOUT, languages: str = DEFAULT
) -> PairStates | None:
    """The reference pool's vectors, kept with the model; None where no pool ships for the two languages."""
    if not (pool := shipped("pool", languages)):
        return None
    name = f"{languages} {readout}"
    return loaded.reference(adapter, name, lambda: embed_pairs(loaded, pool, adapter, readout, languages))
