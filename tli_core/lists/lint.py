"""What is wrong with a list of word pairs, one sentence each, and the fix that can be accepted."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from tli_core.i18n import N_, translate
from tli_core.lists.formats.cleaning import is_no_word
from tli_core.lists.language_guess import leanings
from tli_core.lists.language_pair import DEFAULT, LanguagePair, language_pair
from tli_core.lists.leaks import leaks_of
from tli_core.lists.lexicon import translations
from tli_core.lists.lint_rules import ARTICLES, RULES
from tli_core.lists.look_alike import look_alikes
from tli_core.lists.pairs import WordPair, normalise

MANY_SUBWORDS = 6
"""A word in more pieces than this is a mean over fragments more than a word."""

SENTENCE = 6
"""Words of a side that make it a sentence, in a list whose usual side has at most two."""

WRONG_LANGUAGE = 25.0
"""Nats: by how much a word must look like the other side's language, whose partner does, too. By less than this good
Swahili does, such as watoto and toleo."""

TURNED = 5.0
"""Nats: by how much each word of a pair must look like the other side's language."""

NO_WORD, SAME, LEAK = N_("no word"), N_("same spelling"), N_("leak")
REPEATED, SEVERAL, NEARLY = N_("repeated pair"), N_("several translations"), N_("nearly the same pair")
SYNONYMS, PIECES, SENTENCES = N_("synonyms"), N_("many pieces"), N_("sentence among words")
LANGUAGE, ALIKE = N_("wrong language"), N_("look-alike")

WHY: dict[str, str] = {
    **{kind: rule.why for kind, rule in RULES.items()},
    NO_WORD: N_("A spreadsheet or a person wrote it where a word is missing; it would be measured as a word."),
    SAME: N_("A pair that is spelt the same has a cosine of 1 whatever the model knows. Loans and names may be."),
    LEAK: N_("A held-out list is for words that no training saw, in this form, another form, or another translation."),
    REPEATED: N_("A pair that is there twice would count twice, and would be its own wrong answer."),
    SEVERAL: N_("Two rows of one word would be each other's wrong answers if one of them were not listed as right."),
    NEARLY: N_("The rows differ by an article, a space or a hyphen, and count as one word met twice."),
    SYNONYMS: N_("Two words with one translation are both right, so neither is used as the other's wrong answer."),
    PIECES: N_("A word's vector is a mean over its pieces; of many pieces it says little of the word."),
    SENTENCES: N_("A sentence's vector holds more than a word's, so it is compared with what it is not."),
    LANGUAGE: N_("The letters of both sides look like one language. Loans and names do, too."),
    ALIKE: N_("Words that share letters share pieces, so a model may find one beside the other without knowing either. "
              "Results are given for the other pairs as well."),
}  # fmt: skip
"""Why each kind of finding matters, by its name."""


@dataclass(frozen=True)
class Finding:
    """One thing to mend at one pair.

    fix: what accepting it does; empty where there is only something to know. certain: it needs no judgement. into: the
    row that this one is merged into, where accepting does that.
    """

    kind: str
    index: int
    message: str
    fix: str = ""
    into: int | None = None
    certain: bool = False

    @property
    def why(self) -> str:
        """The rule that it stands on, in the reader's language."""
        return translate(WHY[self.kind])


def lint(
    pairs: Sequence[WordPair],
    trained: Sequence[WordPair] = (),
    subwords: Callable[[str], Sequence[str]] | None = None,
    languages: str = DEFAULT,
) -> tuple[Finding, ...]:
    """Everything worth mending or knowing in a list, in the order of the list.

    Args:
        trained: the list that is trained on, where `pairs` is the control list: words in both are leaks.
        subwords: what the model's tokenizer makes of a word, to name words that fall into many pieces.
        languages: the codes of the list's two languages.
    """
    pair = language_pair(languages)
    found = [
        *_missing(pairs),
        *_wording(pairs, pair),
        *_same_spelling(pairs),
        *_sentences(pairs),
        *_wrong_language(pairs, pair),
        *_repeats(pairs),
        *_leaks(trained, pairs, languages),
        *(_fragments(pairs, subwords) if subwords else ()),
    ]
    return tuple(sorted(found, key=lambda finding: finding.index))


