"""Lugha Lens: how close are Swahili and English inside a language model, and what does fine-tuning change?

python app.py [--model lugha-mini] [--model lugha-llama] [--port 7860] [--runs runs] [--hosted] [--mcp]
"""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

# Set before gradio is imported, which would otherwise call home at start.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from starlette.middleware import Middleware

from ui import language
from ui.server import api
from ui.server.gpu import ZERO_GPU
from ui.server.hosting import COPY_NOTE, hosting
from ui.server.jobs import Jobs
from ui.server.request_guard import Door
from ui.server.visitors import Models, Visitor
from ui.tabs import adapters, alignment, answers, evaluate, fine_tune, space, word_lists
from ui.widgets import guide, mobile
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.deep_links import Arrival
from ui.widgets.model_bar import ModelBar

TITLE = "Lugha Lens"
INTRODUCTION = (
    "# Lugha Lens\n"
    "How close are **Swahili** and **English** words inside a language model? Type pairs, see every layer, and always "
    "see *wrong* pairs beside the right ones: a high cosine alone says nothing."
)
MINI_NOTE = (
    "You are looking at **lugha-mini**, a small demonstration model. Its figures are about itself, not about "
    "Lugha-Llama or any other model."
)

CSS = """
.gradio-container {max-width: min(1320px, 100vw) !important; margin: 0 auto !important}
.gradio-container .main, .gradio-container .contain, .gradio-container .column, .gradio-container .block {min-width: 0}
#pair-table, #train-table {max-width: 100%; overflow-x: auto}
/* A table that goes on to the right fades there, until it is scrolled to its end. */
.virtual-table-viewport, .prose table {animation: goes-on linear; animation-timeline: scroll(self inline)}
@keyframes goes-on {from, 95% {mask-image: linear-gradient(to right, #000 80%, #0003)} to {mask-image: none}}
.js-plotly-plot .xtick text, .js-plotly-plot .ytick text, .js-plotly-plot .legendtext,
.js-plotly-plot .x2tick text, .js-plotly-plot .y2tick text, .js-plotly-plot .infolayer text
  {fill: var(--body-text-color) !important}
.hint, .hint p {font-size: var(--text-sm); color: var(--body-text-color-subdued)}
.gradio-container .block.hint {overflow: visible !important}
#preset-panel .cm-line span {color: inherit !important}
.answer .legend-item, .answer .text {color: var(--body-text-color) !important}
.block.warning, #alignment-warning {border-left: 4px solid #D55E00; padding: 2px 12px; border-radius: 4px;
  background: var(--background-fill-secondary)}
#reading p {line-height: 1.5}
.stale {opacity: 0.7}
#language, #language > div, #language .prose {padding-left: 0 !important}
#language a {display: inline-block; padding: 12px 6px}
.gradio-container .row > button {align-self: flex-end}
.gradio-container button.label-wrap, .gradio-container button.label-wrap > span {text-align: start}
.gradio-container input[role="combobox"] {text-overflow: ellipsis; padding-inline-end: 24px}
footer .divider:last-of-type {display: none}
@media (max-width: 700px) {.gradio-container button[role="tab"] {padding-inline: 9px}}
.js-plotly-plot:not(:hover) .modebar {opacity: 0 !important}
/* What is pointed at has a dark ground of its own in both themes. */
.js-plotly-plot .hoverlayer text {fill: #fff !important}
@media (hover: none) {.js-plotly-plot .modebar-container {display: none}}
#topic-pairs .wrap {max-height: 280px; overflow-y: auto}
.prose table, .prose th, .prose td {border-color: var(--border-color-primary) !important; vertical-align: top}
.prose table {display: block; overflow-x: auto}
.prose td {min-width: 8em; word-break: normal; overflow-wrap: normal}
#guide .prose td {min-width: 0}
#guide .prose th, #guide .prose td {padding: 4px 6px}
#guide .prose td:first-child {overflow-wrap: anywhere}
#guide .prose td:not(:first-child) {white-space: nowrap}
button[role="tab"].selected {color: var(--primary-700) !important}
.dark button[role="tab"].selected {color: var(--primary-300) !important}
"""


MAX_UPLOAD = "64mb"
"""Room for an adapter of a large model; lists of pairs have a limit of their own."""

OFFERED = ("lugha-mini", "lugha-llama")


