"""A measurement of pairs as the page shows it: made once, looked at in several ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

import tli_core as core
from tli_core.encoding.lens import Lens
from tli_core.i18n import N_, translate
from tli_core.lists.formats import PairList, parse_pairs
from tli_core.lists.lexicon import lexicon
from tli_core.lists.lint import likely_typos, read_by_byte
from tli_core.lists.one_word import completed, translations_of, words_alone
from tli_core.lists.pairs import WordPair
from tli_core.notices import Notice
from tli_core.reports.notices import worded
from ui.server.gpu import on_gpu
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models, Visitor
from ui.widgets.errors import remark
from ui.widgets.layer_picker import OUTPUT, chosen_layer

MAX_PAIRS = 2000
MAX_NOTES = 6
NEAREST = 5
"""Words that are offered for one that the lexicon does not know."""

SOON = 100
"""Up to this many pairs no progress is shown: measuring them takes less time than drawing it."""
CURVE, HEAT_MAP = N_("Curve"), N_("Every pair at every layer")


@dataclass(frozen=True, eq=False)
class Shown:
    """The measurements on the page: the base's, and the adapter's where there is one, so that views change at once.

    pieces are each word's subwords. Compared by identity: Gradio hashes a state whose change is followed, and arrays
    have no hash.
    """

    results: tuple[tuple[str, core.measures.result.LayerAlignment], ...]
    doubtful: tuple[str, ...]
    pieces: dict[str, tuple[str, ...]]

    @property
    def file_name(self) -> str:
        """A name for what is measured, as a file: models, readout and number of pairs."""
        who, result = "-".join(name for name, _ in self.results), self.results[0][1]
        name = f"{Path(who).name}-{result.provenance.readout}-{len(result.pairs)}-pairs"
        return f"alignment-{core.models.adapter_sources.folder_name(name)}.json"

    @property
    def notes(self) -> tuple[str | Notice, ...]:
        """What could not be read or is likely a slip, and what the measurement warns of."""
        return tuple(dict.fromkeys([*self.doubtful, *self.results[0][1].warnings]))


@on_gpu(30)
def measured(
    models: Models,
    visitor: Visitor,
    text: str,
    model: str,
    adapter: str,
    lens: Lens,
    progress: Callable | None = None,
) -> Shown:
    """Measure the pairs of a text under the base, and under the adapter where one is chosen.

    Args:
        progress: called with (fraction done, desc=description).

    Raises:
        ValueError: nothing can be read, there are too many pairs, or the adapter is not this visitor's to use.
    """
    loaded, key = models.get(model), visitor.key(models, model, adapter)
    read = _read(text, loaded, key, lens)
    if len(read) > MAX_PAIRS:
        raise ValueError(too_many(len(read)))
    check_tokens(loaded, read.pairs)
    results = []
    for name, used in [(model, None)] if key is None else [(model, None), (adapter, key)]:

        def tell(done: int, blocks: int, name: str = name) -> None:
            if progress:
                said = translate("Block {done} of {blocks}, {name}", done=done, blocks=blocks, name=name)
                progress(done / blocks, desc=said)

        if len(read) > SOON:
            found = core.measures.alignment.measure(loaded, read.pairs, used, lens, progress=tell)
        else:
            found = _kept(loaded, read.pairs, used, lens)
        results.append((name, found))
    pieces = {word: core.encoding.tokens.subwords(loaded.tokenizer, word) for pair in read for word in pair[:2]}
    by_byte = read_by_byte(pieces, pieces.__getitem__)
    notes = (*read.warnings, *likely_typos(read.pairs, lens.languages), *([by_byte] if by_byte else []))
    return Shown(tuple(results), notes, pieces)


@lru_cache(maxsize=32)
def _kept(
    loaded: core.models.loaded_model.LoadedModel, pairs: tuple[WordPair, ...], key: str | None, lens: Lens
) -> core.measures.result.LayerAlignment:
    """A short list's measurement once for all visitors, as most look at the examples; no two adapters have one key."""
    return core.measures.alignment.measure(loaded, pairs, key, lens)


def _read(text: str, loaded: core.models.loaded_model.LoadedModel, key: str | None, lens: Lens) -> PairList:
    """The pairs of a text; of words that are typed alone, with their translations from the lexicon, which is said.

    Raises:
        ValueError: nothing can be read; of a word alone that the lexicon does not know it says what lies nearest.
    """
    pairs = completed(text, lens.languages)
    if not pairs:
        alone = [word for word in words_alone(text) if not translations_of(word, lens.languages)]
        if alone and lexicon(lens.languages):
            near = core.measures.projection.nearest_words(
                loaded, alone[0], lens.pair.source.name, key, lens=lens, count=NEAREST
            )
            text = N_(
                "The lexicon has no translation of {word!r}. In this model the {language} words nearest to it are "
                "{words}; write the one you mean beside it: {example}."
            )
            words = [neighbour.word for neighbour in near.nearest]
            raise ValueError(translate(text, word=alone[0], language=translate(lens.pair.target.name),
                                       words=", ".join(words), example=f"{alone[0]}, {words[0]}"))  # fmt: skip
        return parse_pairs(text, lens.languages)
    listed = "; ".join(f"{pair.source}, {'; '.join(pair.accepted)}" for pair in pairs)
    return PairList(pairs, (translate("Translations from the lexicon: {pairs}.", pairs=listed),))


