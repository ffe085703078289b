"""The page in English or Swahili: as the browser asks, or as the visitor chose.

What is on the page from the start is sent in its reader's language; `tli_core.i18n.translate` puts later messages
into the language of whoever asked for it.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

import gradio as gr
from fastapi import Request
from gradio.blocks import Block
from gradio.context import LocalContext
from pydantic import BaseModel

from tli_core.i18n import ENGLISH, N_, SWAHILI, set_reader_language, texts
from ui.server.checked_page import CheckedPage
from ui.server.hosting import Hosting
from ui.widgets.deep_links import MAX_LINK
from ui.widgets.empty_plot import WORDS, empty_figure
from ui.widgets.events import QUIET

SWAHILI_TEXTS = texts(SWAHILI)
"""The page's own texts, by the English that they stand for."""

# HTML, as a link in Markdown would open another page beside this one.
CHOICE = '<a href="?lang=sw" lang="sw">Kiswahili</a> · <a href="?lang=en" lang="en">English</a>'
IN_SWAHILI = "in_swahili"
"""The attribute of a part whose value is written down in Swahili as a whole."""

WITH_TEXT_AS_VALUE = (gr.Button, gr.DownloadButton, gr.Markdown)

# Where Gradio writes words of its own, in English: a message's heading, "Error" even over a cancelled run; the place
# for a file; the menu of tabs that a narrow screen has no room for, which has no words at all.
GRADIOS_WORDS = (
    ".toast-title:is(.error, .warning), [data-testid=upload-text] {font-size: 0}"
    ".toast-title::before {font-size: var(--text-lg)} [data-testid=upload-text] .or {display: none}"
    "[data-testid=upload-text]::after {font-size: var(--text-md); padding: 4px}"
    ".overflow-menu > button {padding-inline: 8px !important} .overflow-menu > button svg {display: none}"
    + "".join(
        f'{page}{place} {{content: "{words}"{weight}}}'
        for place, text in (
            (".toast-title.error::before", N_("Not done")),
            (".toast-title.warning::before", N_("Please note")),
            ("[data-testid=upload-text]::after", N_("Drop a file here, or press to choose one")),
            (".overflow-menu > button::before", N_("More ▾")),
        )
        # Gradio repeats each rule inside its own container, which would outweigh the language.
        for page, words, weight in (("", text, ""), ("html[lang=sw] ", SWAHILI_TEXTS[text], " !important"))
    )
)

# For those who have the page read to them, and for the browser's own translation.
MARK = f"""() => {{
  const asked = new URLSearchParams(window.location.search).get("lang") || navigator.language;
  document.documentElement.lang = asked.startsWith("sw") ? "sw" : "en";
  const pairs = () => document.querySelector("#pairs textarea")?.value;
  const before = pairs();
  // The other language shows the same view, and what was typed since.
  document.querySelectorAll("#language a").forEach((link) => link.addEventListener("click", (event) => {{
    const query = new URLSearchParams(window.location.search);
    query.set("lang", new URLSearchParams(link.search).get("lang"));
    const typed = new URLSearchParams(query);
    typed.set("tab", "alignment");
    typed.delete("example");
    typed.set("pairs", pairs());
    const kept = pairs() !== before && ["alignment", null].includes(query.get("tab")) && !query.has("job");
    event.preventDefault();
    window.location.search = kept && String(typed).length <= {MAX_LINK} ? typed : query;
  }}));
}}"""


_opened_in_swahili: ContextVar[bool] = ContextVar("opened_in_swahili", default=False)
"""Whether the request at work is of a reader of Swahili's browser."""


