"""What every tab is built with: the server behind the page, and the parts of the page that tabs share."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr

from ui.server.jobs import Jobs
from ui.server.visitors import Models, Visitor
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.events import Handler
from ui.widgets.model_bar import ModelBar
from ui.widgets.page_opening import PageOpening
from ui.widgets.picked_pair import PickedPair
from ui.widgets.reading_bar import ReadingBar
from ui.widgets.run_strip import RunStrip


@dataclass
class PageContext:
    """Made once a page, in the order in which its parts stand; `build(context)` of each tab reads it.

    visitor holds a `Visitor`. tab is the one that is being built. The word tab sets `opens_with`, the
    answer that a page opens with, `first`, that for the word in its box, and `deeper`, a button and the pairs that the
    alignment tab then opens with. For the tabs that come after them the
    alignment tab sets `pairs`, their `languages` and `draw`, the fine-tune tab `train_pairs` and `train_languages`.
    """

    models: Models
    jobs: Jobs
    visitor: gr.State
    bar: ModelBar
    reading: ReadingBar
    pickers: AdapterPickers
    opening: PageOpening
    tabs: gr.Tabs
    strip: RunStrip
    picked: PickedPair
    tab: gr.Tab = field(init=False)
    opens_with: Handler = field(init=False)
    first: Handler = field(init=False)
    deeper: tuple[gr.Button, gr.State] = field(init=False)
    pairs: gr.Textbox = field(init=False)
    languages: gr.Dropdown = field(init=False)
    draw: Handler = field(init=False)
    train_pairs: gr.Textbox = field(init=False)
    train_languages: gr.Dropdown = field(init=False)

    @property
    def model(self) -> gr.Dropdown:
        """The base that the page works with."""
        return self.bar.model

    def open(self, tab: str) -> gr.Tabs:
        """An update that brings a tab to the front."""
        return gr.Tabs(selected=tab)


def new_visitor() -> gr.State:
    """A state with a visitor of its own for every page that is open."""
    return gr.State(Visitor(), time_to_live=7200, delete_callback=Visitor.forget)