def too_many(count: int) -> str:
    """What to say of a list that is longer than this page measures."""
    return translate("{n} pairs are more than {most}, the most this page measures: use fewer.", n=count, most=MAX_PAIRS)


def note_list(notes: Sequence[str | Notice]) -> str:
    """Notes as a Markdown list in which a visitor's own text stays text: no tag, link or image comes from it."""
    shown = [core.reports.messages.plain_text(worded(note)) for note in notes[:MAX_NOTES]]
    if len(notes) > MAX_NOTES:
        shown.append(translate("and {n} more", n=len(notes) - MAX_NOTES))
    return "\n".join(f"- {note}" for note in shown)


def legend_text(measures: Sequence[core.measures.registry.Measure]) -> str:
    """What a table's measures are, as a Markdown list."""
    return "\n".join(f"- **{label}**: {meaning}" for label, meaning in core.reports.tables.legend(measures))


def reading_of(results: Sequence[tuple[str, core.measures.result.LayerAlignment]]) -> str:
    (label, base), *adapted = results
    return "\n\n".join(
        [
            core.reports.messages.curve_sentence(base, label),
            *(core.reports.messages.overlay_sentence(base, after, name, len(adapted)) for name, after in adapted),
        ]
    )


def chart_of(
    shown: Shown | None, layer: str, view: str, lines: bool, words: str
) -> core.reports.chart.Chart | core.reports.pair_charts.HeatMap | None:
    """What was measured as a chart: the curve or the heat map; None where nothing was.

    Args:
        words: the pair that is picked, which is marked.
    """
    if shown is None:
        return None
    label, last = shown.results[-1]
    if view == HEAT_MAP:
        picked = core.reports.labels.number_of(last.pairs, words)
        return core.reports.pair_charts.heat_map(label, last, _marked(layer), picked)
    return core.reports.charts.curve_chart(shown.results, lines, words, _marked(layer))


def redrawn(shown: Shown | None, layer: str, view: str, lines: bool, words: str) -> go.Figure | None:
    """The figure of what was measured: the curve, with or without the pairs' own lines, or the heat map."""
    chart = chart_of(shown, layer, view, lines, words)
    if shown is None or chart is None:
        return None
    n, most = len(shown.results[0][1].pairs), core.reports.charts.PAIRS_DRAWN
    if (lines or view == HEAT_MAP) and n > most:
        text = N_("The first {most} of {n} pairs are drawn one by one; the table below has every one.")
        remark(translate(text, most=most, n=n))
    return core.reports.figures.any_figure(chart)


def _marked(layer: str) -> int | str | None:
    """The layer to mark in a chart: the output is what is read unless another is chosen, and needs no mark."""
    return None if layer == OUTPUT else chosen_layer(layer)


def pair_table(shown: Shown, chosen: str) -> gr.Dataframe:
    """Each pair at the chosen layer: cosine, the wrong pairs' mean, its rank; and its pieces.

    One layer for every row, as rows at layers of their own could not be compared with each other or with an adapter's.
    """
    results = shown.results
    (_, first), (_, last) = results[0], results[len(results) - 1]
    layer = core.models.layers.layer_index(first.names, chosen_layer(chosen))
    size = first.reference_size
    columns = (translate("cosine"), translate("all wrong pairs"), translate("rank of {size}", size=size))
    if len(results) > 1:
        columns = (translate("cosine"), translate("wrong"), translate("rank/{size}", size=size))
        columns = tuple(f"{what} ({who})" for who in (translate("base"), translate("new")) for what in columns)
    data = []
    for i, pair in enumerate(first.pairs):
        row = [pair.source, pair.target]
        for _, result in results:
            cosine, wrong, rank = result.cosine[i, layer], result.mismatched[layer], result.reference_rank[layer, i]
            row += [f"{cosine:.3f}", f"{wrong:.3f}", str(int(rank))]
        pieces = " | ".join("·".join(p.strip() for p in shown.pieces[word]) for word in pair[:2])
        data.append([*row, pieces, "≈" if first.look_alike[i] else ""])
    headers = [*map(translate, first.languages.names), *columns, translate("pieces"), translate("look alike")]
    label = translate(
        "Each pair at {layer} ({caption})",
        layer=core.models.layers.layer_words(first.names[layer]),
        caption=core.reports.tables.caption(last.provenance),
    )
    return gr.Dataframe({"headers": headers, "data": data}, label=label)
