"""Reading pairs from what people have, and the shipped lexicon's promises."""

import itertools
import json
import re

import pytest

from tli_core.lists.formats import format_pairs, parse_pairs, read_pairs
from tli_core.lists.lexicon import SPLITS, lexicon, shipped
from tli_core.lists.pairs import WordPair, normalise, translation_table


@pytest.mark.parametrize(
    "line",
    [
        "maji, water",
        "maji\twater",
        "maji = water",
        "maji=water",
        "maji - water",
        "maji — water",
        "maji: water",
        "maji -> water",
        "maji → water",
        "maji;water",
        '"maji","water"',
        "  maji ,  water  ",
    ],
)
def test_a_line_may_use_any_of_the_separators(line):
    assert parse_pairs(line).pairs == (WordPair("maji", "water"),)


def test_a_colon_inside_a_word_and_a_semicolon_between_glosses_separate_nothing():
    assert parse_pairs("saa 3:00, nine o'clock").pairs == (WordPair("saa 3:00", "nine o'clock"),)
    assert parse_pairs("haki: justice; right").pairs == (WordPair("haki", "justice", ("right",)),)
    kept = parse_pairs("\n".join(["a: b, c", "maji -> water", "x\ty; z"]))
    assert parse_pairs(format_pairs(kept.pairs)).pairs == kept.pairs


def test_a_spreadsheet_of_semicolons_with_a_header_is_read():
    assert parse_pairs("swahili;english\nmaji;water\n").pairs == (WordPair("maji", "water"),)


def test_one_separator_holds_for_all_lines_and_a_line_with_another_is_named():
    read = parse_pairs("habari - news, report\nng'ombe, cow\nhaba na haba, little by little\nmkwe, in-law")
    assert [pair.target for pair in read] == ["cow", "little by little", "in-law"]
    assert read.warnings == ("Line 1: holds - beside the comma of the list: write it like the other lines.",)
    assert read.unread == ("habari - news, report",)


def test_further_glosses_follow_a_semicolon():
    assert parse_pairs("haki, justice; right").pairs == (WordPair("haki", "justice", ("right",)),)
    assert parse_pairs("simu; phone, telephone").pairs == (WordPair("simu", "phone, telephone"),)


def test_the_published_json_is_read():
    text = json.dumps([{"swahili": "kufungua", "english": "to open"}, {"swahili": "-bovu", "english": "rotten"}])
    assert parse_pairs(text).pairs == (WordPair("kufungua", "to open"), WordPair("-bovu", "rotten"))


def test_csv_with_a_header_may_have_more_columns():
    text = 'swahili,english,pos,glosses\nkupanda,to climb,verb,"to plant; to rise"\n'
    assert parse_pairs(text).pairs == (WordPair("kupanda", "to climb", ("to plant", "to rise")),)


def test_a_bom_and_windows_line_ends_do_no_harm(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffswahili,english\r\nmaji,water\r\n".encode())
    assert read_pairs(path).pairs == (WordPair("maji", "water"),)


def test_bad_lines_are_named_and_the_rest_is_kept():
    read = parse_pairs("maji, water\npaka\n, dog\nmbwa,\nmoto, fire\na,b,c\nmaji, water")
    assert [pair.source for pair in read] == ["maji", "moto"]
    numbers = [int(re.match(r"Line (\d+):", warning).group(1)) for warning in read.warnings]
    assert numbers == [2, 3, 4, 6, 7]
    assert (
        read.warnings[0]
        == "Line 2: expected two words, such as \"maji, water\", got 'paka'; put a comma between the two."
    )


def test_bad_json_entries_are_named():
    read = parse_pairs('[{"swahili": "maji", "english": "water"}, {"swahili": "moto"}, 3]')
    assert len(read) == 1
    assert [warning.split(":")[0] for warning in read.warnings] == ["Entry 2", "Entry 3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The list is empty"),
        ("paka", "Line 1"),
        ("[1, 2", "JSON could not be read (line 1"),
        ('{"swahili": "maji"}', "Entry 1: expected at least 2 columns"),
        ('{"swahili": {"a": 1, "b": 2}}', "must be an array"),
        ("[" * 100_000, "nested too deep"),
        ("a" * 200_000 + ", b", "Line 1: the line has more than 10000 characters"),
        ("swahili,english\n" + "a" * 200_000 + ",b", "Line 2: the line has more than"),
        ("notes,swahili,english\nmaji,water", "Line 2: expected at least 3 columns"),
        ("a, b\n" * 1_000_000, "more than 4 million characters"),
    ],
)
def test_nothing_readable_is_one_sentence(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_pairs(text)


def test_what_could_not_be_read_is_kept_for_people_to_mend():
    lines = parse_pairs("maji, water\nneno\nmeza, table, desk")
    assert format_pairs(lines.pairs, lines.unread) == "maji, water\nneno\nmeza, table, desk"
    header = parse_pairs("english,swahili\nlion,simba\nmilk")
    assert header.unread == ("milk",)
    entries = parse_pairs('[{"swahili": "maji", "english": "water"}, {"swahili": "moto"}]')
    written = format_pairs(entries.pairs, entries.unread)
    # An entry of JSON is no line of a list: as a comment it is there, and is not taken for a pair.
    assert written == 'maji, water\n# {"swahili": "moto"}' and parse_pairs(written).pairs == entries.pairs


def test_hostile_input_is_cut_to_size():
    read = parse_pairs(f"maji, water\n{'x' * 5000}, long\nmo\x00to\u202e, fi\x1bre")
    assert read.pairs[1] == WordPair("moto", "fire")
    assert "5000 characters" in read.warnings[0]


def test_the_lexicon_is_large_enough_and_whole():
    sizes = {split: len(shipped(split)) for split in SPLITS}
    assert sum(sizes.values()) >= 1000
    assert (
        sizes["train"] >= 623 and sizes["control"] >= 120 and sizes["reserved"] >= 100 and 180 <= sizes["pool"] <= 220
    )
    assert all(entry.pos and entry.pair.topic for entry in lexicon())
    assert all(e.pair.source.startswith("ku") or e.pair.source == "kwenda" for e in lexicon() if e.pos == "verb")
    assert all(entry.pair.target.startswith("to ") for entry in lexicon() if entry.pos == "verb")


def english_lemmas(pair: WordPair) -> set[str]:
    words = {word.removeprefix("to ") for word in pair.accepted}
    return words | {re.sub("(es|s)$", "", word) for word in words if len(word) > 4}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(SPLITS, 2)))
