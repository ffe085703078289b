"""The Answers tab: prompts, the base's answers beside the adapter's as they are written, and what lies behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gradio as gr

import tli_core as core
from tli_core.i18n import say
from tli_core.lists.pairs import WordPair, parse_pairs
from tli_core.lists.prompts import MAX_NEW_TOKENS, TEMPLATES, TRANSLATIONS
from ui.language import SWAHILI
from ui.server.gpu import on_gpu
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets.adapter_pickers import AdapterPickers, adapter_choices
from ui.widgets.deep_links import Arrival
from ui.widgets.errors import explained, remark
from ui.widgets.events import MODEL_QUEUE, QUIET
from ui.widgets.links import ADDRESS, asked_for, not_here, view_link
from ui.widgets.mobile import bring_into_sight

FREE = "My own prompt"
START = TEMPLATES[0]
MAX_PROMPT = 1000
MAX_PROMPTS = 8
MAX_TOKENS = 120
BETWEEN = "\n---\n"
WAYS = dict(zip((template.name for template in TRANSLATIONS), ("sw_en", "en_sw"), strict=True))
PROMPT, CHANGED = "prompt", "differs"
COLOURS = {
    word: colour for text, colour in ((PROMPT, "#5A5A5A"), (CHANGED, "#D55E00")) for word in (text, SWAHILI[text])
}
COLOURS_TOLD = "Grey: the prompt. Orange: where the two answers differ."
PRESS = "Press Compare."
SETTINGS = (
    "Both answers come from the same weights in memory, with the adapter off and on, token by token the likeliest one "
    "(greedy). Training moves the vectors of single words; whether answers change is for you to see."
)


@dataclass(frozen=True)
class Asked:
    """What is asked: the prompts, and the pair and direction of those that ask for a translation."""

    prompts: tuple[str, ...]
    pairs: tuple[WordPair, ...] = ()
    way: str | None = None


def build(
    models: Models,
    visitor: gr.State,
    model: gr.Dropdown,
    pickers: AdapterPickers,
    arrival: Arrival,
    tabs: gr.Tabs,
) -> None:
    """Lay the tab out and wire it."""
    adapter = pickers.answers
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            template = gr.Dropdown(
                [FREE, *(t.name for t in TEMPLATES)], value=START.name, label="What to ask", elem_id="template"
            )
            words = gr.Textbox(
                "maji, water\nrafiki, friend",
                label="Pairs to ask about, one a line",
                info=f"Up to {MAX_PROMPTS}.",
                lines=3,
                max_lines=8,
                elem_id="compare-pairs",
            )
            prompt = gr.Textbox(
                label="Prompts, as the model reads them, with a line of --- between two",
                lines=4,
                max_lines=14,
                visible=False,
                elem_id="prompt",
            )
            with gr.Row():
                adapter.render()
                tokens = gr.Slider(1, MAX_TOKENS, value=20, step=1, label="New tokens at most", min_width=160)
            with gr.Row():
                go_button = gr.Button("Compare", variant="primary", min_width=120, elem_id="compare")
                stop = gr.Button("Stop", interactive=False, min_width=120, elem_id="compare-stop")
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                base_answer, adapted_answer = (
                    gr.HighlightedText(
                        [(PRESS, None)],
                        label=label,
                        color_map=COLOURS,
                        show_inline_category=False,
                        show_legend=False,
                        show_whitespaces=True,
                        min_width=240,
                        elem_id=elem_id,
                        elem_classes="answer",
                    )
                    for label, elem_id in (("Base", "base-answer"), ("Adapted", "adapted-answer"))
                )
            gr.Markdown(COLOURS_TOLD, elem_classes="hint")
            note = gr.Markdown(SETTINGS, elem_classes="hint", elem_id="compare-note")
            link = gr.Markdown(elem_classes="hint", elem_id="compare-link")
    right = gr.Dataframe(
        label="The right translation: how likely, and its rank among common words",
        interactive=False,
        visible=False,
        elem_id="right-words",
    )
    following = gr.Dataframe(
        label="The likeliest first token of each answer",
        interactive=False,
        visible=False,
        elem_id="next-tokens",
    )

    def laid_out(template: str, words: str):
        own = template == FREE
        return gr.Textbox(visible=not own), gr.Textbox(visible=own, value=gr.skip() if not own else shown(words))

    def shown(words: str) -> str:
        try:
            return BETWEEN.join(asked(START.name, words, "").prompts)
        except ValueError:
            return ""

    template.input(laid_out, [template, words], [words, prompt], **QUIET)
    answers_shown = [base_answer, adapted_answer, note, right, following]
    for changed in (template.input, words.input, prompt.input, adapter.input):
        changed(
            lambda: (_empty(), _empty(), say(SETTINGS), *(gr.Dataframe(visible=False),) * 2, ""),
            None,
            [*answers_shown, link],
            **QUIET,
        )

    @explained
    def run(template: str, words: str, prompt: str, model: str, adapter: str, tokens: float, visitor: Visitor):
        for found in answers(models, visitor, asked(template, words, prompt), model, adapter, int(tokens)):
            yield _shown(found, model, adapter, int(tokens))

    inputs = [template, words, prompt, model, adapter, tokens]
    busy = {"fn": lambda: (gr.Button(interactive=False), gr.Button(interactive=True)), "inputs": None}
    idle = {"fn": lambda: (gr.Button(interactive=True), gr.Button(interactive=False)), "inputs": None}
    buttons = [go_button, stop]

    def wired(event):
        """Ask, and then make the link; the stop button ends it between two tokens."""
        running = event.then(
            run, [*inputs, visitor], answers_shown, api_visibility="private", show_progress="hidden", **MODEL_QUEUE
        )
        linked = running.success(linked_view, inputs, link, **QUIET)
        linked.success(None, link, None, js=ADDRESS, **QUIET)
        for ended in (running.success, running.failure):
            ended(**idle, outputs=buttons, **QUIET)
        stop.click(**idle, outputs=buttons, cancels=[running], **QUIET)

    def linked_view(template: str, words: str, prompt: str, model: str, adapter: str, tokens: float) -> str:
        what = {"prompt": prompt} if template == FREE else {"pairs": words}
        return view_link("compare", ask=template, **what, model=model, adapter=adapter, tokens=int(tokens))

    bring_into_sight([go_button.click], "base-answer")
    wired(go_button.click(**busy, outputs=buttons, **QUIET))

    def opened(visitor: Visitor, base: str, request: gr.Request):
        """The view that the address asks for."""
        query = asked_for(request, "compare")
        if query is None:
            return {}
        chosen = query.get("model", models.names[0])
        models.check_ready(chosen)
        kind = query.get("ask", START.name)
        if kind != FREE and kind not in {t.name for t in TEMPLATES}:
            raise ValueError("The link asks for a kind of prompt that there is not: choose one.")
        count = query.get("tokens", "20")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_TOKENS:
            raise ValueError(f"The link's number of tokens is not between 1 and {MAX_TOKENS}: set it by hand.")
        wanted = query.get("adapter", BASE)
        # Without the adapter the prompts are still what the link is for.
        there = wanted in visitor.adapters(chosen)
        if not there:
            remark(not_here(wanted))
        return {
            tabs: gr.Tabs(selected="compare"),
            template: kind,
            words: gr.Textbox(query.get("pairs", "")[:MAX_PROMPT], visible=kind != FREE),
            prompt: gr.Textbox(query.get("prompt", "")[: MAX_PROMPTS * MAX_PROMPT], visible=kind == FREE),
            model: chosen,
            adapter: gr.Dropdown(choices=adapter_choices(visitor.adapters(chosen)), value=wanted if there else BASE),
            tokens: int(count),
            linked: True,
        }

    linked = arrival.flag()
    arrival.follow(opened, [tabs, *inputs, linked])
    wired(linked.change(**busy, outputs=buttons, **QUIET))


def asked(template: str, words: str, prompt: str) -> Asked:
    """The prompts of a template for pairs, or of the visitor's own text.

    Raises:
        ValueError: there are none, too many, or one is too long.
    """
    if template == FREE:
        prompts = tuple(part.strip("\n") for part in prompt.split(BETWEEN) if part.strip())
        found = Asked(prompts)
    else:
        known = next((t for t in TEMPLATES if t.name == template), None)
        if known is None:
            raise ValueError(f"There is no {template[:60]!r} to ask: choose from the list.")
        pairs = parse_pairs(words).pairs
        prompts = tuple(known.fill(pair.swahili, pair.english) for pair in pairs)
        found = Asked(prompts, pairs, WAYS.get(template))
    if not prompts:
        raise ValueError(say("The prompt is empty: write something, or choose a template."))
    if len(prompts) > MAX_PROMPTS:
        text = "{n} prompts are more than {most}, the most at once: use fewer."
        raise ValueError(say(text, n=len(prompts), most=MAX_PROMPTS))
    for text in prompts:
        if len(text) > MAX_PROMPT:
            raise ValueError(say("A prompt has {n} characters: shorten it to {most}.", n=len(text), most=MAX_PROMPT))
    return found


@dataclass(frozen=True)
class Answers:
    """Both answers to every prompt so far; at the end also how likely the right translations are."""

    done: tuple[tuple[str, core.measures.next_tokens.Continuation, core.measures.next_tokens.Continuation | None], ...]
    words: tuple[core.measures.next_tokens.RightWord, ...] | None = None


@on_gpu(60)
def answers(models: Models, visitor: Visitor, asked: Asked, model: str, adapter: str, tokens: int) -> Iterator[Answers]:
    """Both answers to every prompt as they grow, and then what lies behind them.

    Raises:
        ValueError: too many tokens, or an adapter that is not this visitor's to use.
    """
    if not 1 <= tokens <= MAX_NEW_TOKENS:
        raise ValueError(f"New tokens must be 1 to {MAX_NEW_TOKENS}, got {tokens}.")
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    done: tuple = ()
    for prompt in asked.prompts:
        base = adapted = None
        for base, adapted in core.measures.next_tokens.side_by_side(loaded, key, prompt, tokens):
            yield Answers((*done, (prompt, base, adapted)))
        done = (*done, (prompt, base, adapted))
    pairs = asked.pairs if asked.way else ()
    yield Answers(done, tuple(core.measures.next_tokens.right_word(loaded, key, pair, asked.way) for pair in pairs))


def _shown(found: Answers, model: str, adapter: str, tokens: int) -> tuple:
    """The answers, in the order of the components."""
    ended, adapted = found.words is not None, adapter != BASE
    return (
        _pieces(found.done, 1, ended),
        _pieces(found.done, 2, ended) if adapted else _empty(),
        _note(found.done, model, adapter, tokens) if ended else say("Writing …"),
        _right_table(found.words, adapted) if ended else gr.skip(),
        _next_table(found.done) if ended else gr.skip(),
    )


def _empty() -> list[tuple[str, None]]:
    return [(say(PRESS), None)]


def _pieces(done: Sequence[tuple], side: int, marked: bool) -> list[tuple[str, str | None]]:
    """Prompts and one side's answers as highlighted text, the words in which the answers differ marked."""
    pieces: list[tuple[str, str | None]] = []
    for number, entry in enumerate(done):
        prompt, answer = entry[0], entry[side]
        pieces.append((("\n\n" if number else "") + prompt, say(PROMPT)))
        if marked and entry[2]:
            parts = core.measures.next_tokens.differences(entry[1].text, entry[2].text)[side - 1]
            pieces += [(text, say(CHANGED) if differs else None) for text, differs in parts]
        elif answer:
            pieces.append((answer.text, None))
        if marked and answer and not answer.text:
            pieces.append((say("(it ends here: not a word was written)"), None))
    return pieces


