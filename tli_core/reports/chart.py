"""What a line chart shows, before anything draws it: panels of lines with their bands, and one grammar for all.

Hue and marker tell what is compared (a model, an adapter, a list, a run), dash tells right pairs from wrong ones, and a
panel has one measure. `figures` draws a chart on the page, `print_figure` for print, `chart_csv` writes its points.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tli_core.i18n import N_, translate

MOST_COMPARED = 6
"""As many are told apart by hue and marker."""


@dataclass(frozen=True)
class Kind:
    """What a line is of, which its dash tells.

    name is what the legend says, with {label} for what is compared; told is the same in a caption, without a label.
    dash is in Plotly's names. band says what lies between a line's edges; pale: it is wide, and drawn paler.
    """

    name: str
    told: str
    dash: str
    width: int
    marked: bool = False
    band: str = ""
    pale: bool = False


INTERVAL, NINE_IN_TEN = N_("95 % interval"), N_("nine in ten wrong pairs")
RIGHT = Kind(N_("{label}: right pairs"), N_("right pairs"), "solid", 3, True, INTERVAL)
WRONG = Kind(N_("{label}: wrong pairs"), N_("wrong pairs"), "dot", 2, False, NINE_IN_TEN, True)
LOOK_ALIKE = Kind(N_("{label}: wrong pairs that look alike"), N_("wrong pairs that look alike"), "dashdot", 1)
AS_LONG = Kind(N_("{label}: wrong pairs as long"), N_("wrong pairs as long"), "dashdot", 1)
SAME_TOPIC = Kind(N_("{label}: wrong pairs of one topic"), N_("wrong pairs of one topic"), "dashdot", 1)
FOUND = Kind("{label}", N_("what is compared"), "solid", 3, True, INTERVAL)
CHANCE = Kind(N_("chance"), N_("chance"), "dot", 2)
BY_SPELLING = Kind(N_("spelling alone"), N_("spelling alone"), "dashdot", 2)
ONE_PAIR = Kind("{label}", N_("one pair"), "dash", 2, True)
EACH_PAIR = Kind("{label}", N_("each pair"), "solid", 1)


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    entry is the number of what is compared, which its hue and marker tell, or None for what belongs to all, in grey.
    label is that entry's name, or of what belongs to some only, which these are. x and y are (points,), bounds
    (points, 2) the edges of its band, p (points,) the p values of its points. visible: drawn unasked, where it can be
    asked for at all. banded: the band is drawn at every point; where many would cover each other, an error bar stands
    at the chart's chosen layer instead.
    """

    entry: int | None
    label: str
    kind: Kind
    x: np.ndarray
    y: np.ndarray
    bounds: np.ndarray | None = None
    p: np.ndarray | None = None
    visible: bool = True
    banded: bool = True

    def __post_init__(self) -> None:
        if self.x.shape != self.y.shape:
            raise ValueError(f"x is {self.x.shape} and y {self.y.shape}: give a line as many of both.")
        if self.bounds is not None and self.bounds.shape != (*self.y.shape, 2):
            raise ValueError(f"bounds are {self.bounds.shape}, expected {(*self.y.shape, 2)}.")

    @property
    def name(self) -> str:
        """What the legend calls it."""
        name = translate(self.kind.name, label=self.label)
        return f"{name}, {self.label}" if self.entry is None and self.label else name


@dataclass(frozen=True)
class Panel:
    """One measure's lines. title is empty where the axis says enough; form is how a value is written.

    zero: a line at zero is drawn, as the values are changes. about says what the measure is, for a caption.
    """

    measure: str
    lines: tuple[Line, ...]
    title: str = ""
    form: str = ".3f"
    zero: bool = False
    about: str = ""


@dataclass(frozen=True)
class Axis:
    """What lies along all panels of a chart; names are those of layers 0 to the last, or None for plain numbers."""

    title: str
    names: tuple[str, ...] | None = None
    end: float | None = None


