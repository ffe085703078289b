"""The Word tab, the front door: one word, what the model writes for it, and what lies nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.i18n import ENGLISH, N_, SWAHILI, in_language, translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.one_word import ReadWord, beginning_with, close_to, read_word
from ui.language import IN_SWAHILI
from ui.page_context import PageContext
from ui.server.gpu import on_gpu
from ui.server.session_files import SessionFiles
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models, Visitor
from ui.widgets.deep_links import MAX_LINK, address_of, asked_for, view_link
from ui.widgets.events import QUICK_QUEUE, QUIET, Handler, Parts, Updates, uncover
from ui.widgets.mobile import bring_into_sight

ID, LABEL = "word", N_("Word")
START = "maji"
WIDGETS = Path(__file__).parents[1] / "widgets"
BY_ITSELF = N_("found by itself")
BEGUN, MEANT = N_("Words of the lexicon that begin so"), N_("Words of the lexicon that {word} may be meant for")
LOADING = N_("The model is loading … its answer will be here in a moment.")
KEPT = N_("*Kept from an earlier measurement of this model, which is loading now: its own answer comes in a moment.*")
BROKEN = N_("This word was **not** looked up, as something went wrong here: try again.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    names = language_pair().names
    word = gr.Textbox(
        START,
        label=N_("Type a Swahili or English word"),
        submit_btn=True,
        elem_id="word",
    )
    # Two, as Gradio checks a choice against those that the server sent last: typing may be answered after looking up.
    begun = gr.Radio([], label=BEGUN, visible=False, elem_id="word-begun")
    meant = gr.Radio([], visible=False, elem_id="word-meant")
    refused = gr.Markdown(visible=False, elem_id="word-refused", elem_classes="warning")
    # In the page itself, as the server answers little while it loads PyTorch.
    of_mini = context.models.names[0] == "lugha-mini"
    answer = gr.Markdown(kept_answer(ENGLISH) if of_mini else "", elem_id="word-answer")
    setattr(answer, IN_SWAHILI, kept_answer(SWAHILI) if of_mini else "")
    language = gr.Radio([BY_ITSELF, *names], value=BY_ITSELF, label=N_("Language of the word"), elem_id="word-language")
    deeper = gr.Button(N_("Look deeper: its pairs at every layer"), visible=False, elem_id="word-deeper")
    link = gr.Markdown(elem_classes="hint", elem_id="word-link")
    card = CardPanel()
    pairs = gr.State("")
    context.deeper = deeper, pairs

    def nothing(why: str) -> Updates:
        """No answer, and beside the box the reason: what is below would be taken for that of the word in it."""
        return {
            refused: gr.Markdown(why, visible=True),
            **dict.fromkeys((answer, link, pairs), ""),
            deeper: gr.Button(visible=False),
            begun: gr.Radio(visible=False),
            meant: gr.Radio(visible=False),
            **card.none(),
        }

    # Another word was asked for meanwhile, and may be answered already.
    later = {answer: gr.skip()}

    def look_up(word: str, language: str, model: str, visitor: Visitor):
        is_last = visitor.asking(ID)
        try:
            read = read_word(word, language=None if language == BY_ITSELF else language)
            found = answered(context.models, model, read)
        except ValueError as error:
            return nothing(core.reports.messages.plain_text(str(error))) if is_last() else later
        if not is_last():
            return later
        return {
            answer: core.reports.word_answer.answer_text(found, model),
            link: view_link(ID, word=word, language=language, model=model),
            pairs: _pairs_of(read),
            deeper: gr.Button(visible=bool(read.listed)),
            refused: gr.Markdown(visible=False),
            begun: gr.Radio(visible=False),
            meant: _meant(read),
            **card.of(found, model),
        }

    asked, shown = (
        [word, language, context.model, context.visitor],
        [answer, link, pairs, deeper, refused, begun, meant, *card.outputs],
    )

    def open_with(word: str, language: str, model: str, visitor: Visitor):
        """The first word's answer, unless its reader was quicker: while the model loads, others are asked for."""
        return later if visitor.asks[ID] else look_up(word, language, model, visitor)

    context.first, context.opens_with = Handler(look_up, asked, shown), Handler(open_with, asked, shown)

    def looks_up(event):
        running = event(*context.first, api_visibility="private", show_progress_on=[answer], **QUICK_QUEUE)
        # A word that is refused has no link, and that of the word before is not what is seen.
        running.success(None, link, None, js=address_of(ID), **QUIET)
        running.failure(lambda: nothing(translate(BROKEN)), None, shown, **QUIET)
        uncover(running, answer)

    def typed(letters: str):
        """What the lexicon has that begins so; of another word the language is found anew."""
        words = [found for found in beginning_with(letters) if found != letters]
        return gr.Radio(choices=words, value=None, visible=bool(words)), BY_ITSELF

    word.input(typed, word, [begun, language], trigger_mode="always_last", show_progress="hidden", **QUIET)
    # In the browser, as a server that loads a model answers late: the answer before is not this word's.
    word.submit(None, None, answer, js="() => '…'", **QUIET)
    looks_up(word.submit)
    looks_up(language.input)
    for offered in (begun, meant):
        looks_up(offered.input(lambda chosen: chosen, offered, word, **QUIET).then)
    bring_into_sight([word.submit, begun.input, meant.input], "word")

    def says_it_loads(visitor: Visitor, base: str, request: gr.Request):
        models, asked = context.models, request.query_params.get("tab")
        if asked not in (None, ID):
            return {answer: ""}  # a link to another tab has no word looked up
        waits = models.loads_by_itself(base) and not models.is_loaded(base)
        return {answer: translate(LOADING)} if waits and (asked or not of_mini) else {}

    def opened(visitor: Visitor, base: str, request: gr.Request):
        query = asked_for(request, ID)
        if query is None:
            return {}
        model, spoken = query.get("model"), query.get("language")
        return {
            word: query.get("word", "")[:MAX_LINK],
            language: spoken if spoken in names else BY_ITSELF,
            **({context.model: model} if model in context.models.names else {}),
            linked: True,
        }

    linked = context.opening.flag()
    context.opening.follow(says_it_loads, [answer])
    context.opening.follow(opened, [word, language, context.model, linked])
    looks_up(linked.change)


