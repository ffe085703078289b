"""A file of pairs and how it is read: a preview, menus for what was found out, and what was left out or tidied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.formats import ImportChoices, ListImport, format_pairs, import_file
from tli_core.lists.formats.columns import BY_CHOICE
from tli_core.lists.formats.decoding import ENCODINGS, encoding_name
from tli_core.lists.formats.separated import SEPARATORS
from tli_core.lists.language_pair import language_pair
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, Updates

FILE_TYPES = [".csv", ".tsv", ".txt", ".xlsx", ".json", ".jsonl", ".md", ".zip"]
PREVIEW_ROWS = 8
PREVIEW_COLUMNS = 12
SHOWN = 40
"""Rows of what was left out or tidied that are listed."""


@dataclass(frozen=True)
class ImportPanel:
    """Its parts."""

    upload: gr.File
    panel: gr.Group
    told: gr.Markdown
    encoding: gr.Dropdown
    separator: gr.Dropdown
    sheet: gr.Dropdown
    source: gr.Dropdown
    target: gr.Dropdown
    preview: gr.Dataframe
    left_out: gr.Markdown

    @property
    def outputs(self) -> list:
        """Everything that a file changes."""
        menus = [self.encoding, self.separator, self.sheet, self.source, self.target]
        return [self.panel, self.told, *menus, self.preview, self.left_out]


def build() -> ImportPanel:
    """Lay it out; `wire` says what it reads into."""
    upload = gr.File(
        label=N_("A file: text in any encoding, Excel, JSON, Anki, CLDF"),
        file_types=FILE_TYPES,
        height=120,
        elem_id="list-upload",
    )
    with gr.Group(visible=False, elem_id="import-panel") as panel:
        told = gr.Markdown(elem_id="import-told")
        with gr.Row():
            source = gr.Dropdown([], label="Source", elem_id="import-source", min_width=130)
            target = gr.Dropdown([], label="Target", elem_id="import-target", min_width=130)
        with gr.Row():
            encoding = gr.Dropdown([], label=N_("Encoding"), elem_id="import-encoding", min_width=130)
            separator = gr.Dropdown([], label=N_("Separator"), elem_id="import-separator", min_width=110)
            sheet = gr.Dropdown([], label=N_("Sheet"), elem_id="import-sheet", min_width=110)
        preview = gr.Dataframe(
            label=N_("The first rows, as they are cut"),
            interactive=False,
            max_height=300,
            wrap=True,
            elem_id="import-preview",
        )
        with gr.Accordion(N_("What was left out or tidied"), open=False):
            left_out = gr.Markdown(elem_id="import-left-out")
    return ImportPanel(upload, panel, told, encoding, separator, sheet, source, target, preview, left_out)


def wire(panel: ImportPanel, languages: gr.Dropdown, text: gr.Textbox) -> list[Dependency]:
    """Read a file into a box of text, at once and whenever another choice is made; the events, for what follows."""
    cut = [panel.upload, languages, panel.encoding, panel.separator, panel.sheet]

    def read(path: str | None, languages: str, choices: ImportChoices) -> Updates:
        if not path:
            return {panel.panel: gr.Group(visible=False)}
        found = import_file(path, languages, choices)
        pairs = found.listed
        chosen = found.columns is not None and found.columns.decided == BY_CHOICE
        lines = format_pairs(pairs.pairs, pairs.unread, pairs.extras, with_header=chosen)
        return {text: "" if found.problem else lines, **_shown(panel, found, languages)}

    @explained
    def opened(path: str | None, languages: str) -> Updates:
        return read(path, languages, ImportChoices())

    @explained
    def cut_anew(path: str | None, languages: str, encoding: str, separator: str, sheet: str) -> Updates:
        # Other columns stand where others are cut.
        return read(path, languages, ImportChoices(encoding or None, separator or None, sheet or None))

    @explained
    def chose(
        path: str | None, languages: str, encoding: str, separator: str, sheet: str, source: str, target: str
    ) -> Updates:
        if not source or not target:
            return {panel.told: gr.skip()}
        if source == target:
            raise ValueError(translate("Both sides are the same column: choose two."))
        choices = ImportChoices(encoding or None, separator or None, sheet or None, (source, target))
        return read(path, languages, choices)

    outputs = [text, *panel.outputs]
    events = [panel.upload.upload(opened, [panel.upload, languages], outputs, **CHECKED)]
    events += [menu.input(cut_anew, cut, outputs, **CHECKED) for menu in (panel.encoding, panel.separator, panel.sheet)]
    events += [
        menu.input(chose, [*cut, panel.source, panel.target], outputs, **CHECKED)
        for menu in (panel.source, panel.target)
    ]
    panel.upload.clear(lambda: gr.Group(visible=False), None, panel.panel, queue=False, api_visibility="private")
    return events


def _shown(panel: ImportPanel, found: ListImport, languages: str) -> Updates:
    """What the panel says of a file."""
    pair = language_pair(languages)
    plain = core.reports.messages.plain_text
    parts = [f"**{plain(Path(found.name).name)}** · {plain(found.summary(pair))}"]
    if found.problem:
        parts.append(f"⚠ {plain(found.problem)}")
    parts += [f"⚠ {plain(remark)}" for remark in found.remarks]
    source, target = (translate(name) for name in pair.names)
    columns = _columns(found)
    chosen = found.columns
    sides = (str(chosen.source + 1), str(chosen.target + 1)) if chosen and columns else (None, None)
    cut = bool(found.sheet.separator)
    return {
        panel.panel: gr.Group(visible=True),
        panel.told: "\n\n".join(parts),
        panel.encoding: gr.Dropdown(
            [(encoding_name(name), name) for name in dict.fromkeys((found.encoding, *ENCODINGS)) if name],
            value=found.encoding or None,
            visible=bool(found.encoding) and found.sheet.kind != "cldf",
        ),
        panel.separator: gr.Dropdown(
            [(translate(one.label), key) for key, one in SEPARATORS.items()],
            value=found.sheet.separator or None,
            visible=cut and found.sheet.kind != "markdown",
        ),
        panel.sheet: gr.Dropdown(
            [*found.sheet.sheets], value=found.sheet.sheet or None, visible=len(found.sheet.sheets) > 1
        ),
        panel.source: gr.Dropdown(
            columns, value=sides[0], label=translate("{language}: column", language=source), visible=bool(columns)
        ),
        panel.target: gr.Dropdown(
            columns, value=sides[1], label=translate("{language}: column", language=target), visible=bool(columns)
        ),
        panel.preview: _preview(found),
        panel.left_out: _left_out(found),
    }


def _names(found: ListImport) -> Sequence[str]:
    if found.sheet.header:
        return found.sheet.header
    header = found.columns.header if found.columns else None
    rows = [row for row in found.sheet.rows if not row.problem]
    return rows[header].cells if header is not None and 0 <= header < len(rows) else ()


def _columns(found: ListImport) -> list[tuple[str, str]]:
    """The columns to choose from, by number, name and first cells."""
    rows = [row.cells for row in found.sheet.rows if not row.problem][:PREVIEW_ROWS]
    names = _names(found)
    width = min(max((len(cells) for cells in rows), default=0), PREVIEW_COLUMNS)
    choices = []
    for number in range(width if found.sheet.kind != "cldf" else 0):
        cells = [cells[number].strip() for cells in rows if number < len(cells) and cells is not names]
        said = names[number].strip() if number < len(names) else ""
        sample = ", ".join(dict.fromkeys(filter(None, cells[:3])))[:30]
        choices.append((f"{number + 1}: {said or sample}"[:40], str(number + 1)))
    return choices


def _preview(found: ListImport) -> dict:
    rows = [(row.place, row.cells) for row in found.sheet.rows if not row.problem][:PREVIEW_ROWS]
    width = min(max((len(cells) for _, cells in rows), default=1), PREVIEW_COLUMNS)
    data = [[place, *(" ".join(cell.split())[:80] for cell in cells[:width])] for place, cells in rows]
    padded = [[*row, *[""] * (width + 1 - len(row))] for row in data]
    return {"headers": ["", *(str(i + 1) for i in range(width))], "data": padded}


def _left_out(found: ListImport) -> str:
    plain = core.reports.messages.plain_text
    lines = [f"- {plain(sentence)}" for sentence in found.skipped[:SHOWN]]
    if len(found.skipped) > SHOWN:
        lines.append(f"- {translate('and {n} more', n=len(found.skipped) - SHOWN)}")
    for change in found.changes[:SHOWN]:
        kinds = ", ".join(map(translate, change.kinds))
        lines.append(f"- {change.place}: {plain(change.before)} → {plain(change.after)} ({kinds})")
    if len(found.changes) > SHOWN:
        lines.append(f"- {translate('and {n} more', n=len(found.changes) - SHOWN)}")
    return "\n".join(lines) or translate("Nothing: every row was taken as it is.")
