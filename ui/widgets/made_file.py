"""A file that is made when its button is pressed, as few who look at a result also want it."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from tli_core.i18n import N_, translate
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, QUIET, Parts

MAKING = N_("Making the file …")

SAVE = """(file) => {
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""


def made_file(label: str, make: Callable, inputs: Parts, elem_id: str, visible: bool = False) -> gr.Button:
    """Lay out a button that makes a file of what is chosen at that moment, and saves it.

    Args:
        make: gives the file's path from the values of `inputs`.
        visible: whether there is something to make a file of from the start.
    """
    button = gr.Button(label, visible=visible, elem_id=elem_id)
    file = gr.DownloadButton(visible="hidden", elem_id=f"{elem_id}-file")
    # It takes seconds, in which a second press would make it again.
    made = button.click(lambda: gr.Button(translate(MAKING), interactive=False), None, button, **QUIET).then(
        explained(make), inputs, file, **CHECKED
    )
    made.success(None, file, None, js=SAVE, **QUIET)
    made.then(lambda: gr.Button(translate(label), interactive=True), None, button, **QUIET)
    return button
