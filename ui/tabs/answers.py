"""The Answers tab: prompts, the base's answers beside the adapter's as they are written, and what lies behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, SWAHILI, in_language, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.pairs import WordPair
from tli_core.lists.prompts import MAX_NEW_TOKENS, one_line
from ui.language import IN_SWAHILI, SWAHILI_TEXTS
from ui.page_context import PageContext
from ui.server.gpu import on_gpu
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets.adapter_pickers import adapter_choices
from ui.widgets.deep_links import address_of, asked_for, not_here, view_link
from ui.widgets.errors import explained, remark
from ui.widgets.events import MODEL_QUEUE, QUIET, Parts, Updates
from ui.widgets.mobile import bring_into_sight

ID, LABEL = "answers", N_("Answers")
FREE = N_("My own prompt")
TEMPLATES = language_pair().templates
START = TEMPLATES[0]
START_PAIRS = "maji, water\nmlima, mountain\nmwizi, thief"
"""One that lugha-mini translates with and without `mini-corrected`, and two that it translates without it alone."""

MAX_PROMPT = 1000
MAX_PROMPTS = 8
MAX_TOKENS = 120
BETWEEN = "\n---\n"
WAYS = dict(zip((template.name for template in language_pair().translations), ("to_target", "to_source"), strict=True))
PROMPT, CHANGED = N_("prompt"), N_("differs")
COLOURS = {
    word: colour for text, colour in ((PROMPT, "#5A5A5A"), (CHANGED, "#D55E00")) for word in (text, SWAHILI_TEXTS[text])
}
COLOURS_TOLD = N_("Grey: the prompt. Orange: where the two answers differ.")
PRESS = N_("Press Compare.")
SETTINGS = N_(
    "Both answers come from the same weights in memory, with the adapter off and on, token by token the likeliest one "
    "(greedy). Training moves the vectors of single words; whether answers change is for you to see."
)


@dataclass(frozen=True)
class Asked:
    """What is asked: the prompts, and the pair and direction of those that ask for a translation."""

    prompts: tuple[str, ...]
    pairs: tuple[WordPair, ...] = ()
    way: str | None = None


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = AnswersTab(context)
    tab.wire_prompts()
    tab.wire_opening()


class AnswersTab:
    """The tab's parts and what their events do."""

    def __init__(self, context: PageContext):
        self.context = context
        self.adapter = context.pickers.answers
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.template = gr.Dropdown(
                    [FREE, *(t.name for t in TEMPLATES)], value=START.name, label=N_("What to ask"), elem_id="template"
                )
                self.about = gr.Markdown(_about(START.name), elem_classes="hint", elem_id="template-about")
                with in_language(SWAHILI):
                    setattr(self.about, IN_SWAHILI, _about(START.name))
                self.words = gr.Textbox(
                    START_PAIRS,
                    label=N_("Pairs to ask about, one a line"),
                    info=N_("Up to {number}.").format(number=MAX_PROMPTS),
                    lines=3,
                    max_lines=8,
                    elem_id="compare-pairs",
                )
                self.prompt = gr.Textbox(
                    label=N_("Prompts, as the model reads them, with a line of --- between two"),
                    lines=4,
                    max_lines=14,
                    visible=False,
                    elem_id="prompt",
                )
                with gr.Row():
                    self.adapter.render()
                    self.tokens = gr.Slider(
                        1, MAX_TOKENS, value=20, step=1, label=N_("New tokens at most"), min_width=160
                    )
                with gr.Row():
                    self.go_button = gr.Button(N_("Compare"), variant="primary", min_width=120, elem_id="compare")
                    self.stop = gr.Button(N_("Stop"), interactive=False, min_width=120, elem_id="compare-stop")
            with gr.Column(scale=3, min_width=300):
                with gr.Row():
                    self.base_answer, self.adapted_answer = (
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
                        for label, elem_id in ((N_("Base"), "base-answer"), (N_("Adapted"), "adapted-answer"))
                    )
                gr.Markdown(COLOURS_TOLD, elem_classes="hint")
                self.note = gr.Markdown(SETTINGS, elem_classes="hint", elem_id="compare-note")
                self.link = gr.Markdown(elem_classes="hint", elem_id="compare-link")
        self.right = gr.Dataframe(
            label=N_("The right translation: how likely, and its rank among common words"),
            interactive=False,
            visible=False,
            elem_id="right-words",
        )
        self.following = gr.Dataframe(
            label=N_("The likeliest first token of each answer"),
            interactive=False,
            visible=False,
            elem_id="next-tokens",
        )

    @property
    def _inputs(self) -> Parts:
        asked = [self.template, self.words, self.prompt]
        return [*asked, self.context.model, self.adapter, self.tokens]

    @property
    def _answers(self) -> Parts:
        return [self.base_answer, self.adapted_answer, self.note, self.right, self.following]

    def wire_prompts(self) -> None:
        """What is asked, and the button that asks it."""

        def laid_out(template: str, words: str):
            own = template == FREE
            value: Any = shown(words) if own else gr.skip()
            return {
                self.about: _about(template),
                self.words: gr.Textbox(visible=not own),
                self.prompt: gr.Textbox(visible=own, value=value),
            }

        def shown(words: str) -> str:
            try:
                return BETWEEN.join(asked(START.name, words, "").prompts)
            except ValueError:
                return ""

        def emptied():
            return {
                self.base_answer: _empty(),
                self.adapted_answer: _empty(),
                self.note: translate(SETTINGS),
                self.right: gr.Dataframe(visible=False),
                self.following: gr.Dataframe(visible=False),
                self.link: "",
            }

        self.template.input(laid_out, [self.template, self.words], [self.about, self.words, self.prompt], **QUIET)
        for changed in (self.template.input, self.words.input, self.prompt.input, self.adapter.input):
            changed(emptied, None, [*self._answers, self.link], **QUIET)
        bring_into_sight([self.go_button.click], "base-answer")
        self._asks(self.go_button.click)

    def wire_opening(self) -> None:
        """The view that a page's address asks for."""
        models, opening = self.context.models, self.context.opening

        def opened(visitor: Visitor, base: str, request: gr.Request):
            query = asked_for(request, ID)
            if query is None:
                return {}
            chosen = query.get("model", models.names[0])
            models.check_ready(chosen)
            kind = query.get("ask", START.name)
            if kind != FREE and kind not in {t.name for t in TEMPLATES}:
                raise ValueError(translate("The link asks for a kind of prompt that there is not: choose one."))
            count = query.get("tokens", "20")
            if not count.isdecimal() or not 1 <= int(count) <= MAX_TOKENS:
                text = N_("The link's number of tokens is not between 1 and {most}: set it by hand.")
                raise ValueError(translate(text, most=MAX_TOKENS))
            wanted, offered = query.get("adapter", BASE), visitor.adapters(chosen)
            # Without the adapter the prompts are still what the link is for.
            if wanted not in offered:
                remark(not_here(wanted))
            own, prompts = kind == FREE, query.get("prompt", "")[: MAX_PROMPTS * MAX_PROMPT]
            value = wanted if wanted in offered else BASE
            return {
                self.template: kind,
                self.about: _about(kind),
                self.words: gr.Textbox(query.get("pairs", "")[:MAX_PROMPT], visible=not own),
                self.prompt: gr.Textbox(prompts, visible=own),
                self.context.model: chosen,
                self.adapter: gr.Dropdown(choices=adapter_choices(offered), value=value),
                self.tokens: int(count),
                linked: True,
            }

        linked = opening.flag()
        opening.follow(opened, [self.about, *self._inputs, linked])
        self._asks(linked.change)

    def _asks(self, trigger: Callable) -> None:
        """After an event: ask, and then make the link; the stop button ends it between two tokens."""
        go, stop = self.go_button, self.stop
        busy = {"fn": lambda: {go: gr.Button(interactive=False), stop: gr.Button(interactive=True)}, "inputs": None}
        idle = {"fn": lambda: {go: gr.Button(interactive=True), stop: gr.Button(interactive=False)}, "inputs": None}

        @explained
        def run(template: str, words: str, prompt: str, model: str, adapter: str, tokens: float, visitor: Visitor):
            wanted = asked(template, words, prompt)
            for found in answers(self.context.models, visitor, wanted, model, adapter, int(tokens)):
                yield self._shown(found, model, adapter, int(tokens))

        running = trigger(**busy, outputs=[go, stop], **QUIET).then(
            run,
            [*self._inputs, self.context.visitor],
            self._answers,
            api_visibility="private",
            show_progress="hidden",
            **MODEL_QUEUE,
        )
        linked = running.success(_linked_view, self._inputs, self.link, **QUIET)
        linked.success(None, self.link, None, js=address_of(ID), **QUIET)
        for ended in (running.success, running.failure):
            ended(**idle, outputs=[go, stop], **QUIET)
        stop.click(**idle, outputs=[go, stop], cancels=[running], **QUIET)

    def _shown(self, found: Answers, model: str, adapter: str, tokens: int) -> Updates:
        """Updates that put the answers so far on the page; the tables come with the last."""
        ended, adapted = found.words is not None, adapter != BASE
        return {
            self.base_answer: _pieces(found.done, 1, ended),
            self.adapted_answer: _pieces(found.done, 2, ended) if adapted else _empty(),
            self.note: _note(found.done, model, adapter, tokens) if ended else translate("Writing …"),
            self.right: _right_table(found.words or (), adapted) if ended else gr.skip(),
            self.following: _next_table(found.done) if ended else gr.skip(),
        }


