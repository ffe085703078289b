"""The pair that was clicked, in whichever table or chart: it is marked in all of them."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from tli_core.lists.pairs import WordPair
from tli_core.reports.labels import pair_words
from ui.widgets.events import QUIET, Parts
from ui.widgets.plot_events import on_plot_event

PICK = """
  const words = (event.points[0]?.text || "").replace(/ \\u2248$/, "");
  const box = document.querySelector("#picked-pair textarea, #picked-pair input");
  if (!words || !box) return;
  box.value = box.value === words ? "" : words;
  box.dispatchEvent(new Event("input", {bubbles: true}));
"""

# A table draws its rows anew as it is sorted or scrolled, so it is looked at again whenever the page changes.
MARK = """(words) => {
  const mark = () => {
    for (const row of document.querySelectorAll(".table-wrap tr, .table-wrap [role=row]")) {
      const cells = [...row.querySelectorAll("[data-testid^=cell-]")].map((cell) => cell.textContent.trim());
      const picked = cells.some((cell, i) => i && `${cells[i - 1]} \\u2013 ${cell}`.replaceAll("<", "&lt;") === words);
      if (row.classList.contains("picked") !== picked) row.classList.toggle("picked", picked);
    }
  };
  window.lughaPicked?.disconnect();
  mark();
  if (!words) return;
  let asked = false;
  window.lughaPicked = new MutationObserver(() => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; mark(); });
  });
  window.lughaPicked.observe(document.querySelector(".gradio-container"),
                             {childList: true, subtree: true, characterData: true});
}"""


class PickedPair:
    """Stands above the tabs, out of sight; words is the pair as charts write it, empty where none is picked."""

    def __init__(self) -> None:
        self.words = gr.Textbox(visible="hidden", show_label=False, elem_id="picked-pair")
        self.words.change(None, self.words, None, js=MARK, **QUIET)

    def from_table(self, table: gr.Dataframe, column: int = 0) -> None:
        """Pick the pair of a row that is clicked, and let go of it at the second click.

        Args:
            column: of the source word; the target word stands in the next.
        """

        def pick(words: str, event: gr.SelectData):
            source, target = [*(event.row_value or []), *[""] * (column + 2)][column : column + 2]
            now = pair_words(WordPair(str(source), str(target)))
            return "" if words == now else now

        table.select(pick, self.words, self.words, show_progress="hidden", **QUIET)

    def from_plot(self, plot: gr.Plot) -> None:
        """Pick the pair whose mark in a chart is clicked."""
        on_plot_event(plot, "plotly_click", PICK)

    def follow(self, drawn: Callable, inputs: Parts, outputs: Parts | gr.Plot) -> None:
        """Draw anew when another pair is picked, with `words` as the last of a handler's values."""
        self.words.change(drawn, [*inputs, self.words], outputs, show_progress="hidden", **QUIET)
