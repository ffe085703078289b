"""A sweep → its map: sentences, a table of every cell, and JSON.

All of it is English, as a report is kept for others to read.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tli_core.i18n import ENGLISH, in_language, translate
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.verdicts import LEAST_CHANGE, LEVEL
from tli_core.reports.json_csv import SCHEMA, as_json, write_json
from tli_core.reports.messages import bounds
from tli_core.reports.notices import worded
from tli_core.reports.tables import either, how_read
from tli_core.studies.sweep_cells import AS_SHUFFLED, IMPROVED, RUNS_FAILED, Cell, Picked, Sweep
from tli_core.studies.sweep_runs import AXES, Plan
from tli_core.training.config import OUTPUT, TrainingConfig

HOW_TO_READ = (
    "MRR is the change of the mean reciprocal rank of held-out words at the output, the mean over seeds, with a 95 % "
    "interval over pairs where enough of them moved for one; P@1 the change of the share of words that find their "
    "translation first. p is corrected for all settings and both directions. “Beyond spelling” leaves out pairs that "
    "look alike; “shuffled” is what the same runs on shuffled translations did, and “further” how much more the runs "
    "themselves gained: than those, or, where those did harm, than the base. “No more than shuffled” is the verdict "
    "where that is not shown."
)


MARKS = {
    "improved": "▲",
    "improved one way": "△",
    "mixed": "±",
    "spelling": "s",
    AS_SHUFFLED: "≈",
    "no clear change": "·",
    "worse": "▼",
    "collapsed": "▼",
    RUNS_FAILED: "×",
}
"""What stands in a cell of the map for its verdict."""


@dataclass(frozen=True)
class MapCell:
    """One choice of settings as the map shows it: moved is the change of the mean reciprocal rank, of both directions.

    verdict is a key of MARKS.
    """

    config: TrainingConfig
    verdict: str
    moved: float


def map_cells(found: Sweep) -> tuple[MapCell, ...]:
    """Every cell of a sweep as the map shows it."""
    return tuple(MapCell(cell.config, cell.verdict, mean_change(cell)) for cell in found.cells)


def settings_text(plan: Plan, config: TrainingConfig) -> str:
    """The settings in which a cell differs from others: layer 4, contrastive."""
    return ", ".join(setting_text(name, getattr(config, name)) for name in plan.axes) or "the only settings"


def setting_text(name: str, value: Any) -> str:
    """One setting in words, short."""
    if name == "targets":
        return "LoRA on " + "+".join(value)
    return str(value) if name in ("loss", "readout") or value == OUTPUT else f"{name} {value}"


@in_language(ENGLISH)
def sentences(found: Sweep) -> list[str]:
    """What the sweep says, the answer first."""
    base, cells = found.base, found.cells
    verdicts = [cell.verdict for cell in cells]
    counted = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(sorted(verdicts)))
    where = {
        verdict: "; ".join(settings_text(found.plan, cell.config) for cell in cells if cell.verdict == verdict)
        for verdict in IMPROVED
    }
    both, one_way = (verdicts.count(verdict) for verdict in IMPROVED)
    helps = [
        f"in both directions in {both} of {len(cells)} settings ({where['improved']})" if both else "",
        f"in one direction in {one_way} of {len(cells)} ({where['improved one way']})" if one_way else "",
    ]
    told = " and ".join(filter(None, helps)) or f"in none of {len(cells)} settings"
    said = [f"At the output, on held-out words, training helps {told}."]
    said.append(
        f"Verdicts: {counted}. They stand on sign-flip tests of reciprocal ranks at the {LEVEL:g} level, corrected for "
        f"all settings and both directions; a change below {LEAST_CHANGE:g} counts as none."
    )
    if found.picked:
        said.append(_picked_sentence(found, found.picked))
    early = sum(cell.ended_early for cell in cells)
    if early:
        said.append(
            f"Settings that were ended after their first seed, whose 95 % interval over words held no gain of "
            f"{LEAST_CHANGE:g} in either direction: {early}. Another seed might have done better."
        )
    risen = [cell for cell in cells if cell.matched > 0]
    alike = sum(cell.shuffled_matched > 0 for cell in risen)
    said.append(
        f"Cosines describe, and no test stands behind them: of right pairs they rose in {len(risen)} of {len(cells)} "
        f"settings, and in {alike} of these in the shuffled runs, too, where that is no evidence of learning."
    )
    for cell in cells:
        said += [f"{settings_text(found.plan, cell.config)}: a run failed. {why}" for why in cell.failed]
    said.append(
        f"Read: {how_read(base.provenance)}, {len(base.pairs)} held-out pairs; P@1 under the base "
        + ", ".join(
            f"{found.base.retrieval[way].p_at_1[-1]:.3f} → {language.name}"
            for way, language in base.languages.answers.items()
        )
        + f", by chance {either(base.chance, '.3f')}."
    )
    return said + [f"Note: {worded(warning)}" for warning in found.warnings]


def _picked_sentence(found: Sweep, picked: Picked) -> str:
    names = [settings_text(found.plan, found.cells[cell].config) for cell in picked.cells]
    gained = f"{picked.moved:+.3f} of mean reciprocal rank ({within(picked)})"
    if names[0] == names[1]:
        return f"Best: {names[0]}, {gained}. Either half of the pairs picks it, and is read on the other."
    largest = max(mean_change(cell) for cell in found.cells if not cell.failed)
    return (
        f"Best, picked on one half of the pairs and read on the other, both ways round: {' and '.join(names)}, "
        f"{gained}. The largest figure of the map, {largest:+.3f}, is read on the pairs that picked it, too, and so is "
        "too high as a rule."
    )


def within(picked: Picked) -> str:
    """The interval of what was picked, in the reader's language, or why it has none."""
    low, high = picked.ci95
    if math.isfinite(low):
        return translate("95 % interval {low:+.3f} to {high:+.3f}", low=low, high=high)
    return translate("too few words moved for an interval")


