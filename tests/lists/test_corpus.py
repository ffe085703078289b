"""No training of lugha-mini may see a reserved word, in either language or any of its forms."""

import random

import pytest

from recipes.corpus import DICTIONARY_LINES, ReservedWords, code_switched, dictionary_documents, load_corpus
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair

RESERVED = ReservedWords([WordPair("kiapo", "oath"), WordPair("mshale", "arrow"), WordPair("kipepeo", "butterfly")])


@pytest.mark.parametrize("text", ["Alikula kiapo.", "viapo vingi", "KIAPO", "mishale mitatu", "vipepeo", "kiapochake"])
def test_swahili_forms_are_caught(text):
    assert RESERVED.in_swahili(text)


@pytest.mark.parametrize("text", ["an oath", "two Oaths.", "arrows", "the butterflies", "an arrow's flight"])
def test_english_forms_are_caught(text):
    assert RESERVED.in_english(text)


@pytest.mark.parametrize("text", ["loathed it", "narrow", "maji ya moto", "kipande"])
def test_other_words_pass(text):
    assert not RESERVED.in_english(text) and not RESERVED.in_swahili(text)


def test_a_corpus_leaves_out_every_row_with_a_reserved_word(tmp_path):
    (word, other) = shipped("reserved")[:2]
    rows = ["source\tlicence\tsw\ten", f"x\tx\tNiliona {word.source}.\tI saw it.", "x\tx\tNiliona maji.\tI saw water."]
    (tmp_path / "parallel_train.tsv").write_text("\n".join(rows))
    for name in ("mono_en_commonvoice", "mono_en_african_storybook", "mono_sw_african_storybook", "mono_sw_xcopa"):
        (tmp_path / f"{name}.txt").write_text(f"Look, {other.target}!\nHello there.\n")
    (tmp_path / "lexicon_wiktionary.tsv").write_text(
        f"sw\ten\tpos\n{word.source}\tthing\t\ngogo\tlog\tnoun\nmaji\tliquid\t\n"
    )
    corpus = load_corpus(tmp_path)
    assert [s.target for s in corpus.parallel] == ["I saw water."] and len(corpus.single) == 4 and corpus.left_out == 5
    assert [pair.source for pair in corpus.far_dictionary] == ["gogo"]
    reserved = ReservedWords(shipped("reserved"))
    assert not any(reserved.in_either(document) for document in corpus.epoch(seed=1, lexicon_repeats=1))


def test_code_switching_swaps_known_words_only():
    swaps = {"maji": "water", "moto": "fire"}
    switched = {code_switched("Maji na moto.", swaps, random.Random(seed)) for seed in range(200)}
    assert switched == {"Maji na moto.", "Water na moto.", "Maji na fire.", "Water na fire."}


def test_dictionary_documents_hold_both_sides():
    documents = dictionary_documents(WordPair("haki", "justice", ("right",)), random.Random(0))
    assert all("haki" in d and ("justice" in d or "right" in d) for d in documents) and len(set(documents)) >= 9


@pytest.mark.parametrize("probe", language_pair().probes, ids=lambda probe: probe.name)
def test_a_probe_begins_like_no_line_that_lugha_mini_was_trained_on(probe):
    asked = probe.fill("mti", "tree")
    lines = [line.format(source="mti", target="tree") for line in DICTIONARY_LINES]
    assert not any(line.startswith(asked[:8]) for line in lines)
