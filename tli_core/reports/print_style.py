"""What all figures for print share: sizes, marks, and a white sheet with its title line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MARKS = {"circle": "o", "diamond": "D", "square": "s", "triangle-up": "^", "x": "X", "cross": "P"}
"""Matplotlib's marks by Plotly's names."""


@dataclass(frozen=True)
class Size:
    """Inches of a figure's width, of a panel's height, and of the height that there is room for; panels a row, points
    of its text, dots an inch of a PNG."""

    width: float
    panel: float
    tallest: float
    columns: int
    text: float
    dots: int


SIZES = {
    "column": Size(3.35, 1.7, 9.2, 1, 7, 300),
    "page": Size(6.9, 2.1, 9.2, 3, 7, 300),
    "slide": Size(13.33, 5.2, 7.5, 3, 14, 144),
}


class Titled(Protocol):
    """What says what it is, and of what."""

    @property
    def title(self) -> str: ...

    @property
    def heading(self) -> str: ...


def sheet(chart: Titled, of: Size, titled: bool, height: float) -> Figure:
    """An empty figure of a size, with its title line where it is to have one: height is without it, in inches."""
    lines = [line for line in (chart.title, chart.heading) if line] if titled else []
    whole = min(height + len(lines) * of.text * 1.5 / 72, of.tallest)
    figure = Figure(figsize=(of.width, whole), layout="constrained")
    FigureCanvasAgg(figure)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=of.text, x=0.01, ha="left")
    return figure
