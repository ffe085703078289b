"""What is to be evaluated: an adapter, pairs it was trained on, pairs it has not seen; and the link that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import gradio as gr

from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.models.layers import PICK
from ui.page_context import PageContext
from ui.server.visitors import BASE, Visitor
from ui.widgets.adapter_pickers import adapter_choices
from ui.widgets.deep_links import MAX_LINK, asked_choice, asked_languages, not_here, view_link
from ui.widgets.errors import remark
from ui.widgets.events import QUIET, Parts, Updates
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import MAX_PAIRS, too_many
from ui.widgets.pairs_input import LIST_LINES, languages_choices, languages_picker

ITS_OWN, TYPED = N_("what it was trained on"), N_("pairs I type")
UNSEEN = N_("the shipped control pairs")
RESERVED = N_("{number} words no training saw").format(number=len(shipped("reserved")))
UNSEEN_LISTS = {"control": UNSEEN, "reserved": RESERVED, "typed": TYPED}
"""The lists of unseen pairs by their names in links."""


class EvaluationChoice:
    """The parts on the page that say what is evaluated; how words are read is chosen for all tabs."""

    def __init__(self, context: PageContext):
        self._models, self._model, self._reading = context.models, context.model, context.reading
        self.adapter = context.pickers.evaluate
        self.adapter.render()
        self.languages = languages_picker(
            N_("Those that the adapter was trained on, where it says so."), "evaluate-languages"
        )
        self.trained = gr.Radio([ITS_OWN, TYPED], value=ITS_OWN, label=N_("Trained pairs"), elem_id="evaluate-trained")
        self.trained_text = _list_box(N_("Trained pairs, one a line"), "evaluate-trained-pairs")
        self.unseen = gr.Radio(
            [*UNSEEN_LISTS.values()],
            value=UNSEEN,
            label=N_("Pairs it has not seen"),
            info=N_(
                "No fine-tune on the shipped list has seen either list. Of the control pairs lugha-mini itself was "
                "shown the Swahili words in dictionary lines; those that nothing has seen it was not."
            ),
            elem_id="evaluate-control",
        )
        self.unseen_text = _list_box(N_("Unseen pairs, one a line"), "evaluate-control-pairs")
        self.picks = gr.Checkbox(
            label=N_("Pick the layer by the trained list"),
            info=N_("Otherwise it is the layer that is chosen above for all tabs."),
            elem_id="evaluate-pick",
        )
        for radio, box in ((self.trained, self.trained_text), (self.unseen, self.unseen_text)):
            radio.input(lambda chosen: gr.Textbox(visible=chosen == TYPED), radio, box, **QUIET)
        self.adapter.change(_languages_of, [context.model, self.adapter, context.visitor], self.languages, **QUIET)

    @property
    def lists(self) -> Parts:
        """The parts that say which pairs."""
        return [self.trained, self.trained_text, self.unseen, self.unseen_text]

    @property
    def parts(self) -> Parts:
        """All that `Chosen` is made of, in its order."""
        return [self.adapter, self.languages, *self.lists, *self._reading.parts, self.picks]

    def asked(self, query: Mapping[str, str], visitor: Visitor, base: str) -> Updates:
        """What a link asks for, as `Chosen.link` makes it; nothing where its adapter is not this visitor's.

        Args:
            base: the model where the link names none.
        """
        model = asked_choice(query, "model", self._models.names, base)
        offered = [name for name in visitor.adapters(model) if name != BASE]
        if query["adapter"] not in offered:
            remark(not_here(query["adapter"]))
            return {}
        unseen = UNSEEN_LISTS[asked_choice(query, "list", UNSEEN_LISTS, "control")]
        trained, typed = (query.get(key, "")[:MAX_LINK] for key in ("trained", "pairs"))
        return {
            self._model: model,
            self.adapter: gr.Dropdown(choices=adapter_choices(offered), value=query["adapter"]),
            self.languages: asked_languages(query),
            **self._reading.asked(query, model),
            self.picks: "pick" in query,
            self.trained: TYPED if trained else ITS_OWN,
            self.trained_text: gr.Textbox(trained, visible=bool(trained)),
            self.unseen: unseen,
            self.unseen_text: gr.Textbox(typed, visible=unseen == TYPED),
        }


class Chosen(NamedTuple):
    """What the parts of an `EvaluationChoice` say, as a handler is given them."""

    adapter: str
    languages: str
    trained: str
    trained_text: str
    unseen: str
    unseen_text: str
    readout: str
    vectors: str
    layer: str
    picks: bool

    @property
    def lens(self) -> Lens:
        """How words become vectors."""
        return Lens(self.languages, self.readout, self.vectors)

    @property
    def at(self) -> int | str:
        """The layer, or PICK."""
        return PICK if self.picks else chosen_layer(self.layer)

    def trained_pairs(self, visitor: Visitor, model: str) -> tuple[WordPair, ...]:
        """The pairs that the adapter was trained on.

        Raises:
            ValueError: it was trained on pairs of other languages, or what was typed cannot be read.
        """
        if self.trained == TYPED:
            return _typed(self.trained_text, self.languages)
        visitor.check_languages(model, self.adapter, self.languages)
        return visitor.trained_on(model, self.adapter)

    def unseen_pairs(self) -> tuple[WordPair, ...]:
        """The pairs that it has not seen.

        Raises:
            ValueError: none ship of these languages, or what was typed cannot be read.
        """
        if self.unseen == TYPED:
            return _typed(self.unseen_text, self.languages)
        pairs = shipped("reserved" if self.unseen == RESERVED else "control", self.languages)
        if not pairs:
            source, target = map(translate, language_pair(self.languages).names)
            text = N_("There is no such list of {source} and {target}: choose the shipped control pairs.")
            raise ValueError(translate(text, source=source, target=target))
        return pairs

    def link(self, tab: str, model: str) -> str:
        """The link to the evaluation; lists that were typed are in it, pair by pair."""
        (named,) = (name for name, shown in UNSEEN_LISTS.items() if shown == self.unseen)
        typed = {"pairs": self.unseen_text} if self.unseen == TYPED else {}
        typed |= {"trained": self.trained_text} if self.trained == TYPED else {}
        place = {"pick": "yes"} if self.picks else {"layer": self.layer}
        read = {"languages": self.languages, "readout": self.readout, "vectors": self.vectors}
        return view_link(tab, model=model, adapter=self.adapter, list=named, **place, **read, **typed)


def _list_box(label: str, elem_id: str) -> gr.Textbox:
    """A box for pairs, out of sight until somebody types their own."""
    return gr.Textbox(label=label, lines=LIST_LINES, max_lines=LIST_LINES, visible=False, elem_id=elem_id)


def _languages_of(model: str, adapter: str, visitor: Visitor) -> gr.Dropdown:
    """The languages that an adapter was trained on, offered where they are none of those that ship."""
    own = visitor.languages_of(model, adapter)
    return gr.Dropdown(choices=languages_choices(own), value=own)


def _typed(text: str, languages: str) -> tuple[WordPair, ...]:
    pairs = parse_pairs(text, languages).pairs
    if len(pairs) > MAX_PAIRS:
        raise ValueError(too_many(len(pairs)))
    return pairs
