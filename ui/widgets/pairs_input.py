"""Pairs as people have them: typed, in a table, pasted, uploaded, or picked from the lexicon by topic."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from tli_core.i18n import N_, translate
from tli_core.lists.formats import PairList, format_pairs, parse_pairs, read_pairs
from tli_core.lists.language_pair import DEFAULT, language_pair, language_pairs
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.lists.one_word import translations_of, words_alone
from tli_core.lists.pairs import WordPair
from ui.widgets.errors import explained, remark_first
from ui.widgets.events import CHECKED, QUIET, Updates
from ui.widgets.import_panel import FILE_TYPES

MAX_TABLE = 200
LIST_LINES = 9
"""The height of a box for a list. A box that grows measures itself at every key: minutes for a thousand lines."""

EXAMPLES = language_pair().page.examples
FIRST = next(iter(EXAMPLES.values()))
CONTROL_EXAMPLE = N_("All {number} control pairs").format(number=len(shipped("control")))
RESERVED_EXAMPLE = N_("{number} words no training saw").format(number=len(shipped("reserved")))
ALL_EXAMPLES = (*EXAMPLES, CONTROL_EXAMPLE, RESERVED_EXAMPLE)
FIRST_PAIRS = 10
"""Pairs of other languages to begin with."""

SPLIT_NOTES = {
    "train": N_("trained on"),
    "control": N_("control"),
    "pool": N_("reference pool"),
    "reserved": N_("no training saw it"),
}


@dataclass(frozen=True)
class PairsInput:
    """The box that holds the pairs, whatever way they came, and the choice of examples."""

    languages: gr.Dropdown
    text: gr.Textbox
    example: gr.Radio
    upload: gr.File


def build() -> PairsInput:
    """Lay it out and wire it; the text is what counts, and the table follows it."""
    languages = languages_picker(
        N_("Of the pairs below. All but Swahili and English begin with names of emoji, from Unicode CLDR."), "languages"
    )
    with gr.Tabs():
        with gr.Tab(N_("Text")):
            text = gr.Textbox(
                FIRST,
                label=language_pair().page.pairs_label,
                info=N_("A comma, tab, colon, = or dash between the two. One word alone is looked up in the lexicon."),
                lines=LIST_LINES,
                max_lines=LIST_LINES,
                elem_id="pairs",
            )
            one_word = gr.Radio([], label=N_("Its translations in the lexicon"), visible=False, elem_id="one-word")
        with gr.Tab(N_("Table")) as as_table:
            table = gr.Dataframe(
                headers=list(language_pair().names),
                column_count=2,
                interactive=True,
                max_height=360,
                label=N_("One pair a row"),
                elem_id="pairs-table",
            )
        with gr.Tab(N_("File")):
            upload = gr.File(
                label=N_("Text in any encoding, Excel, JSON, Anki, CLDF"),
                file_types=FILE_TYPES,
                height=140,
                elem_id="pairs-upload",
            )
        with gr.Tab(N_("Lexicon")):
            topic = gr.Dropdown(
                _topics(),
                value=None,
                label=N_("Topic"),
                info=N_("The lexicon that ships with this page."),
                elem_id="topic",
            )
            picked = gr.CheckboxGroup([], label=N_("Pairs"), visible=False, show_select_all=True, elem_id="topic-pairs")
            take = gr.Button(N_("Put these into the list"), size="sm", visible=False, elem_id="topic-take")
            taken = gr.Markdown(elem_classes="hint")
    example = gr.Radio(list(ALL_EXAMPLES), label=N_("Or start from"), elem_id="examples")

    @explained
    def as_rows(text: str, languages: str):
        pairs = parse_pairs(text, languages).pairs if text.strip() else ()
        if len(pairs) > MAX_TABLE:
            text = N_("The table shows up to {most} pairs, and there are {n}: edit them as text.")
            raise ValueError(translate(text, most=MAX_TABLE, n=len(pairs)))
        headers = [*map(translate, language_pair(languages).names)]
        rows = [[pair.source, "; ".join(pair.accepted)] for pair in pairs] or [["", ""]]
        if any(pair.topic for pair in pairs):
            headers.append(translate("topic"))
            rows = [[*row, pair.topic] for row, pair in zip(rows, pairs, strict=True)]
        return {"headers": headers, "data": rows}

    as_table.select(as_rows, [text, languages], table, **CHECKED)
    table.input(_as_text, table, text, show_progress="hidden", **QUIET)

    @explained
    def opened(path: str, languages: str):
        try:
            return as_lines(read_pairs(path, languages)), None
        except ValueError as error:
            where = translate("Under Word lists you can say how a file is to be read.")
            raise ValueError(f"{error} {where}") from error

    upload.upload(opened, [upload, languages], [text, example], **CHECKED)

    def of_topic(topic: str | None):
        entries = [entry for entry in lexicon() if entry.pair.topic == topic]
        choices = [
            (f"{entry.pair.source} – {entry.pair.target} ({translate(SPLIT_NOTES[entry.split])})", entry.pair.source)
            for entry in entries
        ]
        return gr.CheckboxGroup(choices=choices, value=[], visible=bool(choices)), gr.Button(visible=bool(choices))

    topic.input(of_topic, topic, [picked, take], **QUIET)

    def put(chosen: list[str], topic: str | None):
        pairs = [entry.pair for entry in lexicon() if entry.pair.topic == topic and entry.pair.source in set(chosen)]
        if not pairs:
            return gr.skip(), translate("Tick some pairs first."), gr.skip()
        return format_pairs(pairs), translate("Pairs in the list: {n}. Press **Show the curve**.", n=len(pairs)), None

    take.click(put, [picked, topic], [text, taken, example], **QUIET)

    def typed(text: str, languages: str) -> Updates:
        """No example is left, and a word alone is looked up."""
        words = words_alone(text)
        found = translations_of(words[0], languages) if len(words) == 1 else ()
        choices = [(f"{pair.source} – {pair.target}", f"{pair.source}, {pair.target}") for pair in found]
        return {example: None, one_word: gr.Radio(choices=choices, value=None, visible=bool(choices))}

    text.input(typed, [text, languages], [example, one_word], trigger_mode="always_last", **QUIET)
    one_word.input(lambda pair: (pair, gr.Radio(visible=False)), one_word, [text, one_word], **QUIET)
    return PairsInput(languages, text, example, upload)


def of_languages(key: str) -> tuple[gr.Textbox, None]:
    """The box for pairs of two languages, with the pairs that it begins with; and no example is chosen."""
    if key == DEFAULT:
        return gr.Textbox(FIRST, label=translate(language_pair().page.pairs_label)), None
    source, target = map(translate, language_pair(key).names)
    label = translate("{source}, {target}: one pair a line", source=source, target=target)
    return gr.Textbox(format_pairs(shipped("control", key)[:FIRST_PAIRS]), label=label), None


def languages_picker(info: str | None, elem_id: str, label: str = N_("Languages"), value: str = DEFAULT) -> gr.Dropdown:
    """A dropdown of the languages of which word lists ship."""
    return gr.Dropdown(languages_choices(), value=value, label=label, info=info, elem_id=elem_id)


def languages_choices(*more: str) -> list[tuple[str, str]]:
    """Names and keys of the languages of which word lists ship, and of more by their keys."""
    keys = dict.fromkeys((*language_pairs(), *more))
    return [(" – ".join(map(translate, language_pair(key).names)), key) for key in keys]


def example_text(name: str) -> str:
    """The pairs that an example puts into the box."""
    splits = {CONTROL_EXAMPLE: "control", RESERVED_EXAMPLE: "reserved"}
    return format_pairs(shipped(splits[name])) if name in splits else EXAMPLES.get(name, "")


def as_lines(read: PairList) -> str:
    """A list from a file as lines to edit; what could not be read stands at their end and is said."""
    remark_first(read.warnings)
    return format_pairs(read.pairs, read.unread, read.extras)


def _topics() -> list[str]:
    return sorted({entry.pair.topic for entry in lexicon()})


def _as_text(rows) -> str:
    """The rows that hold anything, as lines; a row that lacks a side comes last, to be named when it is read."""
    cells = [[cell.strip() for cell in row] for row in rows.fillna("").astype(str).itertuples(index=False)]
    whole = [
        WordPair(source, target, topic=topic[0] if topic else "")
        for source, target, *topic in (row for row in cells if len(row) > 1)
        if source and target
    ]
    return format_pairs(whole, ["\t".join(row[:2]) for row in cells if bool(row[0]) != bool(row[1])])