def apply(pairs: Sequence[WordPair], findings: Iterable[Finding], languages: str = DEFAULT) -> tuple[WordPair, ...]:
    """The list with the accepted findings' fixes made; those without a fix change nothing."""
    return tuple(pair for _, pair in mended(pairs, findings, languages))


def mended(
    pairs: Sequence[WordPair], findings: Iterable[Finding], languages: str = DEFAULT
) -> tuple[tuple[int, WordPair], ...]:
    """As `apply`, each pair with the row that it comes from."""
    of = language_pair(languages)
    rows: list[WordPair | None] = list(pairs)
    accepted = [finding for finding in findings if finding.fix]
    for kind, rule in RULES.items():
        for finding in accepted:
            if finding.kind == kind and (row := rows[finding.index]) is not None:
                rows[finding.index] = rule.mend(row, of) or row
    for finding in accepted:
        if finding.kind not in RULES and finding.into is None:
            rows[finding.index] = None
    for finding in accepted:
        # A duplicate is merged into its first occurrence only if that one has not been removed.
        if finding.into is None or (row := rows[finding.index]) is None or (first := rows[finding.into]) is None:
            continue
        glosses = dict.fromkeys((*first.glosses, *row.accepted))
        glosses.pop(first.target, None)
        rows[finding.into] = first._replace(glosses=tuple(glosses))
        rows[finding.index] = None
    return tuple((index, row) for index, row in enumerate(rows) if row is not None)


def likely_typos(pairs: Sequence[WordPair], languages: str = DEFAULT) -> list[str]:
    """Messages on likely typing errors, with the likely correction: swapped sides or misspelt words."""
    found = _wording(pairs, language_pair(languages))
    slips = [finding for finding in found if finding.kind in ("swapped sides", "spelling", "broken letters")]
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


