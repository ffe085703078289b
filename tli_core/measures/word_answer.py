"""What a model makes of one word: the translation that it writes, and the nearest words of the other language."""

from dataclasses import dataclass

from tli_core.encoding.lens import LENS, Lens
from tli_core.lists.formats.rows import single_word
from tli_core.lists.lexicon import translations
from tli_core.lists.pairs import normalise
from tli_core.measures.generation import continuations
from tli_core.measures.projection import Neighbourhood, nearest_words
from tli_core.models import architecture
from tli_core.models.loaded_model import LoadedModel

MOST_WRITTEN = 16
"""Tokens of an answer."""


@dataclass(frozen=True)
class WordAnswer:
    """One word of `language`, and what is known of it in `other`; both are names of languages.

    listed are its translations in the lexicon. written is the first line that the model writes when it is asked for the
    translation, None without an output head. nearby are its nearest words at the output.
    """

    word: str
    language: str
    other: str
    listed: tuple[str, ...]
    written: str | None
    nearby: Neighbourhood

    @property
    def written_right(self) -> bool:
        """Whether the lexicon lists what the model writes."""
        return self.written is not None and normalise(self.written) in map(normalise, self.listed)


def answer_word(
    loaded: LoadedModel, word: str, language: str, adapter: str | None = None, lens: Lens = LENS
) -> WordAnswer:
    """Ask a model for one word.

    Args:
        language: the name of the language that the word is in, one of the lens's two.

    Raises:
        ValueError: an unknown language, or an empty or overlong word.
    """
    word = single_word(word)
    nearby = nearest_words(loaded, word, language, adapter, "output", lens)
    (source, target), asked = translations(lens.languages), normalise(word)
    to_target, to_source = lens.pair.translations
    if language == lens.pair.source.name:
        other, listed, prompt = lens.pair.target.name, source.get(asked, []), to_target.fill(word, "")
    else:
        other, listed, prompt = lens.pair.source.name, target.get(asked, []), to_source.fill("", word)
    written = None
    with loaded.using(adapter) as model:
        if architecture.has_head(model):
            (answer,) = continuations(model, loaded.tokenizer, [prompt], MOST_WRITTEN)
            written = answer.strip().split("\n")[0].strip()
    return WordAnswer(word, language, other, tuple(listed), written, nearby)
