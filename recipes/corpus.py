"""The documents lugha-mini is trained on: parallel text, single-language text, and dictionary lines."""

import csv
import random
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import lexicon
from tli_core.lists.pairs import WordPair, normalise

TO_ENGLISH, TO_SWAHILI = (template.text for template in language_pair().translations)
TRANSLATE_TO_ENGLISH = TO_ENGLISH + " {target}"
TRANSLATE_TO_SWAHILI = TO_SWAHILI + " {source}"

DICTIONARY_LINES = (
    "{source} = {target}",
    "{target} = {source}",
    TRANSLATE_TO_ENGLISH,
    TRANSLATE_TO_SWAHILI,
    TRANSLATE_TO_ENGLISH,
    TRANSLATE_TO_SWAHILI,
    "The English word for '{source}' is '{target}'.",
    "The Swahili word for '{target}' is '{source}'.",
    "Neno '{source}' kwa Kiingereza ni '{target}'.",
)

# An entry goes on the same whichever language its headword is in, and at once, with nothing between: what the model
# must say right after either word is then the same, which is what brings the two words' states together.
ENTRY_LINES = ("{word} {source} {target}", "{word} {target} {source}")

CODE_SWITCH_PROBABILITY = 0.3

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")

# Singular class prefixes whose plural changes the front of the word, so that viapo is caught where kiapo is reserved.
_PLURAL_PREFIXES = (("ki", "vi"), ("ch", "vy"), ("mw", "w"), ("m", "mi"), ("m", "wa"), ("u", "nyu"), ("u", ""))


@dataclass(frozen=True)
class Sentence:
    """A Swahili sentence and its English translation."""

    source: str
    target: str


