"""Words of a held-out list that were trained on: the same words, other forms of them, and other translations."""

from collections.abc import Iterator, Sequence

from tli_core.lists.language_pair import DEFAULT, Inflection, language_pair
from tli_core.lists.pairs import WordPair, normalise
from tli_core.notices import Notice, notice

HYPHENS = ("-", "–", "‑")

SHORTEST_STEM = 2
"""Letters that must be left of a word when what inflects it is taken away."""


def word_forms(word: str, inflection: Inflection) -> frozenset[str]:
    """Keys under which forms of one word meet, of which two forms share one: itself, its stems, its class and stem.

    `kitabu` and `vitabu` meet in `ki/vi:tabu`, `kufungua` and `-fungua` in `fungua`, `books` and `book` in `book`.
    """
    word = normalise(word)
    found = {word}
    if word.startswith(HYPHENS):
        found.add(word.lstrip("".join(HYPHENS)))
    for prefix in inflection.infinitives:
        if word.startswith(prefix) and len(word) >= len(prefix) + SHORTEST_STEM:
            found.add(word.removeprefix(prefix).strip())
    for ending, instead in inflection.plurals:
        if word.endswith(ending) and len(word) >= len(ending) + SHORTEST_STEM:
            found.add(word.removesuffix(ending) + instead)
    for prefixes in inflection.classes:
        for prefix in prefixes:
            if word.startswith(prefix) and len(word) >= len(prefix) + SHORTEST_STEM:
                found.add(f"{'/'.join(prefixes)}:{word.removeprefix(prefix)}")
    return frozenset(found)


def leaked_words(
    trained: Sequence[WordPair], held_out: Sequence[WordPair], languages: str = DEFAULT
) -> tuple[dict[str, str], dict[str, str]]:
    """The source and target words of a held-out list that are trained on, each with the trained word that it meets.

    Every gloss of either list counts as a target word.
    """
    pair = language_pair(languages)
    sides = (
        (pair.source.inflection, lambda p: (p.source,)),
        (pair.target.inflection, lambda p: p.accepted),
    )
    found: list[dict[str, str]] = []
    for inflection, words in sides:
        known: dict[str, str] = {}
        for trained_pair in trained:
            for word in words(trained_pair):
                for form in word_forms(word, inflection):
                    known.setdefault(form, word)
        met: dict[str, str] = {}
        for held in held_out:
            for word in words(held):
                forms = word_forms(word, inflection)
                # The very word, if it is there, before a form of it.
                first = next((known[f] for f in sorted(forms, key=lambda f: f != normalise(word)) if f in known), None)
                if first is not None:
                    met[word] = first
        found.append(met)
    return found[0], found[1]


def leaks_of(
    trained: Sequence[WordPair], held_out: Sequence[WordPair], languages: str = DEFAULT
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each held-out pair that was trained on: its number, and its words with the trained words that they meet."""
    source, target = leaked_words(trained, held_out, languages)
    for index, pair in enumerate(held_out):
        met = {
            word: side[word]
            for side, word in ((source, pair.source), *((target, g) for g in pair.accepted))
            if word in side
        }
        if met:
            yield index, met


def leak_notice(trained: Sequence[WordPair], held_out: Sequence[WordPair], languages: str = DEFAULT) -> Notice | None:
    """What to say of words that both lists hold, in whatever form; None where there are none."""
    source, target = leaked_words(trained, held_out, languages)
    if not source and not target:
        return None
    source_language, target_language = language_pair(languages).names
    return notice(
        "leak",
        source=len(source),
        target=len(target),
        source_language=source_language,
        target_language=target_language,
        named=", ".join(sorted({**source, **target})[:5]),
    )
