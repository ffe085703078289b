"""The map.json of a sweep, read again: what a page draws of it needs no model, and nothing in the file is trusted."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import language_pair
from tli_core.measures.result import DIRECTIONS
from tli_core.models.registry import MEASUREMENTS
from tli_core.reports.sweep_map import MARKS, MapCell, settings_text, within
from tli_core.studies.sweep_cells import IMPROVED, Picked
from tli_core.studies.sweep_runs import Plan
from tli_core.training.presets import configured

ENDING = ".map.json"
MAX_BYTES, MOST_CELLS, MOST_PAIRS = 4_000_000, 2_000, 10_000_000


@dataclass(frozen=True)
class SavedMap:
    """A sweep's settings, and how far held-out words moved with each at the output of `model`.

    n counts those words' pairs. risen and risen_shuffled count the settings in which right pairs' cosine rose, and of
    these those in which it rose on shuffled translations, too. picked is as in `Sweep`.
    """

    model: str
    languages: str
    n: int
    cells: tuple[MapCell, ...]
    risen: int
    risen_shuffled: int
    picked: Picked | None

    @property
    def plan(self) -> Plan:
        """Its settings, and in which of them they differ."""
        return Plan(tuple(cell.config for cell in self.cells), 1)


def shipped_map(model: str, folder: Path = MEASUREMENTS) -> SavedMap | None:
    """The map that ships for a model; None where none does."""
    path = folder / f"{model}{ENDING}"
    return read_map(path) if path.parent == folder and path.is_file() else None


def read_map(path: Path) -> SavedMap:
    """Read the map.json that `sweep --report` writes.

    Raises:
        ValueError: it is none, is too large, or is of another version.
    """
    if path.stat().st_size > MAX_BYTES:
        text = N_("{name} is larger than {most} MB, too large for a map.")
        raise ValueError(translate(text, name=path.name[:60], most=MAX_BYTES // 1_000_000))
    try:
        return _map_of(json.loads(path.read_text(encoding="utf-8")))
    # Where a part of it is missing, of another kind or out of range, Python raises these.
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        text = N_("{name} is no map of this version: make one with sweep --report, and take its map.json.")
        raise ValueError(translate(text, name=path.name[:60])) from error


def map_sentences(found: SavedMap) -> list[str]:
    """What a map says, the answer first, in the reader's language."""
    both, one_way = (sum(cell.verdict == verdict for cell in found.cells) for verdict in IMPROVED)
    source, target = map(translate, language_pair(found.languages).names)
    text = N_(
        "{model}, {n} held-out pairs of {source} and {target}: at the output, training helps in both directions in "
        "{both} of {all} settings, and in one direction in {one_way} more."
    )
    counts = {"both": both, "all": len(found.cells), "one_way": one_way}
    told = [translate(text, model=Path(found.model).name, n=found.n, source=source, target=target, **counts)]
    if found.picked:
        text = N_(
            "Best, picked on one half of the pairs and read on the other: {settings}, {moved:+.3f} of mean reciprocal "
            "rank ({within}). The highest figure of a map is too high as a rule."
        )
        best = dict.fromkeys(settings_text(found.plan, found.cells[number].config) for number in found.picked.cells)
        told.append(translate(text, settings="; ".join(best), moved=found.picked.moved, within=within(found.picked)))
    text = N_(
        "Right pairs' cosine rose in {risen} of {all} settings, and in {shuffled} of these on shuffled translations, "
        "too, where it is no evidence of learning."
    )
    told.append(translate(text, risen=found.risen, all=len(found.cells), shuffled=found.risen_shuffled))
    marks = dict.fromkeys(cell.verdict for cell in found.cells)
    told.append(", ".join(f"{MARKS[verdict]} {translate(verdict)}" for verdict in marks) + ".")
    return told


def map_rows(found: SavedMap) -> list[tuple[str, ...]]:
    """A row for each choice of settings, a heading row first: what they are, their verdict, and how far ranks moved."""
    rows = [(translate("settings"), translate("verdict"), translate("change of MRR"))]
    plan = found.plan
    for cell in found.cells:
        moved = f"{cell.moved:+.3f}" if math.isfinite(cell.moved) else "–"
        rows.append((settings_text(plan, cell.config), translate(cell.verdict), moved))
    return rows


def _map_of(held: dict[str, Any]) -> SavedMap:
    """The map that a file holds; a part that is missing or of another kind raises what Python raises."""
    base, cells = held["base"], held["cells"]
    language_pair(base["languages"])
    if not isinstance(cells, list) or not 1 <= len(cells) <= MOST_CELLS or not 0 < base["n"] < MOST_PAIRS:
        raise ValueError("no cells or pairs, or too many")
    rose = [cell for cell in cells if _number(cell["matched"]) > 0]
    picked = held["picked"]
    return SavedMap(
        model=str(base["model"])[:200],
        languages=base["languages"],
        n=int(base["n"]),
        cells=tuple(map(_cell, cells)),
        risen=len(rose),
        risen_shuffled=sum(_number(cell["shuffled_matched"]) > 0 for cell in rose),
        picked=_picked(picked, len(cells)) if picked else None,
    )


def _cell(held: Mapping[str, Any]) -> MapCell:
    if held["verdict"] not in MARKS:
        raise ValueError("unknown verdict")
    settings = dict(held["config"])
    moved = [_number(held["ranks"][way]["mrr"]) for way in DIRECTIONS]
    return MapCell(configured(settings.pop("preset"), **settings), held["verdict"], sum(moved) / len(moved))


def _picked(held: Mapping[str, Any], cells: int) -> Picked:
    (low, high), (first, second) = map(_number, held["ci95"]), map(int, held["cells"])
    if not (0 <= first < cells and 0 <= second < cells):
        raise ValueError("a cell that is not there")
    return Picked((first, second), _number(held["moved"]), (low, high))


def _number(value: Any) -> float:
    """A change of a rank or a cosine; nan for None, which stands where runs failed.

    Raises:
        ValueError: it is no number, or larger than any such change.
    """
    number = math.nan if value is None else float(value)
    if abs(number) > 2 or (value is not None and math.isnan(number)):
        raise ValueError("no change of a rank or a cosine")
    return number
