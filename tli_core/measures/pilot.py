"""The published pilot: the layer with the highest cosine, BOS averaged in, and the controls it leaves out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tli_core.encoding.lens import Lens
from tli_core.i18n import translate
from tli_core.lists.language_pair import DEFAULT
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.result import LayerAlignment
from tli_core.measures.significance import highest
from tli_core.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class Pilot:
    """The same pairs with BOS averaged in, as published, and read as usual; `layer` is the published choice."""

    layer: int
    with_bos: LayerAlignment
    words: LayerAlignment

    @property
    def best_gap(self) -> int:
        """The layer, after the embeddings, where right pairs stand farthest from wrong ones, words only."""
        return highest(self.words.gap[1:]) + 1


def run_pilot(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
    languages: str = DEFAULT,
) -> Pilot:
    """Pick a layer as arXiv 2506.15415 does: mean over every token with BOS, the highest mean cosine of right pairs.

    Its code measures every layer but the last (the output), and layer 0 has no block to train, so the choice is among
    the layers between; all pairs go in one batched pass rather than one word and layer at a time.
    """
    progress(translate("{n} pairs, BOS averaged in", n=len(pairs)))
    with_bos = measure(loaded, pairs, adapter, Lens(languages, "all"), seed)
    progress(translate("{n} pairs, words only", n=len(pairs)))
    words = measure(loaded, pairs, adapter, Lens(languages), seed)
    between = with_bos.matched[1:-1] if loaded.blocks > 1 else with_bos.matched[1:]
    return Pilot(highest(between) + 1, with_bos, words)
