"""What a model makes of one word, as a picture to share: 1200 by 630 pixels, as social networks show links."""

from __future__ import annotations

import io
import textwrap

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tli_core.i18n import translate
from tli_core.measures.word_answer import WordAnswer
from tli_core.reports.figure_style import BLUE, GREY, ORANGE
from tli_core.reports.word_answer import plain_verdict

WIDTH, HEIGHT, DOTS = 12.0, 6.3, 100
ROOM = 0.9
"""The share of the width between the margins."""

SHOWN = 5
"""Neighbours that have room."""


def word_card(answer: WordAnswer, model: str) -> bytes:
    """A PNG: the word, whether the model puts it beside a translation, and its nearest words with their cosines.

    The mean cosine of wrong words is a line through all bars, as no cosine says anything without it.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
    FigureCanvasAgg(figure)
    text = {"family": ["DejaVu Sans"], "color": "#1f2937", "ha": "left", "va": "top"}
    # A dollar sign would begin a formula.
    plain = {**text, "parse_math": False}
    word = answer.read.word
    _fitted(figure.text(0.05, 0.93, word, weight="bold", **plain), 40)
    verdict = textwrap.fill(plain_verdict(answer, model), 88)
    _fitted(figure.text(0.05, 0.79, verdict, linespacing=1.4, **plain), 17)
    nearest = answer.nearby.nearest[:SHOWN]
    axes = figure.add_axes((0.24, 0.14, 0.7, 0.44))
    places = range(len(nearest))
    colours = [BLUE if near.right else ORANGE if near.look_alike else GREY for near in nearest]
    axes.barh(places, [near.cosine for near in nearest], color=colours, height=0.6)
    labels = [f"{near.word}{' ✓' * near.right}{' ≈' * near.look_alike}" for near in nearest]
    axes.set_yticks(places, labels, fontsize=16, parse_math=False)
    axes.invert_yaxis()
    axes.axvline(answer.nearby.wrong, color="#1f2937", linewidth=1.5, linestyle=":")
    axes.set_xlim(min(0, min(near.cosine for near in nearest), answer.nearby.wrong), 1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if answer.read.listed:
        told = translate("cosine; dotted: wrong words on average. ✓ right, ≈ looks alike")
    else:
        told = translate("cosine; dotted: all words on average. ≈ looks alike")
    axes.set_xlabel(told, fontsize=13)
    figure.text(0.05, 0.06, f"Lugha Lens · {model}", fontsize=13, **{**plain, "va": "bottom"})
    file = io.BytesIO()
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(file, format="png", dpi=DOTS, metadata={"Software": None})
    return file.getvalue()


def _fitted(text: Text, size: float) -> None:
    """Give a text this size, or a smaller one where it would stand out of the picture."""
    text.set_fontsize(size)
    wide = text.get_window_extent().width / (WIDTH * DOTS * ROOM)
    text.set_fontsize(size / max(1, wide))