def test_splits_share_no_lemma_in_either_language(one, other):
    first, second = shipped(one), shipped(other)
    assert not {pair.source.casefold() for pair in first} & {pair.source.casefold() for pair in second}
    assert not {lemma for p in first for lemma in english_lemmas(p)} & {
        lemma for p in second for lemma in english_lemmas(p)
    }


def test_translation_table_knows_every_row_of_a_word():
    rows = [WordPair("haki", "justice", ("right",)), WordPair("haki", "fairness"), WordPair("maji", "water")]
    table = translation_table(rows, ["justice", "Right", "fairness", "water"])
    assert table.tolist() == [[True, True, True, False], [True, True, True, False], [False, False, False, True]]


def test_topics_come_from_headings_columns_and_keys_and_none_is_lost():
    lines = parse_pairs("ndiyo, yes\n# topic: food\nmkate, bread\n# a remark\nsamaki, fish; fishes\n#Topic:\njua, sun")
    assert [pair.topic for pair in lines] == ["", "food", "food", ""]
    assert parse_pairs(format_pairs(lines.pairs)).pairs == lines.pairs
    columns = parse_pairs("source,topic,target\nmkate,food,bread\njua,,sun")
    entries = parse_pairs(
        '[{"source": "mkate", "target": "bread", "topic": "food"}, {"source": "jua", "target": "sun"}]'
    )
    assert columns.pairs == entries.pairs == (WordPair("mkate", "bread", topic="food"), WordPair("jua", "sun"))
    assert parse_pairs(format_pairs(shipped("control"))).pairs == shipped("control")


def test_a_topic_is_cleaned_and_one_too_long_is_named():
    long = "x" * 200
    read = parse_pairs(f"source,target,topic\nmkate,bread,\x1bfo\u202eod\njua,sun,{long}")
    assert read.pairs == (WordPair("mkate", "bread", topic="food"),)
    assert read.warnings == ("Line 3: the topic has 200 characters; shorten it to 120.",)


def test_a_topic_is_not_lost_nor_made_up():
    nothing = parse_pairs('[{"source": "mkate", "target": "bread", "topic": null, "glosses": null}]')
    assert nothing.pairs == (WordPair("mkate", "bread"),)
    for value in ("true", "NaN", "[[]]", '{"a": 1}'):
        assert parse_pairs(f'[{{"source": "mkate", "target": "bread", "Topic": {value}}}]').pairs[0].topic == ""
    assert parse_pairs('[{"Source": "mkate", "Target": "bread", "Topic": 7}]').pairs[0].topic == "7"
    assert [p.topic for p in parse_pairs("## Topic : food\nmkate, bread")] == ["food"]
    assert [p.topic for p in parse_pairs("# topic: food\nsource,target\nmkate,bread")] == ["food"]
    assert [p.topic for p in parse_pairs("mkate, bread\n# topic: food\nmkate, bread")] == ["food"]


def test_a_topic_makes_no_pair_and_goes_to_no_line_that_could_not_be_read():
    assert format_pairs([WordPair("d", "e", topic="x\ny, z")]) == "# topic: x y, z\nd, e"
    read = parse_pairs("# topic: food\nbad line\nmkate, bread")
    assert format_pairs(read.pairs, read.unread) == "# topic: food\nmkate, bread\n# topic:\nbad line"


def test_a_long_list_given_twice_is_read_in_one_go():
    """To look through all pairs at every repeat would take an hour here."""
    once = "".join(f"neno{i}, word{i}\n" for i in range(20_000))
    read = parse_pairs(f"{once}# topic: food\n{once}")
    assert len(read) == len(read.warnings) == 20_000 and {pair.topic for pair in read} == {"food"}


@pytest.mark.parametrize("typed", ["ng’ombe", "ng‛ombe", "NG'OMBE", "ｎｇ＇ｏｍｂｅ", " ng´ombe "])
def test_ways_of_writing_a_word_are_one_word(typed):
    assert normalise(typed) == "ng'ombe"


def test_ligatures_and_letters_with_an_apostrophe_in_them_are_their_letters():
    assert normalise("ﬁre") == "fire" and normalise("ŉ") == "'n"
