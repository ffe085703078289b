"""What stands beside each other on the page: what can be compared there, its table, its chart, and the link to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets.deep_links import view_link
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import MAX_PAIRS, too_many
from ui.widgets.mobile import on_phone

MOST = 12
"""More would take a server that strangers share too long."""

SEPARATOR = ","
"""Between names in an address; no name of a model or an adapter holds one."""

CONTROL, RESERVED, OWN = "control", "reserved", "own"
PAIRS = {
    CONTROL: N_("the shipped control pairs"),
    RESERVED: N_("{number} words no training saw").format(number=len(shipped("reserved"))),
    OWN: N_("the pairs in Alignment"),
}
"""The lists that can be measured, by the names that links have for them."""


@dataclass(frozen=True, eq=False)
class Board:
    """What is compared on the page, so that layers and rows change without measuring again.

    reference is the label of what the others are set against. query is what was asked for as an address holds it, or
    None where files of the visitor's own are in it. Compared by identity: Gradio hashes a state whose change is
    followed, and arrays have no hash.
    """

    compared: tuple[core.measures.across_models.Compared, ...]
    origins: tuple[str, ...]
    reference: str
    query: Mapping[str, str] | None

    @property
    def reference_first(self) -> list[core.measures.across_models.Compared]:
        """What is compared, that which the others are set against before them."""
        return sorted(self.compared, key=lambda of: of.label != self.reference)


@on_gpu(60)
def compared(
    models: Models, visitor: Visitor, model: str, adapter: str, pairs: Sequence[WordPair], lens: Lens
) -> core.measures.across_models.Compared:
    """A base or an adapter, measured."""
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    check_tokens(loaded, pairs)
    return core.measures.across_models.measure_compared(loaded, pairs, key, lens)


def pair_rows(of: core.measures.across_models.Compared, layer: str) -> gr.Dataframe:
    """Each pair at the layer: its cosine, its rank, and the words that lie nearest, right ones marked."""
    result = of.result
    try:
        at = core.models.layers.layer_index(result.names, chosen_layer(layer))
    except ValueError:
        return gr.Dataframe(visible=False)
    size = result.reference_size
    headers = [*map(translate, result.languages.names), translate("cosine")]
    headers += [translate("rank in the list"), translate("rank among {size} common words", size=size)]
    headers.append(translate("nearest in the list"))
    near, rows = result.nearest["to_target"].pair[at], []  # (n, k)
    for i, pair in enumerate(result.pairs):
        words = [result.pairs[j].target for j in near[i]]
        marked = (f"✓ {word}" if word in pair.accepted else word for word in words)
        ranks = result.retrieval["to_target"].rank[at, i], result.reference_rank[at, i]
        cosine = f"{result.cosine[i, at]:.3f}"
        rows.append([pair.source, pair.target, cosine, *map(str, map(int, ranks)), ", ".join(marked)])
    where = core.models.layers.layer_words(result.names[at])
    label = translate("Each pair of {label}, at {layer}, with the words that lie nearest", label=of.label, layer=where)
    return gr.Dataframe({"headers": headers, "data": rows}, label=label, visible=True)


def width(column: Sequence[str]) -> str:
    """As wide as the longest word of a column, as a table breaks words that have no room."""
    longest = max(len(word) for cell in column for word in cell.replace("-", " ").split() or [""])
    return f"{max(64, 23 + 7.4 * longest):.0f}px"


def sortable(cell: str) -> str | float:
    """A figure as a number, so that a table sorts it as one."""
    try:
        return float(cell) if "." in cell else int(cell)
    except ValueError:
        return cell


def offered(models: Models, visitor: Visitor) -> dict[str, tuple[str, str]]:
    """What can be measured here, by its label: each base that is ready, alone and with each adapter."""
    found = {}
    for model in filter(models.is_ready, models.names):
        for adapter in visitor.adapters(model):
            found[model if adapter == BASE else f"{model} + {adapter}"] = (model, adapter)
    return found


def chosen_of(models: Models, visitor: Visitor, labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """What is ticked, in the order in which it is offered.

    Raises:
        ValueError: something that is not offered is asked for.
    """
    here = offered(models, visitor)
    for label in labels:
        if label not in here:
            text = N_("{label} is not here to be compared: choose from the list.")
            raise ValueError(translate(text, label=str(label)[:100]))
    return {label: of for label, of in here.items() if label in labels}


def query_of(here: Sequence[str], saved: Sequence[str], chosen: str, typed: str, lens: Lens) -> dict[str, str]:
    """What was asked for, as an address holds it: a label or a name each, the pairs, and how words are read."""
    query = {"here": SEPARATOR.join(here), "saved": SEPARATOR.join(saved), "list": chosen}
    query |= {"pairs": typed, "languages": lens.languages} if chosen == OWN else {}
    return {key: of for key, of in (query | {"readout": lens.readout, "vectors": lens.view}).items() if of}


def listed(held: str) -> list[str]:
    """The labels or names that an address holds."""
    return [name for name in held.split(SEPARATOR)[:MOST] if name]


def link_of(tab: str, board: Board, layer: str) -> str:
    """The link to a comparison at a layer, or why there is none."""
    if board.query is None:
        return translate("Files of your own are compared here, which a link cannot hold.")
    return view_link(tab, **board.query, against=board.reference, layer=layer)


def pairs_of(chosen: str, typed: str, languages: str) -> tuple[WordPair, ...]:
    """The pairs to measure.

    Args:
        chosen: a key of PAIRS.

    Raises:
        ValueError: more pairs were typed than the page measures.
    """
    if chosen != OWN:
        return shipped(chosen)
    pairs = parse_pairs(typed, languages).pairs
    if len(pairs) > MAX_PAIRS:
        raise ValueError(too_many(len(pairs)))
    return pairs


def drawn(board: Board, layer: str, words: str, request: gr.Request) -> go.Figure:
    """The comparison's chart as drawn, its panels below each other on a phone."""
    chart = chart_of(board, layer, words)
    return core.reports.figures.chart_figure(chart, 1 if on_phone(request) else 3)


def chart_of(board: Board | None, layer: str, words: str) -> core.reports.chart.Chart | None:
    """The comparison's chart, of the first that one chart can tell apart; None where nothing is compared."""
    if board is None:
        return None
    drawn = board.compared[: core.reports.chart.MOST_COMPARED]
    return core.reports.charts.comparison_chart([(of.label, of.result) for of in drawn], chosen_layer(layer), words)


def board_rows(board: Board | None, layer: str, words: str) -> list[tuple[str, ...]]:
    """Where each stands, a heading row first; nothing where nothing is compared."""
    if board is None:
        return []
    found = core.measures.across_models.standings(board.reference_first, chosen_layer(layer))
    return core.reports.across_models.leaderboard_rows(found)


def told(board: Board, found: Sequence[core.measures.across_models.Standing], layer: int | str) -> str:
    """What sets each apart from the first, and which of them are not drawn."""
    told = core.reports.across_models.standing_sentences(found)
    if len(board.compared) > core.reports.chart.MOST_COMPARED:
        text = N_("The chart shows the first {most}; the table has all.")
        told.append(translate(text, most=core.reports.chart.MOST_COMPARED))
    return "\n".join(f"- {core.reports.messages.plain_text(line)}" for line in told)


def origin(of: core.reports.saved.SavedMeasurement) -> str:
    """Where a measurement is from, and its checksum."""
    line = core.reports.html.provenance_line(of.result.provenance)
    told = translate("{name}: {origin}. Checksum {sum}.", name=of.name, origin=line, sum=of.sha256[:16])
    return core.reports.messages.plain_text(told)
