"""Every rule of the linter on a pair that breaks it, and the list after the fixes were accepted."""

import pytest

from tli_core.encoding.tokens import subwords
from tli_core.lists.formats import format_pairs, parse_pairs
from tli_core.lists.leaks import leak_notice
from tli_core.lists.lexicon import SPLITS, lexicon, shipped
from tli_core.lists.lint import apply, likely_typos, lint, read_by_byte
from tli_core.lists.pairs import WordPair
from tli_core.reports.notices import worded


def kinds(pairs, **more):
    return [finding.kind for finding in lint(pairs, **more)]


@pytest.mark.parametrize(
    ("pair", "kind", "fixed"),
    [
        (WordPair("bilauri", "glass (drinking)"), "note in brackets", WordPair("bilauri", "glass")),
        (WordPair("kubwa", "big, large"), "several glosses", WordPair("kubwa", "big", ("large",))),
        (WordPair("kufunga", "to shut / lock"), "several glosses", WordPair("kufunga", "to shut", ("to lock",))),
        (WordPair("nyumba/makazi", "house"), "several glosses", WordPair("nyumba", "house")),
        (WordPair("nyumba", "house; home"), "several senses", WordPair("nyumba", "house", ("home",))),
        (WordPair("haki", "1. right 2. justice"), "several senses", WordPair("haki", "right", ("justice",))),
        (WordPair("haki", "(1) right (2) justice"), "several senses", WordPair("haki", "right", ("justice",))),
        (WordPair("maji", "water | fluid"), "several senses", WordPair("maji", "water", ("fluid",))),
        (WordPair("ghala", "a) barn b) granary"), "several senses", WordPair("ghala", "barn", ("granary",))),
        (WordPair("ghala", "1. barn"), "several senses", WordPair("ghala", "barn")),
        (WordPair("ghala", "barn n."), "part of speech", WordPair("ghala", "barn")),
        (WordPair("maji", "n. water"), "part of speech", WordPair("maji", "water")),
        (WordPair("kusoma", "(v) to read"), "part of speech", WordPair("kusoma", "to read")),
        (WordPair("nm. maji", "water, n."), "part of speech", WordPair("maji", "water")),
        (WordPair("kahawa", "cafÃ©"), "broken letters", WordPair("kahawa", "café")),
        (WordPair("Maji", "Water"), "capitals", WordPair("maji", "water")),
        (WordPair("-bovu", "rotten"), "hyphen stem", WordPair("bovu", "rotten")),
        (WordPair("kuimba", "sing"), "verb form", WordPair("kuimba", "to sing")),
        (WordPair("fungua", "to open"), "verb form", WordPair("kufungua", "to open")),
        (WordPair("water", "maji"), "swapped sides", WordPair("maji", "water")),
        (WordPair("mjai", "water"), "spelling", WordPair("maji", "water")),
        (WordPair("maji", "watre"), "spelling", WordPair("maji", "water")),
    ],
)
def test_a_wording_is_named_and_mended(pair, kind, fixed):
    (finding,) = (found for found in lint([pair]) if found.fix)
    assert finding.kind == kind
    assert apply([pair], [finding]) == (fixed,)
    assert apply([pair], []) == (pair,)


@pytest.mark.parametrize("word", ["#N/A", "NULL", "nan", "?", "-", "…", "n/a"])
def test_what_stands_where_a_word_is_missing_is_left_out(word):
    pairs = [WordPair("maji", "water"), WordPair("moto", word)]
    (finding,) = lint(pairs)
    assert finding.kind == "no word" and finding.certain and apply(pairs, [finding]) == (pairs[0],)


@pytest.mark.parametrize(
    "pair",
    [
        WordPair("habari ya asubuhi", "good morning"),
        WordPair("Habari ya asubuhi", "Good morning"),
        WordPair("pole pole", "slowly"),
        WordPair("hakuna", "none"),
        WordPair("Jumatatu", "Monday"),
        WordPair("ukimwi", "AIDS"),
        WordPair("ng’ombe", "cow"),
        WordPair("saa moja na nusu", "at 7.30 p.m."),
        WordPair("toleo", "version 2.0"),
        WordPair("Amkeni; jua limechomoza", "Wake up; the sun has risen"),
        WordPair("ki(s)wahili", "Swahili"),
        WordPair("Kt. Juma", "Juma"),
        WordPair("-o -ote", "any"),
        WordPair("sokoni", "to the market"),
        WordPair("vitabu vitatu, kalamu mbili", "three books, two pens"),
        WordPair("Hujambo", "How are you"),
        WordPair("UKIMWI", "AIDS"),
        WordPair("vile vile", "likewise"),
        WordPair("haraka haraka haina baraka", "haste makes waste"),
    ],
)
def test_good_swahili_is_not_corrected(pair):
    assert not [finding for finding in lint([pair]) if finding.fix]


def test_an_optional_letter_makes_no_formula_of_a_stem():
    assert kinds([WordPair("-ki(m)bia", "run")]) == ["hyphen stem"]


@pytest.mark.parametrize("word", ["pole pole", "vile vile", "watoto", "toleo"])
def test_good_swahili_is_not_taken_for_english(word):
    assert "wrong language" not in kinds([WordPair(word, "word"), WordPair("maji", "water")])


