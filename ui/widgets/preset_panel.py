"""The settings as a command and as a preset file: what is set on the page can be done elsewhere, and kept."""

from __future__ import annotations

import gradio as gr

from tli_core.cli.train_command import train_command
from tli_core.i18n import N_
from tli_core.training.presets import preset_text, read_preset
from ui.server.training_run import SHIPPED
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET
from ui.widgets.training_form import TrainingForm


def build(form: TrainingForm) -> None:
    """Lay the panel out and wire it."""
    with gr.Accordion(N_("As a command, or as a preset to keep"), open=False, elem_id="preset-panel") as panel:
        command = gr.Code(
            label=N_("The same on the command line"),
            language="shell",
            interactive=False,
            lines=2,
            max_lines=12,
            elem_id="command",
        )
        text = gr.Code(
            label=N_("The same as a preset (YAML); its arrow keeps it as a file"),
            language="yaml",
            interactive=False,
            lines=2,
            max_lines=30,
            elem_id="preset-text",
        )
        upload = gr.File(label=N_("Or load a preset: a YAML file"), file_types=[".yaml", ".yml"], height=120)

    def written(data):
        given = form.read(data)
        try:
            config = given.config()
        except ValueError as error:
            return {command: f"# {error}", text: ""}
        file = None if given.source == SHIPPED else "pairs.csv"
        name = (given.name or "").strip() or "my-adapter"
        line = train_command(config, given.model, name, file, given.languages)
        return {command: line, text: preset_text(config)}

    panel.expand(written, form.inputs, [command, text], **QUIET)
    # Not while pairs are typed: the command does not hold them, and each keystroke would send the whole list.
    changes = [part.change for part in form.inputs if part not in (form.typed, form.uploaded)]
    # A preset changes many settings at once; only what they are in the end is wanted.
    gr.on(changes, written, form.inputs, [command, text], show_progress="hidden", trigger_mode="always_last", **QUIET)

    @explained
    def loaded(path: str):
        return form.filled(read_preset(path))

    upload.upload(loaded, upload, [form.preset, form.note, *form.settings.values()], **CHECKED)
