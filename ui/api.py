"""The page's measurements for programs: typed endpoints that return JSON, on the bases and adapters shipped here."""

from __future__ import annotations

import gradio as gr

import tli_core as core
from tli_core.catalogue import LANGUAGES
from ui.alignment_tab import measured
from ui.errors import explained
from ui.events import MODEL_QUEUE
from ui.layers import chosen_layer
from ui.visitors import BASE, Models, Visitor


def build(models: Models) -> None:
    """Offer the endpoints; each waits its turn at the model as the page's own work does."""
    first = models.names[0]

    @explained
    def measure(pairs: str, model: str = first, adapter: str = "", pooling: str = "words") -> dict:
        """How close the pairs are at every layer, right ones beside wrong ones.

        Args:
            pairs: Swahili-English pairs, one a line, such as "maji, water"; or JSON, CSV, TSV.
            model: one of the bases that this server offers.
            adapter: a shipped adapter; empty for the base alone.
            pooling: words (tokens of the word only), all (BOS averaged in, an artefact), or last.
        """
        shown = measured(models, Visitor(), pairs, model, adapter or BASE, pooling)
        reports = {name: core.reports.alignment_json(result) for name, result in shown.results}
        return {"results": reports, "notes": list(shown.notes)}

    @explained
    def neighbours(
        word: str, language: str = LANGUAGES[0], model: str = first, adapter: str = "", layer: str = "output"
    ) -> dict:
        """The ten words of the other language nearest to a word, right translations marked, and the first one's rank.

        Args:
            word: a word of the language.
            language: Swahili or English.
            model: one of the bases that this server offers.
            adapter: a shipped adapter; empty for the base alone.
            layer: a layer's number, or output.
        """
        if not word.strip():
            raise ValueError("The word is empty: give one, such as maji.")
        loaded, key = models.get(model), Visitor().key(models, model, adapter or BASE)
        near = core.space.nearest_words(loaded, word.strip(), language, key, chosen_layer(layer))
        nearest = [{"word": n.word, "cosine": round(n.cosine, 5), "right": n.right} for n in near.nearest]
        return {"nearest": nearest, "right_rank": near.right_rank, "candidates": near.candidates}

    for endpoint in (measure, neighbours):
        gr.api(endpoint, api_name=endpoint.__name__, **MODEL_QUEUE)
