"""The page in English or Swahili: as the browser asks, or as the visitor chose.

What is on the page from the start is changed once, when it opens; what is said later, `tli_core.wording.say` says in
the language of whoever asked for it.
"""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr
import yaml
from gradio.context import LocalContext

from tli_core.wording import ENGLISH, Texts, ask_reader
from ui.arrival import Arrival
from ui.empty_plot import empty_figure
from ui.events import QUIET
from ui.links import MAX_LINK

SWAHILI: dict[str, str] = {
    text["en"]: text["sw"]
    for text in yaml.safe_load(Path(__file__).with_name("kiswahili.yaml").read_text(encoding="utf-8"))
}
"""The page's own texts, by the English that they stand for."""

# HTML, as a link in Markdown would open another page beside this one.
CHOICE = '<a href="?lang=sw" lang="sw">Kiswahili</a> · <a href="?lang=en" lang="en">English</a>'
WITH_TEXT_AS_VALUE = (gr.Button, gr.DownloadButton, gr.Markdown)

# Gradio heads every message with the word for its kind, in English, and a cancelled run with "Error".
HEADINGS = (
    ".toast-title:is(.error, .warning) {font-size: 0} .toast-title::before {font-size: var(--text-lg)}"
    + "".join(
        f'{page}.toast-title.{kind}::before {{content: "{words}"}}'
        for kind, heading in (("error", "Not done"), ("warning", "Please note"))
        for page, words in (("", heading), ("html[lang=sw] ", SWAHILI[heading]))
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


def wire(demo: gr.Blocks, arrival: Arrival, guides: gr.Tabs) -> None:
    """Have a page that opens for a reader of Swahili change its texts, and everything said to them be Swahili."""
    ask_reader(texts_of_reader)
    wanted = arrival.flag()
    # Not Gradio's own I18n, which knows only the languages that Gradio itself is translated into.
    found = [(part, texts) for part in demo.blocks.values() if (texts := swahili_of(part))]

    # Only where it is wanted, as so many parts take the browser a moment.
    arrival.follow(lambda visitor, model, request: {wanted: True} if reads_swahili(request) else {}, [wanted])
    wanted.change(
        lambda: [gr.Tabs(selected="Kiswahili"), *(gr.update(**texts) for _, texts in found)],
        None,
        [guides, *(part for part, _ in found)],
        show_progress="hidden",
        **QUIET,
    )
    demo.load(None, None, None, js=MARK, **QUIET)


def texts_of_reader() -> Texts:
    """The Swahili texts where the event at work comes of a reader of Swahili's page; none elsewhere, as in a job."""
    request = LocalContext.request.get(None)
    return SWAHILI if request is not None and reads_swahili(request) else ENGLISH


def reads_swahili(request: gr.Request) -> bool:
    """Whether the visitor behind a request has the page in Swahili."""
    return wants_swahili(request.query_params.get("lang"), request.headers.get("accept-language", ""))


def wants_swahili(asked: str | None, accepted: str) -> bool:
    """Whether a visitor's choice, or else the language that their browser likes best, is Swahili."""
    return (asked or accepted).lower().startswith("sw")


def swahili_of(part: gr.blocks.Block) -> dict:
    """What of a part of the page there is in Swahili: its texts, and its choices with their values left as they are."""
    names = ("label", "info", "value") if isinstance(part, WITH_TEXT_AS_VALUE) else ("label", "info")
    texts = {name: SWAHILI[text] for name in names if (text := getattr(part, name, None)) in SWAHILI}
    choices = getattr(part, "choices", None) or []
    if (words := getattr(part, "words", None)) in SWAHILI:
        texts["value"] = empty_figure(SWAHILI[words])
    # A choice of words is translated; one of names, such as adapters, is another for every visitor.
    known = [_choice_in_swahili(label) for label, _ in choices]
    if (isinstance(part, gr.Radio) and any(known)) or (isinstance(part, gr.Dropdown) and known and all(known)):
        texts["choices"] = [(swahili or label, value) for (label, value), swahili in zip(choices, known, strict=True)]
    return texts


def _choice_in_swahili(label: str) -> str | None:
    """A choice's Swahili; of one with a number in it, such as a layer, from the text that leaves the number open."""
    if label in SWAHILI:
        return SWAHILI[label]
    number = re.search(r"\d+", label)
    if number is None or (text := label.replace(number[0], "{number}")) not in SWAHILI:
        return None
    return SWAHILI[text].format(number=number[0])
