"""What a model makes of one word: the translation that it writes, and the nearest words of the other language."""

from dataclasses import dataclass

from tli_core.encoding.lens import LENS, Lens
from tli_core.lists.one_word import ReadWord
from tli_core.lists.pairs import normalise
from tli_core.measures.generation import continuations, first_lines
from tli_core.measures.projection import Neighbourhood, nearest_words
from tli_core.models import architecture
from tli_core.models.loaded_model import LoadedModel

MOST_WRITTEN = 16
"""Tokens of an answer."""


@dataclass(frozen=True)
class WordAnswer:
    """What a model makes of one word, and `other`, the name of the other language.

    written is the first line that the model writes when it is asked for the translation, None without an output head.
    nearby are its nearest words at the output.
    """

    read: ReadWord
    other: str
    written: str | None
    nearby: Neighbourhood

    @property
    def written_right(self) -> bool:
        """Whether the lexicon lists what the model writes."""
        return self.written is not None and normalise(self.written) in map(normalise, self.read.listed)


def answer_word(loaded: LoadedModel, read: ReadWord, adapter: str | None = None, lens: Lens = LENS) -> WordAnswer:
    """Ask a model for one word.

    Raises:
        ValueError: the word is of neither of the lens's languages, or gives no token.
    """
    nearby = nearest_words(loaded, read.word, read.language, adapter, "output", lens, right=read.listed)
    to_target, to_source = lens.pair.translations
    if read.language == lens.pair.source.name:
        other, prompt = lens.pair.target.name, to_target.fill(read.word, "")
    else:
        other, prompt = lens.pair.source.name, to_source.fill("", read.word)
    written = None
    with loaded.using(adapter) as model:
        if architecture.has_head(model):
            (written,) = first_lines(continuations(model, loaded.tokenizer, [prompt], MOST_WRITTEN))
    return WordAnswer(read, other, written, nearby)