def _missing(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    for index, pair in enumerate(pairs):
        for word in pair[:2]:
            if is_no_word(word):
                text = translate("{word!r} is no word: {source}, {target}.", word=word, source=pair[0], target=pair[1])
                # 1/2 may be meant.
                sure = not any(letter.isdigit() for letter in word)
                yield Finding(NO_WORD, index, text, translate("leave it out"), certain=sure)
                break


def _wording(pairs: Sequence[WordPair], languages: LanguagePair) -> Iterator[Finding]:
    """The rules of one pair, each tried on what the rules before it would leave."""
    for index, pair in enumerate(pairs):
        if any(map(is_no_word, pair[:2])):
            continue
        current = pair
        for kind, rule in RULES.items():
            changed = rule.mend(current, languages)
            if changed is not None and changed != current:
                text = translate(rule.message, source=current.source, target=current.target)
                fix = translate("write {pair}", pair=_shown(changed))
                yield Finding(kind, index, text, fix, certain=rule.certain)
                current = changed


def _same_spelling(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    alike = look_alikes(tuple(pairs))
    for index, pair in enumerate(pairs):
        if normalise(pair.source) == normalise(pair.target):
            text = N_(
                "{word!r} is spelt the same in both languages (a name or a loan?), so its cosine is 1 whatever the "
                "model knows."
            )
            yield Finding(SAME, index, translate(text, word=pair.source), translate("leave it out"))
        elif alike[index]:
            text = translate("{source} and {target} look alike.", source=pair.source, target=pair.target)
            yield Finding(ALIKE, index, text)


def _sentences(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    lengths = [max(len(word.split()) for word in pair[:2]) for pair in pairs]
    if not pairs or median(lengths) > 2:
        return
    for index, pair in enumerate(pairs):
        if lengths[index] >= SENTENCE or any(re.search(r"\w[.!?]$", word) and word.count(" ") > 1 for word in pair[:2]):
            text = translate("A sentence stands among words: {source}, {target}.", source=pair[0], target=pair[1])
            yield Finding(SENTENCES, index, text, translate("leave it out"))


def _wrong_language(pairs: Sequence[WordPair], languages: LanguagePair) -> Iterator[Finding]:
    """Pairs of which both words look like one language, and the lexicon knows neither on its side."""
    codes = languages.source.code, languages.target.code
    words = [[pair.source for pair in pairs], [pair.target for pair in pairs]]
    sides = [leanings(side, *codes) for side in words]
    known = [{_plain(word) for word in side} for side in translations(languages.key)]
    for index in range(len(pairs)):
        of_one = [side[index] for side in sides]
        if of_one[0] < -TURNED and of_one[1] > TURNED:
            shown = {"source": words[0][index], "target": words[1][index]}
            yield Finding(LANGUAGE, index, translate("The two sides look swapped: {source}, {target}.", **shown))
            continue
        odd = 1 if of_one[0] > 0 else 0
        same = np.sign(of_one[0]) == np.sign(of_one[1]) and abs(of_one[odd]) > WRONG_LANGUAGE
        if same and _plain(normalise(words[odd][index])) not in known[odd]:
            name = (languages.source, languages.target)[1 - odd].name
            text = translate("{word!r} looks like {language}.", word=words[odd][index], language=translate(name))
            yield Finding(LANGUAGE, index, text)


def _repeats(pairs: Sequence[WordPair]) -> Iterator[Finding]:
    first_source: dict[str, int] = {}
    first_target: dict[str, int] = {}
    nearly: dict[tuple[str, str], int] = {}
    for index, pair in enumerate(pairs):
        source, target = normalise(pair.source), normalise(pair.target)
        plain = _plain(source), _plain(target)
        if source in first_source:
            first = pairs[first_source[source]]
            same, near = normalise(first.target) == target, _plain(normalise(first.target)) == plain[1]
            text = N_("{word!r} is there twice, both times as {other!r}.") if same else N_(
                "{word!r} is there twice, also as {other!r}.")  # fmt: skip
            keep = N_("keep {pair} and count {word!r} as right too")
            fix = translate("count it once") if same else translate(keep, pair=_shown(first), word=pair.target)
            kind = REPEATED if same else NEARLY if near else SEVERAL
            shown = translate(text, word=pair.source, other=first.target)
            yield Finding(kind, index, shown, fix, first_source[source], certain=same)
        elif plain in nearly:
            first = pairs[nearly[plain]]
            text = N_("{source}, {target} is there in another form: {pair}.")
            shown = translate(text, source=pair.source, target=pair.target, pair=_shown(first))
            yield Finding(NEARLY, index, shown, translate("count it once"), nearly[plain])
        elif target in first_target:
            text = N_("{word!r} also translates {other!r}; the two are never used as each other's wrong answer.")
            other = pairs[first_target[target]].source
            yield Finding(SYNONYMS, index, translate(text, word=pair.target, other=other))
        first_source.setdefault(source, index)
        first_target.setdefault(target, index)
        nearly.setdefault(plain, index)


def _plain(word: str) -> str:
    """A word without an article, spaces, hyphens and full stops."""
    return re.sub(r"[\s.‑–-]", "", ARTICLES.sub("", word))


def _leaks(trained: Sequence[WordPair], control: Sequence[WordPair], languages: str) -> Iterator[Finding]:
    """Control pairs that hold a word of the trained list; accepting takes them out of the control list."""
    for index, met in leaks_of(trained, control, languages):
        words = ", ".join(_met(word, known) for word, known in met.items())
        text = translate("{words} is also trained on, so this pair does not test unseen words.", words=words)
        yield Finding(LEAK, index, text, translate("leave it out"), certain=True)


def _met(word: str, known: str) -> str:
    return repr(word) if normalise(word) == normalise(known) else f"{word!r} ({known!r})"


def _fragments(pairs: Sequence[WordPair], subwords: Callable[[str], Sequence[str]]) -> Iterator[Finding]:
    text = N_("{word!r} falls into {n} pieces ({pieces}): its vector is a mean of fragments.")
    for index, pair in enumerate(pairs):
        for word in pair[:2]:
            pieces = subwords(word)
            if len(pieces) > MANY_SUBWORDS:
                joined = "·".join(piece.strip() for piece in pieces)
                yield Finding(PIECES, index, translate(text, word=word, n=len(pieces), pieces=joined))


def _shown(pair: WordPair) -> str:
    return f"{pair.source}, {'; '.join(pair.accepted)}"
