"""Results → JSON and CSV. Nothing here computes a measure."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tli_core.atomic_files import write_text
from tli_core.i18n import ENGLISH, in_language
from tli_core.lists.language_pair import language_pair
from tli_core.measures.before_after import Evaluation, EvaluationReport
from tli_core.measures.registry import MEASURES
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.translation import OutputCheck
from tli_core.measures.verdicts import verdict
from tli_core.models.loaded_model import Provenance
from tli_core.notices import Notice
from tli_core.reports.beside_change import linear_sentence
from tli_core.reports.messages import change_sentence
from tli_core.reports.notices import all_notices, worded
from tli_core.reports.written import written_sentence

SCHEMA = 3
"""The layout of these files: 3 has readout and view where 2 had pooling."""


def alignment_json(result: LayerAlignment) -> dict[str, Any]:
    """A measurement as the command line writes it: SCHEMA, one object a layer, one a pair."""
    return {
        "schema": SCHEMA,
        **_sources(result.provenance),
        **_lens(result.provenance),
        "n_pairs": len(result.pairs),
        "tokens": asdict(result.tokens),
        "layers": [_layer_json(result, layer) for layer in range(len(result.names))],
        "pairs": [
            {
                "source": pair.source,
                "target": pair.target,
                "topic": pair.topic,
                "group": int(result.clusters[i]),
                "look_alike": bool(result.look_alike[i]),
                "cosine": as_json(result.cosine[i]),
                "wrong_cosine": as_json(result.wrong_cosine[i]),
                **_parts_in_figures(result, i),
            }
            for i, pair in enumerate(result.pairs)
        ],
        "pool": _pool(result),
        "wrong_pairs_from": result.wrong_from,
        "reference_pool": {"size": result.reference_size},
        "provenance": result.provenance.as_dict(),
        "warnings": _in_english(all_notices(result)),
    }


def measurements_json(
    results: Sequence[tuple[str, LayerAlignment]], notes: Sequence[str | Notice] = ()
) -> dict[str, Any]:
    """The measurements that stand side by side, by their labels, each with its model, adapter, readout and pairs."""
    return {
        "schema": SCHEMA,
        "results": {label: alignment_json(result) for label, result in results},
        "notes": _in_english(notes),
    }


def evaluation_json(report: EvaluationReport) -> dict[str, Any]:
    """Before and after on each list, with the tests, the controls and the verdict; every number of the report."""
    evaluations, after = report.evaluations, report.evaluations[0].after
    return {
        "schema": SCHEMA,
        **_sources(after.provenance),
        **_lens(after.provenance),
        "layer": evaluations[0].layer,
        "layer_name": after.names[evaluations[0].layer],
        "layer_picked_on": evaluations[0].picked_on,
        "lists": [
            {
                **evaluation_summary(item),
                "layers": {
                    "before": [_layer_json(item.before, layer) for layer in range(len(item.before.names))],
                    "after": [_layer_json(item.after, layer) for layer in range(len(item.after.names))],
                    "difference": {key: as_json(value) for key, value in asdict(item.differences).items()},
                },
                "pairs": [_pair_json(item, i, report.subwords) for i in range(len(item.before.pairs))],
                "wrong_percentiles": {
                    "before": as_json(item.before.wrong_quantiles[item.layer]),
                    "after": as_json(item.after.wrong_quantiles[item.layer]),
                },
                "provenance": {
                    "before": item.before.provenance.as_dict(),
                    "after": item.after.provenance.as_dict(),
                },
            }
            for item in evaluations
        ],
        "linear_map": None if report.linear is None else {
            "layer": report.linear.layer,
            "fitted_on": report.linear.fitted_on,
            "shrinkage": report.linear.shrinkage,
            "p_at_1": {way: as_json(found.p_at_1[0]) for way, found in report.linear.retrieval.items()},
            "mrr": {way: as_json(found.mrr[0]) for way, found in report.linear.retrieval.items()},
            "sentence": linear_sentence(report),
        },
        "in_context": evaluation_summary(report.in_context) if report.in_context else None,
        "by_knowledge": [as_json(asdict(part)) for part in report.by_knowledge],
        "outputs": None if report.outputs is None else dict(
            zip(("before", "after"), map(_output_json, report.outputs), strict=True)
        ),
        "written": None if report.written is None else {
            "verdict": report.written.verdict,
            **as_json(asdict(report.written)),
            "sentence": written_sentence(report),
        },
        "probes": [
            {"kind": p.kind, "source": p.pair.source, "target": p.pair.target, "prompt": p.prompt,
             "base": p.base, "adapted": p.adapted}
            for p in report.probes
        ],
        "with_bos": {
            "list": evaluations[-1].name,
            "layers": [_layer_json(report.with_bos, layer) for layer in range(len(report.with_bos.names))],
            "provenance": report.with_bos.provenance.as_dict(),
        },
        "provenance": report.provenance.as_dict(),
        "warnings": _in_english(report.warnings),
    }  # fmt: skip


def evaluation_summary(item: Evaluation) -> dict[str, Any]:
    """Before and after on one list at one layer, with the test, the controls and the verdict."""
    return {
        "list": item.name,
        "n_pairs": len(item.before.pairs),
        "wrong_pairs_from": item.before.wrong_from,
        "test": {key: as_json(value) for key, value in asdict(item.test).items()},
        "change": {key: as_json(value) for key, value in asdict(item.change).items()},
        "verdict": item.change.verdict,
        "sentence": change_sentence(item),
        "before": _layer_json(item.before, item.layer),
        "after": _layer_json(item.after, item.layer),
        "pool": _pool(item.before),
    }


def _pair_json(item: Evaluation, i: int, subwords: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    pair = item.before.pairs[i]
    return {
        "source": pair.source,
        "target": pair.target,
        "glosses": list(pair.glosses),
        "topic": pair.topic,
        "group": int(item.before.clusters[i]),
        "look_alike": bool(item.before.look_alike[i]),
        "source_subwords": list(subwords.get(pair.source, ())),
        "target_subwords": list(subwords.get(pair.target, ())),
        "cosine": {"before": as_json(item.before.cosine[i]), "after": as_json(item.after.cosine[i])},
        "wrong_cosine": {"before": as_json(item.before.wrong_cosine[i]), "after": as_json(item.after.wrong_cosine[i])},
        "before": _parts_in_figures(item.before, i),
        "after": _parts_in_figures(item.after, i),
    }


def _parts_in_figures(result: LayerAlignment, i: int) -> dict[str, Any]:
    """What a pair adds to each figure, at every layer.

    Its part in the gap; where its right words rank in the list, by cosine and by CSLS, and in the reference pool; and
    its value of each measure that is a mean over pairs, as MEXA is.
    """
    return {
        "gap": as_json(result.gap_of_pairs[i]),
        "rank": {way: as_json(result.retrieval[way].rank[:, i]) for way in DIRECTIONS},
        "csls_rank": {way: as_json(result.retrieval[way].csls_rank[:, i]) for way in DIRECTIONS},
        "reference_rank": as_json(result.reference_rank[:, i]),
        **{key: as_json(values[:, i]) for key, values in result.scores.items() if values.ndim == 2},
    }


def _output_json(check: OutputCheck) -> dict[str, Any]:
    return {
        "greedy": {"to_target": check.greedy.to_target, "to_source": check.greedy.to_source},
        "answers": {"target": list(check.greedy.answers_target), "source": list(check.greedy.answers_source)},
        "glosses": {
            way: {
                "p_at_1": ranking.p_at_1,
                "mrr": ranking.mrr,
                "log_probability": as_json(ranking.log_probability),
                "rank": as_json(ranking.rank),
                "candidates": ranking.candidates,
                "chance": ranking.chance,
            }
            for way, ranking in check.ranking.items()
        },
        "perplexity": {
            "source": as_json(check.health.source),
            "target": as_json(check.health.target),
            "uniform": check.health.uniform,
        },
    }


def layers_csv(report: EvaluationReport, path: Path) -> None:
    """One row a list, model and layer, with every measure."""
    rows = []
    for item in report.evaluations:
        for when, result in (("before", item.before), ("after", item.after)):
            for layer in range(len(result.names)):
                row = {"list": item.name, "model": when}
                for key, value in _layer_json(result, layer).items():
                    if isinstance(value, dict):
                        row.update({f"{key}_{way}": number for way, number in value.items()})
                    elif isinstance(value, list):
                        row.update({f"{key}_low": value[0], f"{key}_high": value[1]})
                    else:
                        row[key] = value
                rows.append(row)
    _write_csv(rows, path)


def pairs_csv(report: EvaluationReport, path: Path) -> None:
    """One row a list and pair, at the evaluated layer."""
    rows = []
    for item in report.evaluations:
        for i, pair in enumerate(item.before.pairs):
            row: dict[str, Any] = {"list": item.name, "source": pair.source, "target": pair.target, "topic": pair.topic}
            row["look_alike"] = bool(item.before.look_alike[i])
            for side, word in (("source", pair.source), ("target", pair.target)):
                row[f"{side}_subwords"] = "·".join(report.subwords.get(word, ()))
            for when, result in (("before", item.before), ("after", item.after)):
                row[f"cosine_{when}"] = as_json(result.cosine[i, item.layer])
                row[f"wrong_cosine_{when}"] = as_json(result.wrong_cosine[i, item.layer])
                for way in DIRECTIONS:
                    row[f"rank_{way}_{when}"] = as_json(result.retrieval[way].rank[item.layer, i])
            rows.append(row)
    _write_csv(rows, path)


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows([{key: _inert(value) for key, value in row.items()} for row in rows])


def _inert(value: Any) -> Any:
    """Prefix an apostrophe to a cell that a spreadsheet would run as a formula (CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _lens(provenance: Provenance) -> dict[str, Any]:
    pair = language_pair(provenance.languages)
    codes = {"source": pair.source.code, "target": pair.target.code}
    return {"languages": codes, "readout": provenance.readout, "view": provenance.view}


def _sources(provenance: Provenance) -> dict[str, Any]:
    adapter = None
    if provenance.adapter is not None:
        adapter = {"name": provenance.adapter, "sha256": provenance.adapter_sha256}
    model = {"name": provenance.model, "revision": provenance.revision, "dtype": provenance.dtype}
    return {"model": model, "adapter": adapter}


def _layer_json(result: LayerAlignment, layer: int) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": layer, "name": result.names[layer]}
    for measure in MEASURES:
        values = {way: measure.values(result, way)[layer] for way in measure.ways}
        row[measure.key] = _by_way(values)
        within = {way: found[layer] for way in measure.ways if (found := measure.interval(result, way)) is not None}
        if within:
            row[f"{measure.key}_{measure.bounds_key}"] = _by_way(within)
    for name, values in result.p_values.items():
        row[f"p_{name}"] = _by_way(dict(zip(DIRECTIONS, values[layer], strict=True)))
    row["verdict"] = verdict(result, layer)
    return row


def _pool(result: LayerAlignment) -> dict[str, Any]:
    """Among how many a word is looked for, and the P@1 that guessing, and spelling alone, would earn, both ways."""
    figures = {"size": result.pool_size, "chance": result.chance, "spelling_alone": result.spelling_alone}
    return {key: as_json(dict(zip(DIRECTIONS, of, strict=True))) for key, of in figures.items()}


def _by_way(values: Mapping[str | None, Any]) -> Any:
    """A measure's values by direction, or its only one."""
    return as_json(values.get(None, values))


@in_language(ENGLISH)
def _in_english(notices: Sequence[str | Notice]) -> list[str]:
    """Notices for a file, which has no reader yet."""
    return [worded(notice) for notice in notices]


def as_json(value: Any) -> Any:
    """The value as JSON has it: Python numbers, lists for arrays, None for what is not a number."""
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as UTF-8 JSON, whole or not at all, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