def _linked_view(template: str, words: str, prompt: str, model: str, adapter: str, tokens: float) -> str:
    what = {"prompt": prompt} if template == FREE else {"pairs": words}
    return view_link(ID, ask=template, **what, model=model, adapter=adapter, tokens=int(tokens))


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
            text = N_("There is no {template!r} to ask: choose from the list.")
            raise ValueError(translate(text, template=template[:60]))
        pairs = parse_pairs(words).pairs
        prompts = tuple(known.fill(pair.source, pair.target) for pair in pairs)
        found = Asked(prompts, pairs, WAYS.get(template))
    if not prompts:
        raise ValueError(translate("The prompt is empty: write something, or choose a template."))
    if len(prompts) > MAX_PROMPTS:
        text = N_("{n} prompts are more than {most}, the most at once: use fewer.")
        raise ValueError(translate(text, n=len(prompts), most=MAX_PROMPTS))
    for text in prompts:
        if len(text) > MAX_PROMPT:
            raise ValueError(
                translate("A prompt has {n} characters: shorten it to {most}.", n=len(text), most=MAX_PROMPT)
            )
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
        text = N_("New tokens must be 1 to {most}, got {tokens}.")
        raise ValueError(translate(text, most=MAX_NEW_TOKENS, tokens=tokens))
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    done: tuple = ()
    for prompt in asked.prompts:
        base = adapted = None
        for base, adapted in core.measures.next_tokens.side_by_side(loaded, key, prompt, tokens):
            yield Answers((*done, (prompt, base, adapted)))
        done = (*done, (prompt, base, adapted))
    pairs = asked.pairs if asked.way else ()
    yield Answers(done, tuple(core.measures.next_tokens.right_word(loaded, key, pair, asked.way) for pair in pairs))