def mean_change(cell: Cell) -> float:
    """How far the mean reciprocal rank moved, the mean of both directions."""
    return sum(of.mrr for of in cell.ranks.values()) / len(cell.ranks)


def cell_rows(found: Sweep) -> list[tuple[str, ...]]:
    """Every cell with every figure, a heading row first."""
    names = [language.name for language in found.base.languages.answers.values()]
    figures = ("MRR", "p", "P@1", "beyond spelling", "shuffled", "further")
    heads = (f"{what} → {name}" for name in names for what in figures)
    cosines = ("right pairs", "wrong pairs", "right pairs, shuffled", "wrong pairs, shuffled")
    rows = [(*_axes(found.plan), "seeds", "verdict", *heads, *cosines)]
    for cell in found.cells:
        seeds = f"{cell.seeds}{', ended early' if cell.ended_early else ''}"
        shown = [figure for way in DIRECTIONS for figure in _figures(cell, way)]
        moved = (cell.matched, cell.mismatched, cell.shuffled_matched, cell.shuffled_mismatched)
        rows.append((*_settings(found.plan, cell), seeds, cell.verdict, *shown, *(f"{value:+.3f}" for value in moved)))
    return rows


def short_rows(found: Sweep) -> list[tuple[str, ...]]:
    """Every cell as a terminal has room for: its seeds, its verdict and how far ranks moved; a heading row first."""
    names = [language.name for language in found.base.languages.answers.values()]
    rows = [(*_axes(found.plan), "seeds", *(f"MRR → {name}" for name in names), "verdict")]
    for cell in found.cells:
        moved = (f"{cell.ranks[way].mrr:+.3f}" for way in DIRECTIONS)
        rows.append((*_settings(found.plan, cell), f"{cell.seeds}", *moved, cell.verdict))
    return rows


def _figures(cell: Cell, way: str) -> tuple[str, ...]:
    of, over = cell.ranks[way], cell.over_shuffled[way]
    return (
        f"{of.mrr:+.3f}{bounds(*of.mrr_ci95)}",
        f"{of.p:.4f}",
        f"{of.p_at_1:+.3f}",
        f"{of.mrr_beyond_spelling:+.3f} (p {of.p_beyond_spelling:.4f})",
        f"{over.shuffled:+.3f}",
        f"{over.further:+.3f} (p {over.p:.4f})",
    )


def _axes(plan: Plan) -> tuple[str, ...]:
    return plan.axes or ("settings",)


def _settings(plan: Plan, cell: Cell) -> tuple[str, ...]:
    return tuple(_value(getattr(cell.config, name)) for name in plan.axes) or ("the only ones",)


def _value(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)


@in_language(ENGLISH)
def write_numbers(found: Sweep, folder: Path) -> None:
    """Write map.json: every number and sentence of the map."""
    record = {
        "schema": SCHEMA,
        "sentences": sentences(found),
        "base": asdict(found.base.provenance),
        "axes": {name: sorted({_value(getattr(cell, name)) for cell in found.plan.cells}) for name in AXES},
        "cells": [as_json(asdict(cell)) for cell in found.cells],
        "picked": as_json(asdict(found.picked)) if found.picked else None,
    }
    write_json(record, folder / "map.json")
