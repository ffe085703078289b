"""How words are read, chosen once for all tabs: the readout, what is taken away of the vectors, and the layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import gradio as gr

from tli_core.encoding.lens import VIEWS
from tli_core.encoding.readouts import DEFAULT_READOUT, READOUTS
from tli_core.i18n import N_
from ui.server.visitors import Models, Visitor
from ui.widgets.deep_links import asked_choice
from ui.widgets.events import QUIET, Parts, Updates
from ui.widgets.layer_picker import LAYER_HELP, OUTPUT, last_layer, layer_choices
from ui.widgets.model_bar import ModelBar

TITLE = N_("How words are read: readout, vectors, layer")
WHERE = N_("Alignment, Compare, Evaluate and Space all read words in this way.")


class ReadingBar:
    """A closed panel above the tabs with the three choices; they hold in every tab that looks at words' vectors."""

    def __init__(self, models: Models, bar: ModelBar):
        self._models = models
        # Built by the browser when a tab that obeys it is opened: the first tab does not.
        with gr.Accordion(TITLE, open=False, visible=False, elem_id="reading-bar") as self._panel:
            gr.Markdown(WHERE, elem_classes="hint")
            with gr.Row():
                self.readout = gr.Radio(
                    [(of.label, key) for key, of in READOUTS.items()],
                    value=DEFAULT_READOUT,
                    label=N_("Readout: how a word becomes a vector"),
                    info=N_(
                        "A word is cut into tokens. BOS is the token that every text begins with: averaged in, it "
                        "makes all words alike."
                    ),
                    min_width=300,
                    elem_id="readout",
                )
                self.vectors = gr.Radio(
                    [(label, key) for key, label in VIEWS.items()],
                    value="raw",
                    label=N_("Vectors"),
                    info=N_("Centred: less the mean of their language. What all words share then counts no more."),
                    min_width=300,
                    elem_id="vectors",
                )
                self.layer = gr.Dropdown(
                    layer_choices(models, models.names[0]),
                    value=OUTPUT,
                    label=N_("Layer"),
                    info=LAYER_HELP,
                    min_width=200,
                    elem_id="layer",
                )

        def for_model(model: str, visitor: Visitor):
            return {self.layer: gr.Dropdown(choices=layer_choices(models, model), value=last_layer(models, model))}

        bar.follow(for_model, [self.layer])

    def stand_above(self, tabs: gr.Tabs, obeying: Collection[str]) -> None:
        """Be there while one of the tabs of these ids is open, and not while another is."""
        for tab in (tab for tab in tabs.children if isinstance(tab, gr.Tab)):
            shown = tab.id in obeying
            tab.select(lambda shown=shown: gr.Accordion(visible=shown), None, self._panel, **QUIET)

    def asked(self, query: Mapping[str, str], model: str) -> Updates:
        """What a link asks of the three for a model, each as it is to begin with where that is not there."""
        choices = layer_choices(self._models, model)
        layer = asked_choice(query, "layer", [value for _, value in choices], OUTPUT)
        return {
            self.readout: asked_choice(query, "readout", READOUTS, DEFAULT_READOUT),
            self.vectors: asked_choice(query, "vectors", VIEWS, "raw"),
            self.layer: gr.Dropdown(choices=choices, value=layer),
        }

    @property
    def parts(self) -> Parts:
        """Readout, vectors, layer, as handlers take them."""
        return [self.readout, self.vectors, self.layer]
