"""Charts with a mark for each pair, before anything draws them: the heat map, the scatter, and the space of words.

`figures` and `space_figure` draw them on the page, `print_pairs` for print; `csv` of each writes its points.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_, translate, translate_plural
from tli_core.lists.pairs import WordPair
from tli_core.measures.before_after import Evaluation
from tli_core.measures.projection import Projection
from tli_core.measures.result import LayerAlignment
from tli_core.models.layers import layer_index, layer_words
from tli_core.reports.charts import PAIRS_DRAWN
from tli_core.reports.citations import drawn_with
from tli_core.reports.data_note import data_note, list_note
from tli_core.reports.tables import caption

BY_LANGUAGE, BY_TOPIC = N_("by language"), N_("by topic")


@dataclass(frozen=True)
class HeatMap:
    """The first PAIRS_DRAWN pairs at every layer: cosine is (n, layers), mismatched (layers,) of wrong pairs.

    label is whose they are. layer is the layer that was chosen, picked the number of a pair that was; None marks none.
    """

    label: str
    heading: str
    names: tuple[str, ...]
    pairs: tuple[WordPair, ...]
    cosine: np.ndarray
    mismatched: np.ndarray
    layer: int | None
    picked: int | None
    models: tuple[str, ...]
    data: str

    @property
    def title(self) -> str:
        """What it is."""
        return translate("Every pair at every layer")

    @property
    def apart(self) -> np.ndarray:
        """(n, layers): each cosine less the mean of wrong pairs at that layer, which makes layers comparable."""
        return self.cosine - self.mismatched

    @property
    def reach(self) -> float:
        """The scale's end, the same above and below nothing."""
        return max(0.05, float(np.nanmax(np.abs(self.apart))))

    @property
    def caption(self) -> str:
        """A caption: what it is of, and how to read it."""
        text = N_(
            "{title}. {heading}. Colour: a pair's cosine less the mean of wrong pairs at that layer; purple is above "
            "them, orange below, white no better than a wrong pair."
        )
        told = [translate(text, title=self.title, heading=self.heading), self.data]
        if self.layer is not None:
            told.append(translate("The long dashes mark {layer}.", layer=layer_words(self.names[self.layer])))
        return " ".join([*told, drawn_with()]) + "\n"

    @property
    def csv(self) -> str:
        """A row for each pair and layer."""
        rows = (
            [pair.source, pair.target, name, self.cosine[i, at], self.mismatched[at], self.apart[i, at]]
            for i, pair in enumerate(self.pairs)
            for at, name in enumerate(self.names)
        )
        return _csv(["source", "target", "layer", "cosine", "wrong_pairs", "difference"], rows)


def heat_map(label: str, result: LayerAlignment, layer: int | str | None = None, picked: int | None = None) -> HeatMap:
    """The heat map of a result.

    Args:
        layer: one to mark, a number or `output`; None marks none.
        picked: the number of a pair whose row is marked.
    """
    return HeatMap(
        label,
        caption(result.provenance),
        result.names,
        result.pairs[:PAIRS_DRAWN],
        result.cosine[:PAIRS_DRAWN],
        result.mismatched,
        None if layer is None else layer_index(result.names, layer),
        picked,
        (result.provenance.model,),
        data_note([result]),
    )


@dataclass(frozen=True)
class Scatter:
    """Every pair's cosine before and after: right and wrong are (n, 2), wrong the mean of its wrong partners."""

    heading: str
    pairs: tuple[WordPair, ...]
    right: np.ndarray
    wrong: np.ndarray
    picked: int | None
    models: tuple[str, ...]
    data: str

    @property
    def title(self) -> str:
        """What it is."""
        return translate("Each pair, before against after")

    @property
    def ends(self) -> tuple[float, float]:
        """The line on which nothing has changed runs from the one to the other."""
        both = np.concatenate([self.right, self.wrong])
        return float(np.nanmin(both)), float(np.nanmax(both))

    @property
    def caption(self) -> str:
        """A caption: what it is of, and how to read it."""
        text = N_(
            "{title}. {heading}. Filled: the right pair; open: the mean of its wrong partners. Above the dashed line "
            "the cosine rose; where the open marks rose as well, the rise says nothing."
        )
        return f"{translate(text, title=self.title, heading=self.heading)} {self.data} {drawn_with()}\n"

    @property
    def csv(self) -> str:
        """A row for each pair."""
        rows = ([*pair[:2], *self.right[i], *self.wrong[i]] for i, pair in enumerate(self.pairs))
        return _csv(["source", "target", "right_before", "right_after", "wrong_before", "wrong_after"], rows)


