"""The form of a fine-tune: pairs, preset, name and one button; the settings, made from TrainingConfig, are folded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.training.config import SETTINGS, Setting, TrainingConfig
from tli_core.training.presets import PRESETS
from ui.server.training_run import SHIPPED, TYPED, UPLOADED, TrainingRequest
from ui.widgets.events import QUIET, Updates
from ui.widgets.import_panel import FILE_TYPES
from ui.widgets.pairs_input import LIST_LINES, languages_picker

START = "corrected"
PRESET_NOTES = {
    "corrected": N_(
        "**Corrected**: words only, every other word of a large batch as a wrong answer, in both directions."
    ),
    "gentle": N_(
        "**Gentle**: as corrected, but words also stand inside text, and what the model itself writes is kept as it is."
    ),
    "published": N_(
        "**Published** (arXiv 2506.15415): layer 2, BOS averaged in, the hardest of seven wrong answers. "
        "Cosine rises; watch whether the wrong pairs rise with it."
    ),
}
MORE_KNOBS = (
    ("epochs", "seed"),
    ("shuffled",),
    ("layer",),
    ("readout",),
    ("loss",),
    ("learning_rate", "batch_size"),
    ("margin", "temperature"),
    ("rank", "alpha", "dropout"),
    ("targets",),
    ("keep", "in_text"),
    ("warmup_steps", "weight_decay"),
    ("patience",),
)
"""The settings behind "More settings", a row each."""


def setting_widget(setting: Setting, value: Any) -> Component:
    """The widget of one setting; bounds are checked by TrainingConfig, whose sentences name the setting."""
    known: dict[str, Any] = {"label": setting.label, "info": setting.help or None, "elem_id": f"setting-{setting.name}"}
    if setting.kind == "switch":
        return gr.Checkbox(value, **known)
    if setting.kind == "choice":
        return gr.Radio(list(setting.choices), value=value, **known)
    if setting.kind == "choices":
        return gr.CheckboxGroup(list(setting.choices), value=list(value), **known)
    if setting.kind == "layer":
        return gr.Textbox(str(value), min_width=90, **known)
    return gr.Number(value, precision=0 if setting.kind == "whole" else None, min_width=90, **known)


class TrainingForm:
    """The form, laid out where it is made; `inputs` go to a handler, whose data `read` turns into a request."""

    def __init__(self, model: gr.Dropdown):
        self.model = model
        self.languages = languages_picker(
            N_("Of the pairs below, and of the shipped ones that the run is judged by."), "train-languages"
        )
        self.source = gr.Radio([SHIPPED, TYPED, UPLOADED], value=SHIPPED, label=N_("Train on"), elem_id="train-source")
        self.typed = gr.Textbox(
            label=N_("Pairs, one a line"),
            lines=LIST_LINES,
            max_lines=LIST_LINES,
            visible=False,
            placeholder=language_pair().example,
            elem_id="train-pairs",
        )
        self.uploaded = gr.File(
            label=N_("Text in any encoding, Excel, JSON, Anki, CLDF"),
            file_types=FILE_TYPES,
            visible=False,
            height=120,
            elem_id="train-file",
        )
        self.preset = gr.Radio(list(PRESET_NOTES), value=START, label=N_("Preset"), elem_id="preset")
        self.note = gr.Markdown(PRESET_NOTES[START], elem_classes="hint")
        self.settings: dict[str, Component] = {}
        self.name = gr.Textbox("my-adapter", label=N_("Name"), min_width=120, elem_id="adapter-name")
        self.with_control = gr.Checkbox(
            True,
            label=N_("Train its control beside it"),
            info=N_("The same on wrong translations: what it gains as well was not learned from the right ones."),
            elem_id="with-control",
        )
        self.start = gr.Button(N_("Start the fine-tune"), variant="primary", elem_id="start")
        with gr.Accordion(N_("More settings"), open=False, elem_id="more-settings"):
            for names in MORE_KNOBS:
                with gr.Row():
                    for name in names:
                        self._add(name)
        self.source.input(
            lambda chosen: {
                self.typed: gr.Textbox(visible=chosen == TYPED),
                self.uploaded: gr.File(visible=chosen == UPLOADED),
            },
            self.source,
            [self.typed, self.uploaded],
            **QUIET,
        )
        kept = [self.note, *(self.settings[name] for name in self._of_preset())]
        self.preset.input(self._start_from, self.preset, kept, **QUIET)

    @property
    def inputs(self) -> set[Any]:
        """What a handler takes to `read` it."""
        pairs = (self.languages, self.source, self.typed, self.uploaded)
        return {self.model, *pairs, self.name, self.with_control, self.preset, *self.settings.values()}

    def read(self, data: Mapping[Any, Any]) -> TrainingRequest:
        """What was asked for, from a handler's data."""
        return TrainingRequest(
            data[self.model],
            data[self.languages],
            data[self.source],
            data[self.typed],
            data[self.uploaded],
            data[self.name],
            data[self.preset],
            {name: data[widget] for name, widget in self.settings.items()},
        )

    def filled(self, config: TrainingConfig) -> Updates:
        """Updates that put a configuration into the form."""
        return {self.preset: config.preset, self.note: translate(PRESET_NOTES[config.preset]), **self._values(config)}

    def _add(self, name: str) -> None:
        self.settings[name] = setting_widget(SETTINGS[name], getattr(PRESETS[START], name))

    def _of_preset(self) -> list[str]:
        """The settings that a preset decides: seed and shuffling are the visitor's own."""
        return [name for name in self.settings if name not in ("seed", "shuffled")]

    def _start_from(self, preset: str) -> Updates:
        values = self._values(PRESETS[preset])
        return {
            self.note: translate(PRESET_NOTES[preset]),
            **{self.settings[n]: values[self.settings[n]] for n in self._of_preset()},
        }

    def _values(self, config: TrainingConfig) -> Updates:
        given = {name: getattr(config, name) for name in self.settings}
        return {
            self.settings[name]: list(value) if isinstance(value, tuple) else str(value) if name == "layer" else value
            for name, value in given.items()
        }
