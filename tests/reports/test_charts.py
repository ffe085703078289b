"""Charts keep one grammar, whoever draws them: hue is what is compared, dash what a line is of, a panel one measure."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from tests.conftest import character_tokenizer, tiny_llama
from tli_core.encoding.lens import Lens
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.before_after import CONTROL, TRAINED, compare
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.provenance import Provenance
from tli_core.reports import charts
from tli_core.reports.chart import MOST_COMPARED, ONE_PAIR, Chart, bar_of, best_columns, chart_csv, grid
from tli_core.reports.charts import (
    DrawnRun,
    change_chart,
    comparison_chart,
    curve_chart,
    shares_chart,
    spread_chart,
    training_chart,
)
from tli_core.reports.citations import caption_text, citations
from tli_core.reports.data_note import data_note
from tli_core.reports.figure_style import SERIES
from tli_core.reports.figures import chart_figure, heat_map_figure
from tli_core.reports.labels import pair_words
from tli_core.reports.pair_charts import heat_map
from tli_core.reports.print_figure import FORMATS, SIZES, print_figure, write_figure
from tli_core.training.history import HeldOutCheck, TrainingStep

STEPS = [
    TrainingStep(step, 4, 0, None if step == 0 else 1.0 / step, 1e-3, 0.1, HeldOutCheck(0.5, 0.2, 0.1 * step))
    for step in range(5)
]


@pytest.fixture(scope="module")
def result(pairs):
    return measure(LoadedModel(tiny_llama(), character_tokenizer(), "tiny", None), pairs)


@pytest.fixture(scope="module")
def every(result):
    """One chart of each kind."""
    evaluations = [compare(name, result, result, "output") for name in (TRAINED, CONTROL)]
    both, many = [("base", result), ("mine", result)], [(f"model {i}", result) for i in range(5)]
    return {
        "curve": curve_chart([("base", result)]),
        "two curves": curve_chart(both),
        "pairs' own lines": curve_chart(both, pair_lines=True, picked=pair_words(result.pairs[0])),
        "comparison": comparison_chart(both, 2),
        "small multiples": comparison_chart(many, "output"),
        "changes": change_chart(evaluations),
        "shares": shares_chart(both),
        "spread": spread_chart(evaluations[0], ("base", "mine")),
        "training": training_chart(
            [DrawnRun(name, "lugha-mini", "contrastive", STEPS) for name in ("mine", "shuffled")]
        ),
    }


KINDS = ("curve", "two curves", "pairs' own lines", "comparison", "small multiples", "changes", "shares", "spread",
         "training")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_hue_tells_what_is_compared_and_dash_what_a_line_is_of(kind, every):
    chart = every[kind]
    drawn = {trace.name: trace for trace in chart_figure(chart).data if trace.name and trace.x[:1] != (None,)}
    for panel in chart.panels:
        for line in panel.lines:
            trace = drawn[line.name]
            assert trace.line.dash == line.kind.dash
            if line.entry is not None:
                assert trace.line.color == SERIES[line.entry][0]
            else:
                assert trace.line.color not in {colour for colour, _ in SERIES}


@pytest.mark.parametrize("kind", KINDS)
def test_cosines_and_shares_never_share_an_axis(kind, every):
    for panel in every[kind].panels:
        about = panel.measure.lower()
        assert sum(word in about for word in ("cosine", "share", "p@1", "loss", "%", "gap")) >= 1
        assert not ("cosine" in about and ("p@1" in about or "share" in about))


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_can_be_read_off_the_axis(kind, every):
    chart = every[kind]
    if chart.axis.names is None:
        return
    layers = list(range(len(chart.axis.names)))
    figure = chart_figure(chart)
    assert {tuple(axis.minor.tickvals) for axis in figure.select_xaxes()} == {tuple(layers)}
    axes, *_ = print_figure(chart, "column").axes
    assert sorted({*axes.get_xticks(), *axes.get_xticks(minor=True)}) == layers


def test_a_measures_panels_are_not_mixed_with_anothers_in_a_row(every):
    panels = every["small multiples"].panels
    assert grid(panels, 3) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert grid(every["comparison"].panels, 3) == [(0, 0), (0, 1), (0, 2)]


def test_many_lines_have_an_error_bar_each_at_the_chosen_layer_instead_of_bands(every):
    there = every["small multiples"].panels[0]
    bars = [bar_of(line, every["small multiples"]) for line in there.lines]
    assert sum(bar is not None for bar in bars) == 5
    x, value, low, high = bars[0]
    assert x > 3 and low < value < high
    line = there.lines[0]
    shorter = replace(line, x=line.x[:2], y=line.y[:2], bounds=line.bounds[:2])
    assert 1 < bar_of(shorter, every["small multiples"])[0] < 2, "a model with fewer layers has its output earlier"
    assert bar_of(shorter, replace(every["small multiples"], layer=2)) is None
    drawn = chart_figure(every["small multiples"], 3)
    assert sum(trace.error_y.array is not None for trace in drawn.data) == 10
    assert not any(bar_of(line, every["comparison"]) for line in every["comparison"].panels[0].lines)


def test_panels_of_one_measure_have_one_scale(every):
    chart = every["small multiples"]
    figure = chart_figure(chart)
    scales: dict[str, set] = {}
    drawn = [axes for axes in print_figure(chart, "page").axes if axes.axison]
    for number, (axes, panel) in enumerate(zip(drawn, chart.panels, strict=True), 1):
        on_page = f"y{number if number > 1 else ''}"
        shared = figure.layout[f"yaxis{on_page[1:]}"].matches or on_page
        scales.setdefault(panel.measure, set()).add((shared, axes.get_ylim()))
    assert [len(scale) for scale in scales.values()] == [1, 1]


def test_the_curve_draws_right_and_wrong_of_every_result(result):
    drawn = {
        trace.name: np.asarray(trace.y) for trace in chart_figure(curve_chart([("base", result)])).data if trace.name
    }
    assert drawn["base: right pairs"] == pytest.approx(result.matched)
    assert drawn["base: wrong pairs"] == pytest.approx(result.mismatched)
    assert "base: wrong pairs that look alike" in drawn


def test_beside_chance_and_spelling_stands_how_many_words_are_found(result):
    there, back, curves = comparison_chart([("base", result), ("mine", result)]).panels
    assert [panel.title for panel in (there, back)] == ["→ English", "→ Swahili"] and "cosine" in curves.measure
    drawn = {line.name: line for line in there.lines}
    assert drawn["base"].y == pytest.approx(result.retrieval["to_target"].p_at_1)
    assert set(drawn["chance"].y) == {result.chance[0]} and set(drawn["spelling alone"].y) == {result.spelling_alone[0]}


def test_a_picked_pair_has_a_line_of_its_own_for_all_that_measured_it(result, tiny):
    other = measure(tiny, [WordPair("maji", "water"), WordPair("moto", "fire")])
    pair = next(pair for pair in result.pairs if pair not in other.pairs)
    *_, curves = comparison_chart([("base", result), ("other", other)], picked=pair_words(pair)).panels
    (line,) = [line for line in curves.lines if line.kind is ONE_PAIR]
    assert line.entry == 0 and list(line.y) == list(result.cosine[result.pairs.index(pair)])


def test_pair_lines_come_on_demand_and_words_stay_words(tiny):
    result = measure(tiny, [WordPair("<b>maji</b>", "water"), WordPair("moto", "fire")])
    plain, lined = (chart_figure(curve_chart([("base", result)], pair_lines=lines)) for lines in (False, True))
    assert len(lined.data) == len(plain.data) + 2
    assert not any("<b>" in (trace.name or "") + (trace.hovertemplate or "") for trace in lined.data)


def test_of_a_long_list_the_first_pairs_are_drawn_one_by_one(result, monkeypatch):
    for module in ("charts", "pair_charts"):
        monkeypatch.setattr(f"tli_core.reports.{module}.PAIRS_DRAWN", 4)
    plain, lined = (chart_figure(curve_chart([("base", result)], pair_lines=lines)) for lines in (False, True))
    assert len(lined.data) == len(plain.data) + 4
    (drawn,) = heat_map_figure(heat_map("base", result)).data
    assert np.shape(drawn.z) == (4, 4) and len(drawn.text) == 4


def test_the_training_chart_has_loss_and_held_out_lines(every):
    loss, cosine, found = every["training"].panels
    # The base's hue is left to the base, whose curve stands beside that of the adapter.
    assert list(every["training"].labels) == [1, 2]
    assert list(loss.lines[0].y) == [step.loss for step in STEPS[1:]]
    assert list(found.lines[0].y) == [step.check.p_at_1 for step in STEPS]
    assert [line.kind.dash for line in cosine.lines[:2]] == ["solid", "dot"]
    assert chart_figure(training_chart([DrawnRun("mine", "lugha-mini", "triplet", [])])).data[0].y is not None


def test_more_than_can_be_told_apart_are_refused_in_one_sentence(result):
    most = [(f"model {i}", result) for i in range(MOST_COMPARED)]
    assert len(SERIES) == MOST_COMPARED and isinstance(curve_chart(most), Chart)
    with pytest.raises(ValueError, match="7 are more than 6, the most that one chart tells apart"):
        curve_chart([*most, ("one more", result)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_csv_has_every_point_that_is_drawn(kind, every):
    chart = every[kind]
    rows = list(csv.DictReader(io.StringIO(chart_csv(chart))))
    lines = [line for panel in chart.panels for line in panel.lines if line.visible]
    assert [float(row["value"]) for row in rows] == pytest.approx([y for line in lines for y in line.y], nan_ok=True)
    assert {row["compared"] for row in rows} >= set(chart.labels.values())


@pytest.mark.parametrize("size", SIZES)
def test_files_for_print_are_as_large_as_asked_and_the_same_each_time(size, every, tmp_path):
    first, second = (write_figure(every["comparison"], tmp_path / name, "mine", size) for name in "ab")
    assert [path.suffix[1:] for path in first] == [*FORMATS, "csv", "txt", "bib"]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(first, second, strict=True))
    height, width, _ = imread(tmp_path / "a" / "mine.png").shape
    assert height <= SIZES[size].tallest * SIZES[size].dots
    assert width == pytest.approx(SIZES[size].width * SIZES[size].dots, abs=1) and height > 300
    assert (tmp_path / "a" / "mine.pdf").read_bytes().startswith(b"%PDF")


def test_nothing_of_a_printed_figure_lies_outside_it(every):
    for kind in KINDS:
        figure = print_figure(every[kind], "column")
        figure.draw_without_rendering()
        whole = figure.bbox
        for text in [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]:
            box = text.get_window_extent()
            assert box.x1 <= whole.x1 + 1 and box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, (kind, text.get_text())


def test_a_figure_for_a_paper_can_leave_its_title_to_the_caption(every):
    titled, plain = (print_figure(every["comparison"], "page", titled=titled) for titled in (True, False))
    assert titled.get_suptitle().startswith("Words that find their translation") and not plain.get_suptitle()
    assert plain.get_figheight() < titled.get_figheight()


def test_a_caption_says_of_what_and_how_to_read_it(every):
    told = caption_text(every["comparison"])
    for words in (
        "tiny · after a space · 30 pairs. Compared: base; mine.",
        "P@1: Share of words whose nearest candidate is a right translation. Lines: solid, what is compared",
        "(band: 95 % interval); dotted, chance",
        "dotted, wrong pairs (band: nine in ten wrong pairs)",
        "The long dashes mark block 2.",
    ):
        assert words in told
    told = caption_text(every["small multiples"])
    assert "The long dashes mark the output. Error bars: 95 % intervals at that layer" in told
    # What is not drawn is not told of.
    (found, _) = told.split("cosine of the two words")
    assert "band" not in found


def test_a_caption_tells_a_list_from_others_and_how_it_was_read(tiny, pairs):
    control, lens = shipped("control")[:12], Lens(view="centred", readout="words")
    lists = pairs, pairs[::-1], pairs[:-1], control, shipped("control")
    told = [data_note([measure(tiny, of, lens=lens)]) for of in lists]
    assert told[0] == told[1] != told[2]
    assert "Pairs: 12 of Swahili and English, a list that does not ship (SHA-256 " in told[3]
    assert re.search(r"Pairs: 150 of Swahili and English, the shipped control list \(SHA-256 [0-9a-f]{12}\)", told[4])
    assert told[4].endswith("Readout: word alone. Vectors: centred. Wrong pairs: from the list.")


def test_panels_leave_no_place_empty_that_need_not_be(every):
    panels = every["small multiples"].panels  # two of shares, five of cosines
    assert best_columns(panels[:6], 3) == 2 and best_columns(panels[:5], 3) == 3 and best_columns(panels, 1) == 1


def test_a_model_with_fewer_layers_has_its_output_where_its_line_ends(every):
    chart = every["comparison"]
    (deep, shallow, *_), rest = chart.panels[0].lines, chart.panels[1:]
    short = replace(shallow, x=shallow.x[:2], y=shallow.y[:2], bounds=shallow.bounds[:2])
    mixed = replace(chart, panels=(replace(chart.panels[0], lines=(deep, short)), *rest))
    rows = list(csv.DictReader(io.StringIO(chart_csv(replace(mixed, panels=mixed.panels[:1])))))
    assert [row["layer"] for row in rows] == ["embeddings", "block 1", "block 2", "output", "embeddings", "output"]
    assert "each one's output is where its line ends" in caption_text(mixed)
    assert "where its line ends" not in caption_text(chart)


def test_what_is_cited_is_the_tool_the_method_and_models_that_others_can_find(result):
    known = replace(result, provenance=replace(result.provenance, model="lugha-llama"))
    other = replace(result, provenance=replace(result.provenance, model="google/gemma-3-270m@main"))
    folder = replace(result, provenance=replace(result.provenance, model="/home/me/secret-model"))
    told = citations(curve_chart([("a", known), ("b", other), ("c", folder)]).models)
    assert "2506.15415" in told and "2504.06536" in told and "google/gemma-3-270m" in told and "secret" not in told
    assert told.count("@software{lugha_lens") == 1 and told.count("{") == told.count("}")


def test_a_heading_has_what_all_agree_on(result):
    def heading(*changes):
        of = [replace(result, provenance=replace(result.provenance, **change)) for change in changes]
        return charts.heading([(str(i), one) for i, one in enumerate(of)])

    assert isinstance(result.provenance, Provenance)
    assert heading({}, {"adapter": "mine"}) == "tiny + mine · after a space · 30 pairs"
    assert heading({"adapter": "a"}, {"adapter": "b"}) == "tiny · after a space · 30 pairs"
    assert heading({"readout": "words"}, {"model": "other", "n": 9}) == "tiny, other"