def _note(done: Sequence[tuple], model: str, adapter: str, tokens: int) -> str:
    if adapter == BASE:
        return say("No adapter is chosen, so there is only the base's answer.")
    same = sum(base.text == adapted.text for _, base, adapted in done)
    if len(done) == 1:
        told = say("The two answers are the same.") if same else say("The two answers differ.")
    else:
        told = say("The two answers are the same for {same} of {n} prompts.", same=same, n=len(done))
    settings = say(
        "{model} without and with {adapter}, greedy, at most {tokens} new tokens each.",
        model=model,
        adapter=adapter,
        tokens=tokens,
    )
    return f"{told} {settings}"


def _right_table(words: Sequence[core.measures.next_tokens.RightWord], adapted: bool) -> gr.Dataframe:
    """The right word's log-probability and its rank: a word is only likely if others are less so."""
    if not words:
        return gr.Dataframe(visible=False)
    size = words[0].before.candidates
    headers = [say("pair"), say("log-probability, base"), say("rank of {size}, base", size=size)]
    if adapted:
        headers += [say("log-probability, adapted"), say("rank of {size}, adapted", size=size)]
    data = []
    for found in words:
        row = [f"{found.pair.swahili} – {found.pair.english}"]
        for ranking in (found.before, found.after) if adapted else (found.before,):
            row += [f"{ranking.log_probability[0]:.2f}", str(int(ranking.rank[0]))]
        data.append(row)
    return gr.Dataframe({"headers": headers, "data": data}, visible=True)


def _next_table(done: Sequence[tuple]) -> gr.Dataframe:
    chance = say("probability")
    headers = [say("prompt"), say("base"), chance, say("adapted"), f"{chance} "]
    data = []
    for number, (_, base, adapted) in enumerate(done, 1):
        columns = [entry.next_tokens if entry else () for entry in (base, adapted)]
        for place in range(max(map(len, columns))):
            row = [str(number)]
            for tokens in columns:
                row += [repr(tokens[place].text), f"{tokens[place].probability:.3f}"] if tokens else ["", ""]
            data.append(row)
    return gr.Dataframe({"headers": headers, "data": data}, visible=True)
