"""What is wrong with a list of word pairs, one sentence each, and the fix that can be accepted."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.leaks import HYPHENS, leaks_of
from tli_core.lists.lexicon import lexicon
from tli_core.lists.pairs import WordPair, normalise

MANY_SUBWORDS = 6
"""A word in more pieces than this is a mean over fragments more than a word."""

TYPO_SIMILARITY = 0.75
"""Words that share at least this part of their letters, in order, count as two spellings of one word: two swapped
letters out of four still count."""


@dataclass(frozen=True)
class Finding:
    """One thing to mend at one pair. `fix` says what accepting it does; empty where there is only something to know."""

    kind: str
    index: int
    message: str
    fix: str = ""
    into: int | None = None


def lint(
    pairs: Sequence[WordPair],
    trained: Sequence[WordPair] = (),
    subwords: Callable[[str], Sequence[str]] | None = None,
) -> tuple[Finding, ...]:
    """Everything worth mending or knowing in a list, in the order of the list.

    Args:
        trained: the list that is trained on, where `pairs` is the control list: words in both are leaks.
        subwords: what the model's tokenizer makes of a word, to name words that fall into many pieces.
    """
    found = [
        *_wording(pairs),
        *_repeats(pairs),
        *_leaks(trained, pairs),
        *(_fragments(pairs, subwords) if subwords else ()),
    ]
    return tuple(sorted(found, key=lambda finding: finding.index))


def apply(pairs: Sequence[WordPair], findings: Iterable[Finding]) -> tuple[WordPair, ...]:
    """The list with the accepted findings' fixes made; those without a fix change nothing."""
    rows: list[WordPair | None] = list(pairs)
    accepted = [finding for finding in findings if finding.fix]
    for kind, rule in _RULES.items():
        for finding in accepted:
            if finding.kind == kind and (row := rows[finding.index]) is not None:
                rows[finding.index] = rule(row) or row
    for finding in accepted:
        if finding.kind not in _RULES and finding.into is None:
            rows[finding.index] = None
    for finding in accepted:
        # A duplicate is merged into its first occurrence only if that one has not been removed.
        if finding.into is None or (row := rows[finding.index]) is None or (first := rows[finding.into]) is None:
            continue
        glosses = dict.fromkeys((*first.glosses, *row.accepted))
        glosses.pop(first.target, None)
        rows[finding.into] = first._replace(glosses=tuple(glosses))
        rows[finding.index] = None
    return tuple(row for row in rows if row is not None)


def _leaks(trained: Sequence[WordPair], control: Sequence[WordPair]) -> Iterator[Finding]:
    """Control pairs that hold a word of the trained list; accepting takes them out of the control list."""
    for index, met in leaks_of(trained, control):
        words = ", ".join(
            repr(word) if normalise(word) == normalise(known) else f"{word!r} ({known!r})"
            for word, known in met.items()
        )
        text = translate("{words} is also trained on, so this pair does not test unseen words.", words=words)
        yield Finding(N_("leak"), index, text, translate("leave it out"))


