"""The knobs as a command and as a preset file: what is set on the page can be done elsewhere, and kept."""

from __future__ import annotations

import gradio as gr

from tli_core.cli.train_command import train_command
from tli_core.i18n import say
from tli_core.training.config import PRESETS, preset_text, read_preset
from ui.server.training_run import SHIPPED, Knobs, knob_values
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET

PRESET_NOTES = {
    "corrected": "**Corrected**: words only, every other word of a large batch as a wrong answer, in both directions.",
    "published": "**Published** (arXiv 2506.15415): layer 2, BOS averaged in, the hardest of seven wrong answers. "
    "Cosine rises; watch whether the wrong pairs rise with it.",
}


def build(
    inputs: list, preset: gr.Radio, note: gr.Markdown, knobs: list, shuffled: gr.Checkbox, seed: gr.Number
) -> None:
    """Lay the panel out and wire it.

    Args:
        inputs: the tab's inputs, in the order of `Knobs`.
        knobs: the components of `knob_values`, in its order.
    """
    with gr.Accordion("As a command, or as a preset to keep", open=False, elem_id="preset-panel") as panel:
        command = gr.Code(
            label="The same on the command line",
            language="shell",
            interactive=False,
            lines=2,
            max_lines=12,
            elem_id="command",
        )
        text = gr.Code(
            label="The same as a preset (YAML); its arrow keeps it as a file",
            language="yaml",
            interactive=False,
            lines=2,
            max_lines=24,
            elem_id="preset-text",
        )
        upload = gr.File(label="Or load a preset: a YAML file", file_types=[".yaml", ".yml"], height=120)

    def written(*values):
        given = Knobs(*values)
        try:
            config = given.config()
        except ValueError as error:
            return f"# {error}", ""
        file = None if given.source == SHIPPED else "pairs.csv"
        return train_command(config, given.model, (given.name or "").strip() or "my-adapter", file), preset_text(config)

    panel.expand(written, inputs, [command, text], **QUIET)
    # Not while pairs are typed: the command does not hold them, and each keystroke would send the whole list.
    silent = ("train-pairs", "train-file")
    changes = [part.change for part in inputs if part.elem_id not in silent]
    # A preset changes many knobs at once; only what they are in the end is wanted.
    gr.on(changes, written, inputs, [command, text], show_progress="hidden", trigger_mode="always_last", **QUIET)

    @explained
    def loaded(path: str):
        config = read_preset(path)
        return config.preset, say(PRESET_NOTES[config.preset]), *knob_values(config), config.shuffled, config.seed

    upload.upload(loaded, upload, [preset, note, *knobs, shuffled, seed], **CHECKED)
    preset.input(
        lambda chosen: (say(PRESET_NOTES[chosen]), *knob_values(PRESETS[chosen])), preset, [note, *knobs], **QUIET
    )