@dataclass(frozen=True)
class Chart:
    """A line chart. title says what it is, heading of what: model, adapter, readout, number of pairs.

    layer is the layer that was chosen, marked in every panel; None marks none. models are those that it is of. data
    says what it was measured on, for a caption.
    """

    title: str
    panels: tuple[Panel, ...]
    axis: Axis
    heading: str = ""
    layer: int | None = None
    models: tuple[str, ...] = ()
    data: str = ""

    def __post_init__(self) -> None:
        if len(self.labels) > MOST_COMPARED:
            text = N_("{n} are more than {most}, the most that one chart tells apart: draw fewer at a time.")
            raise ValueError(translate(text, most=MOST_COMPARED, n=len(self.labels)))

    @property
    def labels(self) -> dict[int, str]:
        """What is compared, by its number."""
        known: dict[int, str] = {}
        for line in (line for panel in self.panels for line in panel.lines):
            # A pair's own line has the pair in its label, and belongs to what has been named already.
            if line.entry is not None:
                known.setdefault(line.entry, line.label)
        return known

    @property
    def dashes(self) -> dict[str, str]:
        """What each dash of its visible lines means, in the reader's words."""
        meant: dict[str, dict[str, None]] = {}
        for line in (line for panel in self.panels for line in panel.lines):
            if line.visible and line.kind not in (FOUND, EACH_PAIR):
                told = translate(line.kind.told)
                if line.kind is ONE_PAIR and line.entry is not None:
                    told = line.label.removesuffix(f", {self.labels[line.entry]}")  # one pair of all that are compared
                meant.setdefault(line.kind.dash, {})[told] = None
        return {dash: ", ".join(told) for dash, told in meant.items()}


def grid(panels: Sequence[Panel], columns: int) -> list[tuple[int, int]]:
    """The row and column of each panel, from 0: one measure's panels stay in a row of their own if they fill one."""
    places: list[tuple[int, int]] = []
    row = column = 0
    for i, panel in enumerate(panels):
        alike = sum(other.measure == panel.measure for other in panels)
        begins = i > 0 and panels[i - 1].measure != panel.measure
        if column == columns or (begins and column + alike > columns):
            row, column = row + 1, 0
        places.append((row, column))
        column += 1
    return places


def best_columns(panels: Sequence[Panel], most: int) -> int:
    """How many columns give the fewest rows, and of those the fewest empty places."""
    return min(range(1, most + 1), key=lambda columns: (grid(panels, columns)[-1][0], columns))


def bar_of(line: Line, chart: Chart) -> tuple[float, float, float, float] | None:
    """Where the error bar of a line without a band stands, as x, value, low and high; None where it has none."""
    if chart.layer is None or line.banded or line.bounds is None or line.entry is None:
        return None
    at = np.flatnonzero(line.x == chart.layer)
    if at.size:
        i = int(at[0])
    elif chart.axis.names and chart.axis.names[chart.layer] == "output":
        i = len(line.x) - 1  # a model with fewer layers has its output earlier
    else:
        return None
    # Side by side, to the right of the layer that they are of: there most lines have ended.
    x = line.x[i] + 0.25 * (line.entry + 1)
    low, high = line.bounds[i]
    return float(x), float(line.y[i]), float(low), float(high)


def layer_axis(names: Sequence[str]) -> Axis:
    """An axis of a model's layers."""
    return Axis(translate("layer (0: embeddings)"), tuple(names))


def layer_ticks(names: Sequence[str], most: int = 8) -> tuple[list[int], list[str]]:
    """The layers that are named on an axis with room for so many names, and their names."""
    every = max(1, -(-len(names) // most))
    last = len(names) - 1
    # The last one's name is longer than a number, and has the room of two.
    ticks = [i for i in range(len(names)) if i % every == 0 and i <= last - 1.5 * every] + [last]
    return ticks, [translate("out") if names[i] == "output" else str(i) for i in ticks]


def chart_csv(chart: Chart) -> str:
    """Every point that is drawn, one a row, with its edges where it has a band."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["panel", "measure", "compared", "line", "x", "layer", "value", "low", "high", "p"])
    for panel in chart.panels:
        for line in panel.lines:
            if not line.visible:
                continue
            for i, (x, y) in enumerate(zip(line.x.tolist(), line.y.tolist(), strict=True)):
                layer = chart.axis.names[int(x)] if chart.axis.names else ""
                if chart.axis.names and line.entry is not None and i == len(line.x) - 1:
                    layer = chart.axis.names[-1]  # a model with fewer layers has its output earlier
                low, high = ("", "") if line.bounds is None else line.bounds[i].tolist()
                p = "" if line.p is None else float(line.p[i])
                kind = translate(line.kind.told)
                rows.writerow([panel.title, panel.measure, line.label, kind, x, layer, y, low, high, p])
    return written.getvalue()
