"""A sweep's map.json comes back as it was written, and nothing else is taken for one."""

import json
from pathlib import Path

import pytest

from tli_core.models.registry import MEASUREMENTS
from tli_core.reports.map_figure import map_figure
from tli_core.reports.saved_map import MAX_BYTES, map_rows, map_sentences, read_map, shipped_map

SHIPPED = MEASUREMENTS / "lugha-mini.map.json"


def test_the_shipped_map_is_of_every_layer_and_says_what_its_file_says():
    found, held = shipped_map("lugha-mini"), json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert [cell.verdict for cell in found.cells] == [cell["verdict"] for cell in held["cells"]]
    assert {cell.config.layer for cell in found.cells} == {*range(1, 12), "output"}
    first, best, cosine, marks = map_sentences(found)
    assert marks == "· no clear change, △ improved one way, ▲ improved."
    _, *rows = map_rows(found)
    assert [(verdict, f"{cell.moved:+.3f}") for cell in found.cells for verdict in [cell.verdict]] == [
        row[1:] for row in rows
    ]
    improved = sum(cell["verdict"] == "improved" for cell in held["cells"])
    assert f"in both directions in {improved} of 24 settings" in first
    assert f"{held['picked']['moved']:+.3f} of mean reciprocal rank" in best and "shuffled" in cosine
    (drawn,) = map_figure(found.model, found.cells).data
    assert sorted(int(number) for _, number in drawn.customdata.reshape(-1, 2)) == list(range(24))


@pytest.mark.parametrize("name", ["owner/large", "../lugha-mini", "lugha-mini/../lugha-mini", ""])
def test_no_other_model_has_one(name):
    assert shipped_map(name) is None


def test_a_setting_whose_runs_failed_has_no_figure_and_hides_no_other(tmp_path):
    nothing = {"mrr": None}
    failed = CELL | {"verdict": "runs failed", "ranks": dict.fromkeys(CELL["ranks"], nothing), "matched": None}
    others = json.loads(SHIPPED.read_text(encoding="utf-8"))["cells"][1:]
    found = read_map(changed(tmp_path, cells=[failed, *others]))
    assert map_rows(found)[1] == ("layer 1, triplet", "runs failed", "–") and map_rows(found)[-1][2] != "–"
    (drawn,) = map_figure(found.model, found.cells).data
    assert drawn.zmax > 0 and found.risen == 23


def test_a_best_setting_that_moved_too_few_words_says_so_in_place_of_an_interval(tmp_path):
    picked = {"cells": [0, 0], "moved": 0.02, "ci95": [None, None]}
    _, best, *_ = map_sentences(read_map(changed(tmp_path, picked=picked)))
    assert "+0.020 of mean reciprocal rank (too few words moved for an interval)." in best


def changed(tmp_path: Path, **changes) -> Path:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(json.loads(SHIPPED.read_text(encoding="utf-8")) | changes))
    return path


CELL = json.loads(SHIPPED.read_text(encoding="utf-8"))["cells"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": []},
        {"cells": [CELL] * 2001},
        {"cells": [CELL | {"verdict": "<img src=x onerror=alert(1)>"}]},
        {"cells": [CELL | {"config": CELL["config"] | {"preset": "mine"}}]},
        {"cells": [CELL | {"config": CELL["config"] | {"layer": -1}}]},
        {"cells": [CELL | {"config": CELL["config"] | {"unheard_of": 1}}]},
        {"cells": [CELL | {"ranks": {"to_target": {"mrr": 1e9}, "to_source": {"mrr": 0}}}]},
        {"cells": [CELL | {"matched": float("nan")}]},
        {"cells": "all"},
        {"picked": {"cells": [0, 999], "moved": 0.1, "ci95": [0, 1]}},
        {"base": {"model": "x", "n": 3}},
        {"base": {"model": "x", "languages": "sw-en", "n": 1e300}},
    ],
)
def test_a_file_that_is_no_map_is_one_sentence(changes, tmp_path):
    with pytest.raises(ValueError, match="is no map of this version: make one with sweep --report"):
        read_map(changed(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"cells": 1'])
def test_what_is_no_json_is_one_sentence_too(content, tmp_path):
    (tmp_path / "map.json").write_bytes(content)
    with pytest.raises(ValueError, match="is no map of this version"):
        read_map(tmp_path / "map.json")


def test_a_large_file_is_not_read(tmp_path):
    with (tmp_path / "map.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 4 MB, too large for a map"):
        read_map(tmp_path / "map.json")