class Page(CheckedPage):
    """A page that opens in its reader's language.

    Gradio sends everybody one description of the page, its `config`; this has one for each language. Not Gradio's own
    I18n, which knows only the languages that Gradio itself is translated into.
    """

    def __init__(self, hosting: Hosting, **settings: Any):
        self.hosting = hosting
        super().__init__(**settings)

    @property
    def config(self) -> dict[str, Any]:
        """What a browser builds the page from, in the language of the request at work."""
        return self._in_swahili if _opened_in_swahili.get() else self._in_english

    @config.setter
    def config(self, made: dict[str, Any]) -> None:
        self._in_english = made
        self._in_swahili = {**made, "components": [self._swahili(component) for component in made["components"]]}

    def _swahili(self, component: dict[str, Any]) -> dict[str, Any]:
        part = self.blocks[component["id"]]
        texts = swahili_of(part)
        if "value" in texts:
            sent = part.postprocess(texts["value"])
            texts["value"] = sent.model_dump() if isinstance(sent, BaseModel) else sent
        return {**component, "props": {**component["props"], **texts}}


class ReaderLanguage:
    """ASGI middleware that tells `Page` whose request is at work."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        """Pass a request on, its reader's language known meanwhile."""
        if scope["type"] == "http":
            _opened_in_swahili.set(reads_swahili(Request(scope)))
        await self._app(scope, receive, send)


def wire(demo: gr.Blocks) -> None:
    """Have everything that is said to a reader of Swahili be Swahili."""
    set_reader_language(language_of_reader)
    demo.load(None, None, None, js=MARK, **QUIET)


def language_of_reader() -> str:
    """Swahili where the event at work comes from a reader of Swahili's page; English elsewhere, as in a job."""
    request = LocalContext.request.get(None)
    return SWAHILI if request is not None and reads_swahili(request) else ENGLISH


def reads_swahili(request: gr.Request | Request) -> bool:
    """Whether the visitor behind a request has the page in Swahili."""
    return wants_swahili(request.query_params.get("lang"), request.headers.get("accept-language", ""))


def wants_swahili(asked: str | None, accepted: str) -> bool:
    """Whether a visitor's choice, or else the language that their browser likes best, is Swahili."""
    return (asked or accepted).lower().startswith("sw")


def swahili_of(part: Block) -> dict:
    """What of a part of the page there is in Swahili: its texts, and its choices with their values left as they are."""
    if isinstance(part, gr.Tabs) and any(getattr(tab, "id", None) == "Kiswahili" for tab in part.children):
        return {"selected": "Kiswahili"}
    names = ("label", "info", "value") if isinstance(part, WITH_TEXT_AS_VALUE) else ("label", "info")
    known = {name: _swahili_or_none(getattr(part, name, None)) for name in names}
    texts: dict[str, Any] = {name: text for name, text in known.items() if text}
    if whole := getattr(part, IN_SWAHILI, ""):
        texts["value"] = whole
    if isinstance(part, gr.HighlightedText) and part.value:
        marked = [(of["token"], of["class_or_confidence"]) for of in part.value]
        texts["value"] = [(SWAHILI_TEXTS.get(words, words), mark) for words, mark in marked]
    if isinstance(part, gr.Dataframe) and part.interactive:
        texts["headers"] = [SWAHILI_TEXTS.get(header, header) for header in part.headers or ()]
    choices = getattr(part, "choices", None) or []
    if words := SWAHILI_TEXTS.get(getattr(part, WORDS, "")):
        texts["value"] = empty_figure(words)
    # A choice of words is translated; one of names, such as adapters, is another for every visitor.
    said = [_swahili_or_none(label) for label, _ in choices]
    if (isinstance(part, gr.Radio) and any(said)) or (isinstance(part, gr.Dropdown) and said and all(said)):
        texts["choices"] = [(swahili or label, value) for (label, value), swahili in zip(choices, said, strict=True)]
    return texts


def _swahili_or_none(label: Any) -> str | None:
    """A text's Swahili; of two languages with a dash between them each one's, and of a text with a number in it, such
    as a layer, from the text that leaves the number open."""
    if not isinstance(label, str):
        return None
    if label in SWAHILI_TEXTS:
        return SWAHILI_TEXTS[label]
    names = label.split(" – ")
    if all(name in SWAHILI_TEXTS for name in names):
        return " – ".join(SWAHILI_TEXTS[name] for name in names)
    number = re.search(r"\d+", label)
    if number is None or (text := label.replace(number[0], "{number}")) not in SWAHILI_TEXTS:
        return None
    return SWAHILI_TEXTS[text].format(number=number[0])
