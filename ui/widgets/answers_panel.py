"""What base and adapter write for the unseen pairs of an evaluation: asked for by a button, as it takes long."""

from __future__ import annotations

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from ui.widgets.events import Parts, Updates


class AnswersPanel:
    """The button, and what it brings: a sentence, a table and the probes."""

    def __init__(self) -> None:
        gr.Markdown(
            N_(
                "## Does it reach the output?\nThe model is asked to translate every control word, "
                "both ways, without and with the adapter, to rank the right word among all others, "
                "and to read plain sentences. A minute or two on two CPU cores."
            )
        )
        self.button = gr.Button(N_("Ask both for translations"), elem_id="ask")
        self.note = gr.Markdown(elem_id="answers-note")
        self._answers = gr.Dataframe(show_label=False, interactive=False, visible=False, elem_id="answers", wrap=True)
        self._probes = gr.Dataframe(
            label=N_("The six kinds of probe of the published work, to be read"),
            interactive=False,
            visible=False,
            wrap=True,
            max_height=480,
            elem_id="probes",
        )

    @property
    def outputs(self) -> Parts:
        """What `of` and `none` update."""
        return [self.note, self._answers, self._probes]

    def none(self) -> Updates:
        """Nothing was asked yet."""
        return {self.note: "", self._answers: gr.Dataframe(visible=False), self._probes: gr.Dataframe(visible=False)}

    def of(self, report: core.measures.before_after.EvaluationReport) -> Updates:
        """The sentence, the table and the probes of what the models write."""
        headers, *data = core.reports.tables.output_rows(*report.outputs)
        answers = {"headers": list(headers), "data": [[cell.strip() for cell in row] for row in data]}
        asked = [[p.kind, p.prompt, p.base, p.adapted] for p in report.probes]
        probes = {
            "headers": [translate(head) for head in (N_("kind"), N_("prompt"), N_("base"), N_("adapter"))],
            "data": asked,
        }
        told = (
            core.reports.written.written_sentence(report),
            core.reports.written.prompts_sentence(report.outputs[0].languages),
            core.reports.beside_change.knowledge_sentence(report),
        )
        return {
            self.note: "\n\n".join(told),
            self._answers: gr.Dataframe(answers, visible=True),
            self._probes: gr.Dataframe(probes, visible=True),
        }
