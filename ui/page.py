"""The whole page: what stands above the tabs, the tabs in their order, and how it is served."""

from pathlib import Path

import gradio as gr
from gradio import themes
from starlette.middleware import Middleware

from tli_core.i18n import N_
from tli_core.lists.language_pair import language_pair
from ui import language
from ui.page_context import PageContext, new_visitor
from ui.server import api
from ui.server.hosting import COPY_NOTE, Hosting
from ui.server.jobs import Jobs
from ui.server.private_login import Login
from ui.server.request_guard import RequestGuard
from ui.server.visitors import Models
from ui.tabs import adapters, alignment, answers, calibration, compare, evaluate, fine_tune, space, word, word_lists
from ui.widgets import guide, mobile
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.deep_links import HISTORY, asked_tab
from ui.widgets.events import QUIET, Updates
from ui.widgets.model_bar import ModelBar
from ui.widgets.page_opening import PageOpening
from ui.widgets.picked_pair import PickedPair
from ui.widgets.reading_bar import ReadingBar
from ui.widgets.run_strip import RunStrip

TABS = (word, alignment, compare, fine_tune, evaluate, space, answers, adapters, word_lists, calibration)
"""Each is a module with ID, LABEL and build(context); the first one's drawing is what a page opens with."""

TITLE = "Lugha Lens"
MINI_NOTE = N_(
    "You are looking at **lugha-mini**, a small demonstration model. Its figures are about itself, not about "
    "Lugha-Llama or any other model."
)
STYLE = Path(__file__).with_name("style.css")

MAX_UPLOAD = "64mb"
"""Room for an adapter of a large model; lists of pairs have a limit of their own."""


def build(models: Models, jobs: Jobs) -> language.Page:
    """The page for the bases that this server offers and the fine-tunes that it keeps."""
    with language.Page(jobs.hosting, title=TITLE, delete_cache=(3600, 86400), analytics_enabled=False) as demo:
        visitor = new_visitor()
        # It finds a browser's runs again; only this browser and this server ever see it. Outside the tabs, as a tab's
        # parts reach the browser only when it is opened.
        token = gr.BrowserState("", storage_key="lugha-lens-token", secret="lugha-lens")
        with gr.Row(elem_id="heading"):
            gr.Markdown(f"# {TITLE}")
            gr.HTML(language.CHOICE, elem_classes="hint", elem_id="language")
        gr.Markdown(language_pair().page.question)
        is_mini = models.names[0] == "lugha-mini"
        note = gr.Markdown(MINI_NOTE, visible=is_mini, elem_classes="hint", elem_id="mini-note")
        _say_where(jobs.hosting)
        strip, picked = RunStrip(), PickedPair()
        guide.build()
        bar, pickers = ModelBar(models, any_base=jobs.hosting.folders), AdapterPickers(models)
        bar.follow(lambda model, visitor: {note: gr.Markdown(visible=model == "lugha-mini")}, [note])
        bar.follow(lambda model, visitor: pickers.updates(visitor, model), pickers.outputs)
        reading = ReadingBar(models, bar)
        with gr.Tabs(elem_id="tabs") as tabs:
            context = PageContext(models, jobs, visitor, bar, reading, pickers, PageOpening(), tabs, strip, picked)
            context.opening.follow(lambda visitor, base, request: _asked_tab(context, request), [tabs])
            for tab in TABS:
                with gr.Tab(tab.LABEL, id=tab.ID) as context.tab:
                    tab.build(context)
        bar.wire(demo, visitor, context.opens_with, context.first, context.draw)
        mobile.when_opened(tabs)
        demo.load(None, None, None, js=HISTORY, **QUIET)
        reading.stand_above(tabs, {tab.ID for tab in (alignment, compare, evaluate, space)})
        api.build(models, jobs)
        language.wire(demo)
        context.opening.wire(demo, jobs, visitor, token, bar.model, pickers)
    # Wide: no address has more than a few of its places (`ui.server.request_guard`), and opening a page takes several.
    return demo.queue(max_size=200, api_open=False)


def _asked_tab(context: PageContext, request: gr.Request) -> Updates:
    """The tab that a page's address names, brought to the front."""
    asked = asked_tab(request, [tab.ID for tab in TABS])
    return {context.tabs: context.open(asked)} if asked else {}


def _say_where(hosting: Hosting) -> None:
    """What a page that serves strangers says of itself, and how to have one of one's own."""
    if hosting.hosted:
        gr.Markdown(hosting.sentence, elem_classes="hint", elem_id="shared")
        gr.DuplicateButton(visible=bool(hosting.space), elem_id="duplicate")
        gr.Markdown(COPY_NOTE, visible=bool(hosting.space), elem_classes="hint", elem_id="copy-note")


def theme() -> themes.Base:
    """The default theme with fonts of the visitor's own machine and secondary text and buttons dark enough to read."""
    made = themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
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


def launch(
    demo: language.Page,
    port: int | None = None,
    quiet: bool = False,
    mcp: bool = False,
    login: Login | None = None,
) -> str:
    """Serve the page on this machine, from a thread of its own, and return its address.

    Args:
        mcp: offer the endpoints as tools to MCP clients, too.
        login: who may open it; everybody by default.
    """
    _, address, _ = demo.launch(
        server_port=port,
        prevent_thread_lock=True,
        quiet=quiet,
        theme=theme(),
        css=STYLE.read_text(encoding="utf-8") + language.GRADIOS_WORDS,
        footer_links=["api", "gradio"],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        max_file_size=MAX_UPLOAD,
        mcp_server=mcp,
        auth=login,  # pyright: ignore[reportArgumentType]  # Gradio awaits it, and does not say so
        app_kwargs={"middleware": [Middleware(RequestGuard, demo, demo.hosting), Middleware(language.ReaderLanguage)]},
    )
    return address