def _wording(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    """The rules of one pair, each tried on what the rules before it would leave."""
    for index, pair in enumerate(pairs):
        current = pair
        for kind, rule in _RULES.items():
            changed = rule(current)
            if changed is not None:
                text = translate(_MESSAGES[kind], source=current.source, target=current.target)
                yield Finding(kind, index, text, translate("write {pair}", pair=_shown(changed)))
                current = changed
        if normalise(current.source) == normalise(current.target):
            yield Finding(
                N_("same spelling"),
                index,
                translate(
                    "{word!r} is spelt the same in both languages (a name or a loan?), so its cosine is 1 whatever the "
                    "model knows.",
                    word=pair.source,
                ),
                translate("leave it out"),
            )


def _repeats(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    first_source: dict[str, int] = {}
    first_target: dict[str, int] = {}
    for index, pair in enumerate(pairs):
        source, target = normalise(pair.source), normalise(pair.target)
        if source in first_source:
            first = pairs[first_source[source]]
            same = normalise(first.target) == target
            yield Finding(
                N_("repeated pair") if same else N_("several translations"),
                index,
                translate(
                    N_("{word!r} is there twice, both times as {other!r}.")
                    if same
                    else N_("{word!r} is there twice, also as {other!r}."),
                    word=pair.source,
                    other=first.target,
                ),
                translate("count it once")
                if same
                else translate("keep {pair} and count {word!r} as right too", pair=_shown(first), word=pair.target),
                first_source[source],
            )
        elif target in first_target:
            other = pairs[first_target[target]].source
            yield Finding(
                N_("synonyms"),
                index,
                translate(
                    "{word!r} also translates {other!r}; the two are never used as each other's wrong answer.",
                    word=pair.target,
                    other=other,
                ),
            )
        first_source.setdefault(source, index)
        first_target.setdefault(target, index)


def _fragments(pairs: Sequence[WordPair], subwords: Callable[[str], Sequence[str]]) -> Iterator[Finding]:
    for index, pair in enumerate(pairs):
        for word in pair[:2]:
            pieces = subwords(word)
            if len(pieces) > MANY_SUBWORDS:
                yield Finding(
                    N_("many pieces"),
                    index,
                    translate(
                        "{word!r} falls into {n} pieces ({pieces}): its vector is a mean of fragments.",
                        word=word,
                        n=len(pieces),
                        pieces="·".join(piece.strip() for piece in pieces),
                    ),
                )


def likely_typos(pairs: Sequence[WordPair]) -> list[str]:
    """Messages on likely typing errors, with the likely correction: swapped sides or misspelt words."""
    slips = [finding for finding in _wording(pairs) if finding.kind in (N_("swapped sides"), "spelling")]
    return [f"{finding.message} → {finding.fix}" for finding in slips]


def read_by_byte(words: Iterable[str], subwords: Callable[[str], Sequence[str]]) -> str:
    """One sentence on words that a tokenizer has no pieces for, so that it falls back to bytes; empty without any."""
    found = [word for word in dict.fromkeys(words) if any("\ufffd" in piece for piece in subwords(word))]
    if not found:
        return ""
    return translate(
        "The model has no pieces for {words} and reads bytes: where two such words are close, they share bytes, not "
        "meaning.",
        words=", ".join(found[:5]),
    )


def _right_way_round(pair: WordPair) -> WordPair | None:
    """The sides swapped, where the lexicon knows each word as one of the other side's language only."""
    source, target = _translations()
    left, right = normalise(pair.source), normalise(pair.target)
    swapped = left in target and right in source and left not in source and right not in target
    return pair._replace(source=pair.target, target=pair.source, glosses=()) if swapped else None


def _respelt(pair: WordPair) -> WordPair | None:
    """A word that the lexicon does not know, as the lexicon spells what its partner means and it resembles."""
    source, target = _translations()
    left, right = normalise(pair.source), normalise(pair.target)
    if left == right or left.startswith(HYPHENS):
        return None  # a name, a loan or a stem, each of which has a finding of its own
    if left not in source and (meant := _alike(left, target.get(right, ()))):
        return pair._replace(source=meant)
    if right not in target and (meant := _alike(right, source.get(left, ()))):
        return pair._replace(target=meant)
    return None


def _alike(word: str, others: Iterable[str]) -> str | None:
    """The first of these that is nearly this word; an ending or a beginning more is another form, not a slip."""
    for other in others:
        forms = word.startswith(other) or other.startswith(word) or word.endswith(other) or other.endswith(word)
        if not forms and SequenceMatcher(None, word, other).ratio() >= TYPO_SIMILARITY:
            return other
    return None


@lru_cache(maxsize=1)
def _translations() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The lexicon's words of each language as it compares them, each with its translations."""
    source: dict[str, list[str]] = {}
    target: dict[str, list[str]] = {}
    for entry in lexicon():
        for gloss in entry.pair.accepted:
            source.setdefault(normalise(entry.pair.source), []).append(gloss)
            target.setdefault(normalise(gloss), []).append(entry.pair.source)
    return source, target


def _without_notes(pair: WordPair) -> WordPair | None:
    source, target = (re.sub(r"\s*[(\[][^)\]]*[)\]]\s*", " ", word).strip() for word in pair[:2])
    changed = (source, target) != pair[:2] and source and target
    return pair._replace(source=source, target=target) if changed else None


def _one_gloss(pair: WordPair) -> WordPair | None:
    source, target = ([part for part in map(str.strip, re.split(r"[,;/]", word)) if part] for word in pair[:2])
    if (len(source) < 2 and len(target) < 2) or not source or not target:
        return None
    to, *_ = language_pair().target.inflection.infinitives
    more = [f"{to}{word}" if target[0].startswith(to) and not word.startswith(to) else word for word in target]
    glosses = tuple(dict.fromkeys((*pair.glosses, *more[1:])))
    return pair._replace(source=source[0], target=target[0], glosses=glosses)


def _without_hyphen(pair: WordPair) -> WordPair | None:
    bare = pair.source.strip("".join((*HYPHENS, " ")))
    return pair._replace(source=bare) if bare and bare != pair.source else None


def _both_infinitives(pair: WordPair) -> WordPair | None:
    """`kufungua, open` or `fungua, to open`, made the same form on both sides.

    Not every word with ku- is a verb (kuku is a hen, kura a vote), so `to` is added only where the lexicon knows the
    English verb and does not know the Swahili word as anything else.
    """
    ku, *_ = language_pair().source.inflection.infinitives
    to, *_ = language_pair().target.inflection.infinitives
    verb = pair.source.startswith(language_pair().source.inflection.infinitives)
    verbs, others = _lexicon_verbs()
    known = normalise(f"{to}{pair.target}") in verbs and normalise(pair.source) not in others
    if verb and known and not pair.target.startswith(to):
        return pair._replace(target=f"{to}{pair.target}")
    if not verb and pair.target.startswith(to) and " " not in pair.source:
        return pair._replace(source=f"{ku}{pair.source}")
    return None


@lru_cache(maxsize=1)
def _lexicon_verbs() -> tuple[frozenset[str], frozenset[str]]:
    """The lexicon's English infinitives, and its Swahili words that are no verbs."""
    target = (normalise(word) for entry in lexicon() for word in entry.pair.accepted)
    verbs = frozenset(word for word in target if word.startswith(language_pair().target.inflection.infinitives))
    return verbs, frozenset(normalise(entry.pair.source) for entry in lexicon() if entry.pos != "verb")


_RULES: dict[str, Callable[[WordPair], WordPair | None]] = {
    N_("swapped sides"): _right_way_round,
    N_("spelling"): _respelt,
    N_("note in brackets"): _without_notes,
    N_("several glosses"): _one_gloss,
    N_("hyphen stem"): _without_hyphen,
    N_("verb form"): _both_infinitives,
}

_MESSAGES = {
    N_("swapped sides"): N_("The two sides look swapped: {source}, {target}."),
    "spelling": N_("A slip of the hand? {source}, {target}."),
    N_("note in brackets"): N_("A note in brackets is read as part of the word: {source}, {target}."),
    N_("several glosses"): N_("Several words stand in one place: {source}, {target}."),
    N_("hyphen stem"): N_("{source!r} is a stem with a hyphen, which no text holds."),
    N_("verb form"): N_("Infinitive against bare verb: {source}, {target}."),
}


def _shown(pair: WordPair) -> str:
    return f"{pair.source}, {'; '.join(pair.accepted)}"