def test_what_needs_judgement_is_not_certain_and_every_finding_says_why():
    pairs = [
        WordPair("kubwa", "big, large"),
        WordPair("mjai", "water"),
        WordPair("Moto", "fire"),
        WordPair("radio", "radio"),
        WordPair("nyumba", "house; home"),
        WordPair("meza", "table"),
        WordPair("daktari", "doctor"),
        WordPair("kofia", "A hat is what you wear on your head."),
    ]
    findings = lint(pairs)
    certain = {finding.kind for finding in findings if finding.certain}
    assert certain == {"several senses"}
    unsure = {"several glosses", "spelling", "capitals", "same spelling", "sentence among words", "look-alike"}
    assert unsure <= {finding.kind for finding in findings} - certain
    assert all(len(finding.why) > 20 for finding in findings)


def test_nearly_the_same_pair_counts_once():
    pairs = [WordPair("maji", "water"), WordPair("maji", "the water"), WordPair("pole-pole", "slowly")]
    pairs.append(WordPair("pole pole", "slowly"))
    near = [finding for finding in lint(pairs) if finding.kind == "nearly the same pair"]
    assert [finding.index for finding in near] == [1, 3]
    assert [pair[:2] for pair in apply(pairs, near)] == [("maji", "water"), ("pole-pole", "slowly")]


def test_a_word_of_the_other_language_is_named_on_the_side_it_is_on():
    pairs = [WordPair("maji", "water"), WordPair("butterfly", "knowledge"), WordPair("kipepeo", "mwanafunzi")]
    found = [(f.index, f.message) for f in lint(pairs) if f.kind == "wrong language"]
    assert found == [(1, "'butterfly' looks like English."), (2, "'mwanafunzi' looks like Swahili.")]


def test_fixes_of_one_pair_go_together():
    pair = WordPair("-fungua", "to open (a door), unlock")
    findings = lint([pair])
    assert [f.kind for f in findings] == ["note in brackets", "several glosses", "hyphen stem", "verb form"]
    assert apply([pair], findings) == (WordPair("kufungua", "to open", ("to unlock",)),)


@pytest.mark.parametrize("pair", [WordPair("kuku", "hen"), WordPair("kushoto", "left"), WordPair("kumi", "ten")])
def test_a_noun_that_begins_with_ku_is_left_alone(pair):
    assert lint([pair]) == ()


@pytest.mark.parametrize("pair", [WordPair("mbwa", "dogs"), WordPair("runinga", "television"), WordPair("qwzx", "fog")])
def test_another_form_or_a_word_that_the_lexicon_does_not_know_is_no_slip(pair):
    assert likely_typos([pair]) == []


def test_no_pair_of_the_lexicon_is_taken_for_a_slip():
    assert likely_typos([entry.pair for entry in lexicon()]) == []


def test_the_same_spelling_is_left_out():
    pairs = [WordPair("radio", "radio"), WordPair("maji", "water")]
    assert kinds(pairs) == ["same spelling"]
    assert apply(pairs, lint(pairs)) == (pairs[1],)


def test_repeats_become_one_pair_with_its_glosses():
    pairs = [WordPair("haki", "justice"), WordPair("Haki", "right"), WordPair("haki", "justice")]
    assert kinds(pairs) == ["capitals", "several translations", "repeated pair"]
    assert apply(pairs, lint(pairs)) == (WordPair("haki", "justice", ("right",)),)


def test_a_repeat_of_a_pair_that_is_left_out_stays():
    pairs = [WordPair("radio", "radio"), WordPair("radio", "wireless")]
    assert kinds(pairs) == ["same spelling", "several translations"]
    assert apply(pairs, lint(pairs)) == (pairs[1],)


def test_synonyms_are_named_but_nothing_is_lost():
    pairs = [WordPair("kiti", "chair"), WordPair("kigoda", "chair")]
    (finding,) = lint(pairs)
    assert finding.kind == "synonyms" and not finding.fix
    assert apply(pairs, [finding]) == tuple(pairs)


def test_words_of_the_trained_list_leak_in_either_language():
    trained = [WordPair("haki", "justice", ("right",)), WordPair("maji", "water")]
    control = [WordPair("maji", "fluid"), WordPair("kulia", "right"), WordPair("moto", "fire")]
    assert kinds(control, trained=trained) == ["leak", "leak"]
    assert apply(control, lint(control, trained)) == (control[2],)
    assert "1 Swahili and 1 English words" in worded(leak_notice(trained, control))
    assert leak_notice(trained, control[2:]) is None


def test_words_in_many_pieces_are_named(tiny):
    (finding,) = lint([WordPair("ng'ombe", "cow")], subwords=lambda word: subwords(tiny.tokenizer, word))
    assert finding.kind == "many pieces" and "n·g·'·o·m·b·e" in finding.message


def test_words_without_pieces_are_named_and_a_stem_is_no_slip_of_the_hand():
    pieces = {"😀": ("\ufffd", "\ufffd"), "maji": ("ma", "ji")}
    assert "no pieces for 😀" in read_by_byte(pieces, pieces.__getitem__)
    assert not read_by_byte(["maji"], pieces.__getitem__)
    assert [finding.kind for finding in lint([WordPair("-zuri", "good")])] == ["hyphen stem"]


def test_the_shipped_lists_have_nothing_to_mend():
    for split in SPLITS:
        # A proverb stands among the words on purpose.
        assert {finding.kind for finding in lint(shipped(split)) if finding.fix} <= {"sentence among words"}


def test_a_list_written_out_reads_back_the_same():
    pairs = (
        WordPair("maji", "water", ("fluid",)),
        WordPair("a, b", "c = d"),
        WordPair("haraka - haraka", 'the "quick" one'),
    )
    assert parse_pairs(format_pairs(pairs)).pairs == pairs
