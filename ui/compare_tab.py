"""The Compare tab: one prompt, the base's answer beside the adapter's, at the same settings."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

import tli_core as core
from tli_core.prompts import MAX_NEW_TOKENS, TEMPLATES
from ui.adapter_pickers import AdapterPickers
from ui.errors import explained
from ui.events import MODEL_QUEUE
from ui.visitors import BASE, Models, Visitor

FREE = "My own prompt"
MAX_PROMPT = 1000
START = TEMPLATES[0]


def build(models: Models, visitor: gr.State, model: gr.Dropdown, pickers: AdapterPickers) -> None:
    """Lay the tab out and wire it."""
    adapter = pickers.answers
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            template = gr.Dropdown(
                [FREE, *(t.name for t in TEMPLATES)], value=START.name, label="What to ask", elem_id="template"
            )
            with gr.Row() as words:
                swahili = gr.Textbox("maji", label="Swahili", max_length=120, min_width=120, elem_id="compare-swahili")
                english = gr.Textbox("water", label="English", max_length=120, min_width=120, elem_id="compare-english")
            prompt = gr.Textbox(
                START.fill("maji", "water"),
                label="Prompt, as the model reads it",
                lines=3,
                max_lines=10,
                max_length=MAX_PROMPT,
                elem_id="prompt",
            )
            with gr.Row():
                adapter.render()
                tokens = gr.Slider(1, 120, value=20, step=1, label="New tokens at most", min_width=160)
            go_button = gr.Button("Compare", variant="primary", elem_id="compare")
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                base_answer = gr.Textbox(
                    label="Base",
                    lines=6,
                    interactive=False,
                    min_width=240,
                    elem_id="base-answer",
                    placeholder="Press Compare.",
                )
                adapted_answer = gr.Textbox(
                    label="Adapted", lines=6, interactive=False, min_width=240, elem_id="adapted-answer"
                )
            settings = gr.Markdown(
                "Both answers come from the same weights in memory, with the adapter off and on, word by word the "
                "likeliest next token (greedy). Training moves the vectors of single words; whether answers change is "
                "for you to see.",
                elem_classes="hint",
                elem_id="compare-note",
            )

    template.input(
        lambda chosen, sw, en: (filled(chosen, sw, en), gr.Row(visible=chosen != FREE)),
        [template, swahili, english],
        [prompt, words],
        queue=False,
        api_visibility="private",
    )
    for word in (swahili, english):
        word.change(filled, [template, swahili, english], prompt, queue=False, api_visibility="private")

    for changed in (prompt.change, adapter.input):
        changed(lambda: ("", ""), None, [base_answer, adapted_answer], queue=False, api_visibility="private")

    @explained
    def run(prompt: str, model: str, adapter: str, tokens: float, visitor: Visitor):
        yield from answers(models, visitor, prompt, model, adapter, int(tokens))

    run_inputs = [prompt, model, adapter, tokens, visitor]
    for trigger in (go_button.click, prompt.submit):
        trigger(run, run_inputs, [base_answer, adapted_answer, settings], api_visibility="private", **MODEL_QUEUE)


def filled(template: str, swahili: str, english: str):
    """The prompt of a template for a pair; a prompt of one's own stays as it is."""
    for known in TEMPLATES:
        if known.name == template:
            return known.fill(swahili.strip(), english.strip())
    return gr.skip()


def answers(models: Models, visitor: Visitor, prompt: str, model: str, adapter: str, tokens: int) -> Iterator[tuple]:
    """The base's answer, then the adapted one beside it.

    Raises:
        ValueError: an empty or overlong prompt, or an adapter that is not this visitor's to use.
    """
    if not prompt.strip():
        raise ValueError("The prompt is empty: write something, or choose a template.")
    if len(prompt) > MAX_PROMPT:
        raise ValueError(f"The prompt has {len(prompt)} characters: shorten it to {MAX_PROMPT}.")
    if not 1 <= tokens <= MAX_NEW_TOKENS:
        raise ValueError(f"New tokens must be 1 to {MAX_NEW_TOKENS}, got {tokens}.")
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    texts = []
    for chosen in dict.fromkeys((None, key)):
        with loaded.using(chosen) as active:
            (text,) = core.generation.continuations(active, loaded.tokenizer, [prompt], tokens)
        texts.append(text if text.strip() else "(The model ended without a word.)")
        if chosen is None:
            yield texts[0], "…", gr.skip()
    if adapter == BASE:
        yield texts[0], "", "No adapter is chosen, so there is only the base's answer."
        return
    same = "The two answers are the same." if texts[0] == texts[1] else "The two answers differ."
    note = f"{same} {model} without and with {adapter}, greedy, at most {tokens} new tokens each."
    yield texts[0], texts[1], note