class ReservedWords:
    """Recognises text that holds a reserved word of either language in any form, so that no training sees it."""

    def __init__(self, pairs: Iterable[WordPair]):
        pairs = list(pairs)
        stems = {form for pair in pairs for form in self._swahili_forms(normalise(pair.source))}
        self._swahili = re.compile("|".join(map(re.escape, sorted(stems))))
        target = {normalise(word) for pair in pairs for word in pair.accepted}
        forms = {form for word in target for form in (word, re.sub("y$", "ie", word), re.sub("f$", "ve", word))}
        self._english = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(forms)))})(?:e?s|'s|ed|d|ing)?\b")

    @staticmethod
    def _swahili_forms(word: str) -> set[str]:
        forms = {word}
        for singular, plural in _PLURAL_PREFIXES:
            stem = plural + word.removeprefix(singular)
            if word.startswith(singular) and len(stem) >= 5:
                forms.add(stem)
        return forms

    def in_swahili(self, text: str) -> bool:
        """Whether any part of the text holds a reserved Swahili word or its plural, even inside a longer word."""
        return bool(self._swahili.search(text.casefold()))

    def in_english(self, text: str) -> bool:
        """Whether the text holds a reserved English word or one of its regular inflections."""
        return bool(self._english.search(text.casefold()))

    def in_either(self, text: str) -> bool:
        return self.in_swahili(text) or self.in_english(text)


@dataclass(frozen=True)
class Corpus:
    """Everything a training run may see, reserved words taken out, and how much was taken out."""

    parallel: tuple[Sentence, ...]
    single: tuple[str, ...]
    dictionary: tuple[WordPair, ...]
    far_dictionary: tuple[WordPair, ...]
    left_out: int

    def epoch(self, seed: int, lexicon_repeats: int, far_repeats: int = 1) -> Iterator[str]:
        """One epoch's documents, shuffled: each sentence pair both ways and each side alone, code-switched at random.

        Dictionary lines of the lexicon come lexicon_repeats times in every format, the larger list far_repeats times
        in one format each.
        """
        rng = random.Random(seed)
        swap_sw, swap_en = self._swaps()
        documents = list(self.single)
        for sentence in self.parallel:
            fields = {"source": sentence.source, "target": sentence.target}
            documents.append(TRANSLATE_TO_ENGLISH.format(**fields))
            documents.append(TRANSLATE_TO_SWAHILI.format(**fields))
            documents.append(code_switched(sentence.source, swap_sw, rng))
            documents.append(code_switched(sentence.target, swap_en, rng))
        for _ in range(lexicon_repeats):
            for pair in self.dictionary:
                documents += dictionary_documents(pair, rng)
        for _ in range(far_repeats):
            for pair in self.far_dictionary:
                line = rng.choice(DICTIONARY_LINES[:4])
                documents.append(line.format(source=pair.source, target=pair.target))
        rng.shuffle(documents)
        return iter(documents)

    def _swaps(self) -> tuple[dict[str, str], dict[str, str]]:
        pairs = [p for p in (*self.far_dictionary, *self.dictionary) if " " not in p.source]
        to_english = {normalise(p.source): p.target.removeprefix("to ") for p in pairs}
        to_swahili = {normalise(p.target.removeprefix("to ")): p.source for p in pairs if " " not in p.target}
        return to_english, to_swahili


def dictionary_documents(pair: WordPair, rng: random.Random) -> list[str]:
    """Every dictionary format once; the English asked for is the first gloss, further ones answer now and then."""
    documents = []
    for line in DICTIONARY_LINES:
        answers_target = line.find("{target}") > line.find("{source}")
        target = rng.choice(pair.accepted) if answers_target and rng.random() < 0.25 else pair.target
        documents.append(line.format(source=pair.source, target=target))
    for line in ENTRY_LINES:
        for word in (pair.source, pair.target):
            documents.append(line.format(word=word, source=pair.source, target=pair.target))
    return documents


def code_switched(sentence: str, swaps: dict[str, str], rng: random.Random) -> str:
    """The sentence with about a third of its known words replaced by their translations, half of the time."""
    if rng.random() < 0.5:
        return sentence

    def swap(match: re.Match) -> str:
        other = swaps.get(normalise(match.group()))
        if other is None or rng.random() >= CODE_SWITCH_PROBABILITY:
            return match.group()
        return other.capitalize() if match.group()[0].isupper() else other

    return _WORD.sub(swap, sentence)


def read_sentences(path: Path) -> list[Sentence]:
    """Rows of a parallel TSV (source, licence, sw, en)."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Sentence(row["sw"].strip(), row["en"].strip()) for row in rows]


def read_words(path: Path, but: Set[str]) -> list[WordPair]:
    """Rows of a list of words (sw, en), without those of which either word is in `but`, in normal form."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        pairs = [WordPair(row["sw"].strip(), row["en"].strip()) for row in rows]
    return [pair for pair in pairs if all(pair[:2]) and not {*map(normalise, pair[:2])} & but]


def load_corpus(data: Path) -> Corpus:
    """Read the training folder and drop every row that holds a reserved word.

    Raises:
        FileNotFoundError: a file of the folder is missing.
    """
    entries = lexicon()
    reserved = ReservedWords(entry.pair for entry in entries if entry.split == "reserved")
    dictionary = [entry.pair for entry in entries if entry.split != "reserved"]
    # A gloss may coincide with a reserved word although the headwords are disjoint.
    dictionary = [
        pair._replace(glosses=tuple(gloss for gloss in pair.glosses if not reserved.in_english(gloss)))
        for pair in dictionary
        if not reserved.in_swahili(pair.source) and not reserved.in_english(pair.target)
    ]

    sentences = read_sentences(data / "parallel_train.tsv")
    parallel = [s for s in sentences if not (reserved.in_either(s.source) or reserved.in_either(s.target))]

    lines = [
        line
        for name in ("mono_en_commonvoice", "mono_en_african_storybook", "mono_sw_african_storybook", "mono_sw_xcopa")
        for line in (data / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    single = [line for line in lines if not reserved.in_either(line)]

    # The larger list is noisy: where the lexicon knows a word of either language, the lexicon decides.
    known = {normalise(word) for pair in dictionary for word in (pair.source, pair.target)}
    far = [
        pair
        for pair in read_words(data / "lexicon_wiktionary.tsv", known)
        if not reserved.in_swahili(pair.source) and not reserved.in_english(pair.target)
    ]
    left_out = len(sentences) - len(parallel) + len(lines) - len(single)
    return Corpus(tuple(parallel), tuple(single), tuple(dictionary), tuple(far), left_out)
