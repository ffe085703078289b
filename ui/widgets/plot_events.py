"""What is done in the browser where a mark of a chart is clicked or drawn around: Gradio's plot tells nothing of it."""

from __future__ import annotations

import gradio as gr

from ui.widgets.events import QUIET

# A chart is made anew each time, and later than its event.
LISTEN = """() => {
  const listen = (left) => {
    const plot = document.querySelector("#PLOT .js-plotly-plot");
    if (!plot || !plot.on) { if (left) setTimeout(() => listen(left - 1), 250); return; }
    if (plot.dataset.EVENT) return;
    plot.dataset.EVENT = "heard";
    plot.on("EVENT", (event) => { BODY });
  };
  setTimeout(() => listen(40), 250);
}"""


def on_plot_event(plot: gr.Plot, event: str, body: str) -> None:
    """Run JavaScript at an event of Plotly's, once for each chart that comes to stand in this place.

    Args:
        event: such as plotly_click.
        body: statements that read Plotly's `event`.
    """
    script = LISTEN.replace("PLOT", str(plot.elem_id)).replace("EVENT", event).replace("BODY", body)
    plot.change(None, None, None, js=script, **QUIET)