def build(models: Models, jobs: Jobs) -> language.Page:
    """The whole page for the bases that this server offers and the fine-tunes that it keeps."""
    model_names = models.names
    with language.Page(jobs.hosting, title=TITLE, delete_cache=(3600, 86400), analytics_enabled=False) as demo:
        visitor = gr.State(Visitor(), time_to_live=7200, delete_callback=Visitor.forget)
        # It finds a browser's runs again; only this browser and this server ever see it. Outside the tabs, as a tab's
        # parts reach the browser only when it is opened.
        token = gr.BrowserState("", storage_key="lugha-lens-token", secret="lugha-lens")
        gr.HTML(language.CHOICE, elem_classes="hint", elem_id="language")
        gr.Markdown(INTRODUCTION)
        note = gr.Markdown(MINI_NOTE, visible=model_names[0] == "lugha-mini", elem_classes="hint", elem_id="mini-note")
        if jobs.hosting.hosted:
            gr.Markdown(jobs.hosting.sentence, elem_classes="hint", elem_id="shared")
            gr.DuplicateButton(visible=bool(jobs.hosting.space), elem_id="duplicate")
            gr.Markdown(COPY_NOTE, visible=bool(jobs.hosting.space), elem_classes="hint", elem_id="copy-note")
        # Above the tabs, as on a phone the tab of the run may be behind a menu.
        run_note = gr.Markdown(visible=False, elem_classes="hint", elem_id="run-note")
        guide.build()
        bar = ModelBar(models)
        pickers = AdapterPickers(models)
        bar.follow(lambda model, visitor: [gr.Markdown(visible=model == "lugha-mini")], [note])
        bar.follow(lambda model, visitor: pickers.updates(visitor, model), pickers.outputs)
        arrival = Arrival()
        with gr.Tabs() as tabs:
            with gr.Tab("Alignment", id="alignment"):
                alignment_tab = alignment.build(models, visitor, bar.model, pickers, arrival)
            with gr.Tab("Fine-tune", id="finetune"):
                typed = fine_tune.build(
                    models, jobs, visitor, bar.model, pickers, alignment_tab, arrival, tabs, run_note
                )
            with gr.Tab("Evaluate", id="evaluate"):
                evaluate.build(models, visitor, bar, pickers)
            with gr.Tab("Space", id="space"):
                space.build(models, visitor, bar, pickers)
            with gr.Tab("Answers", id="compare"):
                answers.build(models, visitor, bar.model, pickers, arrival, tabs)
            with gr.Tab("Adapters", id="adapters"):
                adapters.build(models, jobs.hosting, jobs.kept, visitor, bar, pickers, arrival, tabs)
            with gr.Tab("Word lists", id="lists"):
                word_lists.build(models, bar.model, tabs, alignment_tab, typed)
        bar.wire(demo, visitor, alignment_tab)
        mobile.fit_charts(tabs)
        api.build(models, jobs)
        language.wire(demo)
        arrival.wire(demo, jobs, visitor, token, bar.model, pickers)
    # Wide: no address has more than a few of its places (`ui.server.request_guard`), and opening a page takes several.
    return demo.queue(max_size=200, api_open=False)


def theme() -> gr.themes.Base:
    """The default theme with fonts of the visitor's own machine and secondary text and buttons dark enough to read."""
    made = gr.themes.Default(
        primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return made.set(
        body_text_color_subdued="*neutral_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        body_text_color_subdued_dark="*neutral_300",
        button_cancel_background_fill="#b91c1c",
        button_cancel_background_fill_hover="#991b1b",
        button_cancel_background_fill_dark="#b91c1c",
        button_cancel_background_fill_hover_dark="#991b1b",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
    )


def launch(demo: language.Page, port: int | None = None, quiet: bool = False, mcp: bool = False) -> str:
    """Serve the page on this machine, from a thread of its own, and return its address.

    Args:
        mcp: offer the endpoints as tools to MCP clients, too.
    """
    _, address, _ = demo.launch(
        server_port=port,
        prevent_thread_lock=True,
        quiet=quiet,
        theme=theme(),
        css=CSS + language.GRADIOS_WORDS,
        footer_links=["api", "gradio"],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        max_file_size=MAX_UPLOAD,
        mcp_server=mcp,
        app_kwargs={"middleware": [Middleware(Door, demo, demo.hosting), Middleware(language.ReaderLanguage)]},
    )
    return address


def parser() -> argparse.ArgumentParser:
    """The arguments; each has a variable LUGHA_… of its name as its default, as none reach a Space."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--model", action="append", help=f"a base to offer; repeat for several (default: {', '.join(OFFERED)})"
    )
    made.add_argument("--port", type=int, help="the port to serve on (default: 7860 or the next free one)")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that keeps fine-tunes")
    made.add_argument(
        "--hosted",
        action="store_true",
        help="serve strangers: limits on runs, no folder of this machine, and not its login to the Hub (by itself on a "
        "Space, or where GRADIO_SERVER_NAME lets other machines in)",
    )
    made.add_argument("--mcp", action="store_true", help="serve MCP clients, too (pip install 'gradio[mcp]')")
    return made


def settings(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for: by the arguments, else by the variables, else as on a Space or on one's own machine."""
    given = {
        name.removeprefix("LUGHA_").lower(): value for name, value in os.environ.items() if name.startswith("LUGHA_")
    }
    made = parser()
    known = {action.dest for action in made._actions}
    try:
        made.set_defaults(**{name: _from_variable(name, value) for name, value in given.items() if name in known})
    except ValueError as error:
        made.error(f"LUGHA_{error}")
    if "mcp" not in given:
        # There the extra is installed anyway.
        made.set_defaults(mcp="SPACE_ID" in os.environ and find_spec("mcp") is not None)
    made.set_defaults(model=None)  # else what is given would be added to what the variable says
    asked = made.parse_args(arguments)
    asked.model = asked.model or (_from_variable("model", given["model"]) if "model" in given else list(OFFERED))
    if asked.mcp and find_spec("mcp") is None:
        made.error("--mcp needs one package more: pip install 'gradio[mcp]'")
    return asked


def _from_variable(name: str, value: str) -> object:
    """A variable's value as its argument has it."""
    if name == "model":
        return [model.strip() for model in value.split(",") if model.strip()]
    if name == "port":
        if not value.isdecimal():
            raise ValueError(f"PORT must be a number, got {value!r}")
        return int(value)
    return Path(value) if name == "runs" else value.strip().lower() in ("1", "true", "yes", "on")


def main() -> None:
    arguments = settings()
    models = Models(tuple(arguments.model))
    if ZERO_GPU:
        models.load_for_zero_gpu()
    demo = build(models, Jobs(models, arguments.runs, hosting(arguments.hosted)))
    launch(demo, arguments.port, mcp=arguments.mcp)
    # PyTorch and the first model are loaded once the page can be opened, so that nobody waits for a blank one.
    models.warm()
    demo.block_thread()


if __name__ == "__main__":
    main()