def _about(name: str) -> str:
    """What a kind of prompt is meant to show, and its text; nothing of the visitor's own."""
    template = next((t for t in TEMPLATES if t.name == name), None)
    if template is None:
        return ""
    shows = translate(template.shows)
    return f"`{one_line(template.text)}` – {shows}"


def _empty() -> list[tuple[str, None]]:
    return [(translate(PRESS), None)]


def _pieces(done: Sequence[tuple], side: int, marked: bool) -> list[tuple[str, str | None]]:
    """Prompts and one side's answers as highlighted text, the words in which the answers differ marked."""
    pieces: list[tuple[str, str | None]] = []
    for number, entry in enumerate(done):
        prompt, answer = entry[0], entry[side]
        pieces.append((("\n\n" if number else "") + prompt, translate(PROMPT)))
        if marked and entry[2]:
            parts = core.measures.next_tokens.differences(entry[1].text, entry[2].text)[side - 1]
            pieces += [(text, translate(CHANGED) if differs else None) for text, differs in parts]
        elif answer:
            pieces.append((answer.text, None))
        if marked and answer and not answer.text:
            pieces.append((translate("(it ends here: not a word was written)"), None))
    return pieces


def _note(done: Sequence[tuple], model: str, adapter: str, tokens: int) -> str:
    if adapter == BASE:
        return translate("No adapter is chosen, so there is only the base's answer.")
    same = sum(base.text == adapted.text for _, base, adapted in done)
    if len(done) == 1:
        told = translate("The two answers are the same.") if same else translate("The two answers differ.")
    else:
        told = translate("The two answers are the same for {same} of {n} prompts.", same=same, n=len(done))
    settings = translate(
        "{model} without and with {adapter}, greedy, at most {tokens} new tokens each.",
        model=model,
        adapter=adapter,
        tokens=tokens,
    )
    return f"{told} {settings}"


def _right_table(words: Sequence[core.measures.next_tokens.RightWord], adapted: bool) -> gr.Dataframe:
    """The right word's log-probability and its rank: a probability means little without the rank."""
    if not words:
        return gr.Dataframe(visible=False)
    size = words[0].before.candidates
    headers = [translate("pair"), translate("log-probability, base"), translate("rank of {size}, base", size=size)]
    if adapted:
        headers += [translate("log-probability, adapted"), translate("rank of {size}, adapted", size=size)]
    data = []
    for found in words:
        row = [f"{found.pair.source} – {found.pair.target}"]
        for ranking in (found.before, found.after) if adapted else (found.before,):
            row += [f"{ranking.log_probability[0]:.2f}", str(int(ranking.rank[0]))]
        data.append(row)
    return gr.Dataframe({"headers": headers, "data": data}, visible=True)


def _next_table(done: Sequence[tuple]) -> gr.Dataframe:
    chance = translate("probability")
    headers = [translate("prompt"), translate("base"), chance, translate("adapted"), f"{chance} "]
    data = []
    for number, (_, base, adapted) in enumerate(done, 1):
        columns = [entry.next_tokens if entry else () for entry in (base, adapted)]
        for place in range(max(map(len, columns))):
            row = [str(number)]
            for tokens in columns:
                row += [repr(tokens[place].text), f"{tokens[place].probability:.3f}"] if tokens else ["", ""]
            data.append(row)
    return gr.Dataframe({"headers": headers, "data": data}, visible=True)