def scatter(evaluation: Evaluation, picked: int | None = None) -> Scatter:
    """The scatter of an evaluation, at its layer.

    Args:
        picked: the number of a pair that is ringed and named.
    """
    at, both = evaluation.layer, (evaluation.before, evaluation.after)
    return Scatter(
        f"{caption(evaluation.after.provenance)} · {layer_words(evaluation.after.names[at])}",
        evaluation.before.pairs,
        np.column_stack([of.cosine[:, at] for of in both]),
        np.column_stack([of.wrong_cosine[:, at] for of in both]),
        picked,
        (evaluation.after.provenance.model,),
        data_note([evaluation.after]),
    )


@dataclass(frozen=True)
class Space:
    """Words of two languages in one plane, a panel for each of labels; picked is the number of a pair, or None.

    coloured is BY_LANGUAGE, or BY_TOPIC: the topics with most pairs have a hue each, all others are grey. words:
    whether each word stands beside its point.
    """

    labels: tuple[str, ...]
    projection: Projection
    coloured: str = BY_LANGUAGE
    words: bool = False
    picked: int | None = None

    @property
    def title(self) -> str:
        """What it is."""
        return translate("Words of both languages in one plane ({method})", method=self.projection.method)

    @property
    def heading(self) -> str:
        """Of what: models, layer and number of pairs."""
        n = translate_plural("{n} pair", "{n} pairs", len(self.projection.pairs))
        return " · ".join([", ".join(self.labels), layer_words(self.projection.layer_name), n])

    @property
    def models(self) -> tuple[str, ...]:
        """The base, which the first panel is of."""
        return self.labels[:1]

    @property
    def axis_titles(self) -> tuple[str, str]:
        """What each axis is: a component with its share of the variance, or a direction without a unit."""
        of = self.projection
        if of.explained is None:
            text = N_("{method} {number}, without a unit")
            first, second = (translate(text, method=of.method, number=i) for i in (1, 2))
        else:
            text = N_("component {number}: {share:.0f} % of the variance")
            first, second = (translate(text, number=i, share=100 * share) for i, share in enumerate(of.explained, 1))
        return first, second

    @property
    def caption(self) -> str:
        """A caption: what it is of, how to read it, and what the plane cannot show."""
        text = N_(
            "{title}. {heading}. A line joins the two words of a pair; hollow marks are pairs that look alike; all "
            "panels have the same axes. A plane is a shadow: in the full space {found} of the {language} words have "
            "their own partner as the nearest word of the list."
        )
        shares = (
            f"{100 * float(share):.0f} % ({label})"
            for label, (share, _) in zip(self.labels, self.projection.partners_nearest, strict=True)
        )
        language = translate(self.projection.languages[0])
        told = translate(text, title=self.title, heading=self.heading, found=", ".join(shares), language=language)
        return f"{told} {list_note(self.projection.pairs, self.projection.lens)} {drawn_with()}\n"

    @property
    def csv(self) -> str:
        """A row for each panel, pair and word."""
        of = self.projection
        rows = (
            [label, pair[side], language, i, *of.points[panel, i, side], pair.topic, int(of.look_alike[i])]
            for panel, label in enumerate(self.labels)
            for i, pair in enumerate(of.pairs)
            for side, language in enumerate(of.languages)
        )
        return _csv(["panel", "word", "language", "pair", "x", "y", "topic", "looks_alike"], rows)


PairChart = HeatMap | Scatter | Space


def _csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(rows)
    return written.getvalue()
