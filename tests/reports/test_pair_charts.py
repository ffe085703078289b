"""Charts with a mark for each pair follow the grammar of all figures, on the page and in print."""

import csv
import io

import numpy as np
import pytest

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.encoding.lens import LENS
from tli_core.measures.alignment import measure
from tli_core.measures.before_after import compare
from tli_core.measures.projection import Projection
from tli_core.models.loaded_model import LoadedModel
from tli_core.reports.figure_style import GREY, SERIES
from tli_core.reports.figures import any_figure
from tli_core.reports.pair_charts import BY_TOPIC, Space, heat_map, scatter
from tli_core.reports.print_figure import FORMATS, SIZES, figure_caption, print_figure, write_figure
from tli_core.reports.space_figure import space_figure

KINDS = ("heat map", "scatter", "space", "space by topic")


@pytest.fixture(scope="module")
def result(pairs):
    return measure(LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None), pairs)


@pytest.fixture(scope="module")
def every(result):
    """One chart of each kind, its second pair picked."""
    n, numbers = len(result.pairs), np.random.default_rng(0)
    look_alike = np.arange(n) % 5 == 0
    plane = Projection(
        "PCA", "output", LENS, result.pairs, numbers.normal(size=(2, n, 2, 2)), look_alike,
        np.full((2, 2), 0.5), (0.2, 0.1),
    )  # fmt: skip
    return {
        "heat map": heat_map("base", result, "output", picked=1),
        "scatter": scatter(compare("control", result, result, 2), picked=1),
        "space": Space(("tiny", "mine"), plane, words=True, picked=1),
        "space by topic": Space(("tiny", "mine"), plane, BY_TOPIC, picked=1),
    }


def on_the_page(chart):
    return space_figure(chart) if isinstance(chart, Space) else any_figure(chart)


def test_the_heat_map_says_how_far_each_pair_is_from_wrong_ones_and_marks_layer_and_pair(every, result):
    chart = every["heat map"]
    figure = on_the_page(chart)
    (drawn,) = figure.data
    assert np.array(drawn.z) == pytest.approx(result.cosine - result.mismatched)
    # White is nothing: the scale is the same on both sides.
    assert drawn.zmin == -drawn.zmax and drawn.zmax >= np.abs(drawn.z).max()
    assert figure.layout.shapes[0].x0 == len(result.names) - 1
    marked = [text for text in figure.layout.yaxis.ticktext if "▸" in text]
    assert marked == [f"<b>▸ {result.pairs[1].source} – {result.pairs[1].target}</b>"]
    assert list(figure.layout.xaxis.minor.tickvals) == list(range(len(result.names)))


def test_in_the_scatter_filled_marks_are_right_pairs_and_one_hue_is_one_adapter(every, result):
    wrong, right, ring, line = on_the_page(every["scatter"]).data
    assert right.x == pytest.approx(result.cosine[:, 2]) and wrong.y == pytest.approx(result.wrong_cosine[:, 2])
    assert (right.marker.symbol, wrong.marker.symbol) == ("diamond", "diamond-open")
    assert right.marker.color == wrong.marker.color == SERIES[1][0] and line.line.color == GREY
    assert ring.x == pytest.approx(result.cosine[[1], 2])


def test_in_the_space_hue_is_language_or_topic_and_hollow_marks_look_alike(every):
    figure = on_the_page(every["space"])
    source = next(trace for trace in figure.data if trace.name == "Swahili")
    assert set(source.marker.color) == {SERIES[0][0]}
    assert [symbol.endswith("-open") for symbol in source.marker.symbol] == list(every["space"].projection.look_alike)
    rings = [trace for trace in figure.data if trace.marker.symbol == "circle-open" and trace.marker.size == 16]
    assert len(rings) == 2, "one in each panel"


@pytest.mark.parametrize("kind", KINDS)
def test_no_letter_is_drawn_in_a_colour_that_a_theme_swallows(kind, every):
    layout = on_the_page(every[kind]).layout
    assert layout.paper_bgcolor in (None, "rgba(0,0,0,0)") and layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


@pytest.mark.parametrize("kind", KINDS)
def test_its_files_are_as_large_as_asked_and_hold_every_point(kind, every, tmp_path):
    chart = every[kind]
    first, second = (write_figure(chart, tmp_path / name, "mine", "column") for name in "ab")
    assert [path.suffix[1:] for path in first] == [*FORMATS, "csv", "txt", "bib"]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(first, second, strict=True))
    rows = list(csv.DictReader(io.StringIO(chart.csv)))
    per_pair = {"heat map": 4, "scatter": 1, "space": 4, "space by topic": 4}[kind]
    assert len(rows) == per_pair * 30
    told = figure_caption(chart)
    assert chart.title in told and told.rstrip().endswith(".") and "tiny" in told
    assert "Pairs: 30 of Swahili and English, a list that does not ship (SHA-256 " in told
    assert "Readout: after a space. Vectors: as they are." in told


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_printed_figure_lies_outside_it(kind, size, every):
    figure = print_figure(every[kind], size)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == SIZES[size].width
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    texts += [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    for text in filter(lambda text: text.get_text(), texts):
        box = text.get_window_extent()
        inside = box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, (kind, size, text.get_text())