@dataclass(frozen=True)
class Looked:
    """The word that was looked up last, for its card."""

    answer: core.measures.word_answer.WordAnswer
    model: str


class CardPanel:
    """A closed panel with a picture of the answer to share, drawn when it is opened."""

    def __init__(self) -> None:
        downloads = SessionFiles()
        self._looked = gr.State(None)
        with gr.Accordion(N_("A card to share"), open=False, visible=False, elem_id="word-card") as self._panel:
            picture = gr.Image(
                show_label=False, interactive=False, type="filepath", buttons=["download"], elem_id="word-card-picture"
            )
            gr.Markdown(
                N_("Save the picture, and send the link above with it: it opens this word."), elem_classes="hint"
            )

        def drawn(looked: Looked | None, request: gr.Request):
            if looked is None:
                return None
            file = downloads.fresh(request) / f"{core.models.adapter_sources.folder_name(looked.answer.read.word)}.png"
            core.atomic_files.write_bytes(file, core.reports.word_card.word_card(looked.answer, looked.model))
            # For those who do not see it, what it says first.
            return gr.Image(str(file), alt_text=core.reports.word_answer.plain_verdict(looked.answer, looked.model))

        self._panel.expand(drawn, self._looked, picture, concurrency_limit=None, api_visibility="private")

    @property
    def outputs(self) -> Parts:
        """What `of` updates."""
        return [self._panel, self._looked]

    def none(self) -> Updates:
        """The panel out of sight, where there is no answer."""
        return {self._panel: gr.Accordion(open=False, visible=False), self._looked: None}

    def of(self, answer: core.measures.word_answer.WordAnswer, model: str) -> Updates:
        """The panel closed, for another answer."""
        return {self._panel: gr.Accordion(open=False, visible=True), self._looked: Looked(answer, model)}


def first_answer(language: str) -> str:
    """What lugha-mini says of START in a reader's language, as `recipes/first_answer.py` has written it down.

    Text and not a measurement, as it is shown before PyTorch is there to work a sentence out.
    """
    return (WIDGETS / f"first_answer.{language}.md").read_text(encoding="utf-8")


def kept_answer(language: str) -> str:
    """The same, and that it is from before."""
    with in_language(language):
        return f"{first_answer(language)}\n\n{translate(KEPT)}"


@on_gpu(30)
def answered(models: Models, model: str, read: ReadWord) -> core.measures.word_answer.WordAnswer:
    """What a base makes of a word."""
    loaded = models.get(model)
    check_tokens(loaded, (core.lists.pairs.WordPair(read.word, read.word),))
    return _kept(loaded, read)


@lru_cache(maxsize=500)
def _kept(loaded: core.models.loaded_model.LoadedModel, read: ReadWord) -> core.measures.word_answer.WordAnswer:
    """Each word's answer once for all visitors: most ask what the page opens with, and what it suggests."""
    return core.measures.word_answer.answer_word(loaded, read)


def _meant(read: ReadWord) -> gr.Radio:
    """What a word that the lexicon does not know may have been meant for, to be chosen."""
    words = [] if read.listed else list(close_to(read.word))
    label = translate(MEANT, word=read.word[:40])
    return gr.Radio(choices=words, value=None, visible=bool(words), label=label)


def _pairs_of(read: ReadWord) -> str:
    """A word's pairs of the lexicon, as the box for pairs takes them."""
    swapped = read.language != language_pair().source.name
    both = [(gloss, read.word) if swapped else (read.word, gloss) for gloss in read.listed]
    return core.lists.formats.format_pairs([core.lists.pairs.WordPair(*pair) for pair in both])
