"""Results → JSON, tables and adapter folders. Nothing here computes a measure."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from .alignment import DIRECTIONS, LayerAlignment, verdict
from .evaluation import Evaluation
from .model import Provenance, source_of
from .sentences import change_sentence
from .training import TrainedAdapter

LICENCES = {"models/lugha-mini": "cc-by-sa-4.0", "Lugha-Llama/Lugha-Llama-8B-wura": "llama3.1"}
"""What an adapter inherits from the base it was made for."""

LAYER_MEASURES = ("matched", "mismatched", "gap", "auc", "centred")
RETRIEVAL_MEASURES = ("p_at_1", "p_at_5", "mrr", "csls_p_at_1")


def alignment_json(result: LayerAlignment) -> dict[str, Any]:
    """A measurement as the command line writes it: schema 1, one object a layer, one a pair."""
    return {
        "schema": 1,
        **_sources(result.provenance),
        "pooling": result.provenance.pooling,
        "n_pairs": len(result.pairs),
        "layers": [_layer_json(result, layer) for layer in range(len(result.names))],
        "pairs": [
            {"swahili": pair.swahili, "english": pair.english, "cosine": _plain(cosines)}
            for pair, cosines in zip(result.pairs, result.cosine, strict=True)
        ],
        "pool": {"size": result.pool_size, "chance": _plain(result.chance)},
        "reference_pool": {"size": result.reference_size},
        "provenance": result.provenance.as_dict(),
        "warnings": list(result.warnings),
    }


def evaluation_json(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Before and after on each list, with the tests, the controls and the verdict."""
    after = evaluations[0].after
    return {
        "schema": 1,
        **_sources(after.provenance),
        "pooling": after.provenance.pooling,
        "layer": evaluations[0].layer,
        "layer_name": after.names[evaluations[0].layer],
        "lists": [
            {
                "list": item.name,
                "n_pairs": len(item.before.pairs),
                "test": {key: _plain(value) for key, value in asdict(item.test).items()},
                "change": {key: _plain(value) for key, value in asdict(item.change).items()},
                "verdict": item.change.verdict,
                "sentence": change_sentence(item),
                "before": _layer_json(item.before, item.layer),
                "after": _layer_json(item.after, item.layer),
                "pool": {"size": item.before.pool_size, "chance": _plain(item.before.chance)},
                "layers": {
                    "before": [_layer_json(item.before, layer) for layer in range(len(item.before.names))],
                    "after": [_layer_json(item.after, layer) for layer in range(len(item.after.names))],
                },
            }
            for item in evaluations
        ],
        "provenance": after.provenance.as_dict(),
    }


def _sources(provenance: Provenance) -> dict[str, Any]:
    adapter = None
    if provenance.adapter is not None:
        adapter = {"name": provenance.adapter, "sha256": provenance.adapter_sha256}
    model = {"name": provenance.model, "revision": provenance.revision, "dtype": provenance.dtype}
    return {"model": model, "adapter": adapter}


def _layer_json(result: LayerAlignment, layer: int) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": layer, "name": result.names[layer]}
    for name in LAYER_MEASURES:
        row[name] = _plain(getattr(result, name)[layer])
    for name in ("matched_ci95", "mismatched_band", "gap_ci95"):
        row[name] = _plain(getattr(result, name)[layer])
    for name in RETRIEVAL_MEASURES:
        row[name] = {way: _plain(getattr(result.retrieval[way], name)[layer]) for way in DIRECTIONS}
    row["mexa"] = _plain(result.mexa[layer])
    row["verdict"] = verdict(result, layer)
    return row


def _plain(value: Any) -> Any:
    """The value as JSON has it: Python numbers, lists for arrays, None for what is not a number."""
    if isinstance(value, (np.ndarray, list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as UTF-8 JSON, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def alignment_table(result: LayerAlignment) -> str:
    """A measurement as a plain table, one line a layer."""
    head = ("layer", "matched", "95 %", "mismatched", "band", "gap", "centred", "P@1 →en", "P@1 →sw", "MEXA", "verdict")
    rows = [head]
    for i, name in enumerate(result.names):
        low, high = result.matched_ci95[i]
        p5, p95 = result.mismatched_band[i]
        rows.append(
            (
                f"{i} {name}" if name != f"block {i}" else str(i),
                f"{result.matched[i]:.3f}",
                f"{low:.3f}–{high:.3f}",
                f"{result.mismatched[i]:.3f}",
                f"{p5:.3f}–{p95:.3f}",
                f"{result.gap[i]:+.3f}",
                f"{result.centred[i]:.3f}",
                f"{result.retrieval['sw_en'].p_at_1[i]:.3f}",
                f"{result.retrieval['en_sw'].p_at_1[i]:.3f}",
                f"{result.mexa[i]:.3f}",
                verdict(result, i),
            )
        )
    return format_table(rows)


def evaluation_table(evaluations: Sequence[Evaluation]) -> str:
    """The paper's table and the controls that it lacks, as plain text."""
    return format_table(evaluation_rows(evaluations))


def evaluation_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """The paper's table and the controls that it lacks: a heading row, then one row a measure, one column a list."""
    rows: list[tuple[str, ...]] = [("measure", *(f"{item.name} ({item.test.n} pairs)" for item in evaluations))]

    def add(label: str, values: Sequence[str]) -> None:
        rows.append((label, *values))

    tests, moves = [item.test for item in evaluations], [item.change for item in evaluations]
    add("matched before", [f"{t.before:.4f}" for t in tests])
    add("matched after", [f"{t.after:.4f}" for t in tests])
    add("difference", [f"{t.difference:+.4f}" for t in tests])
    add("  95 % interval", [f"{t.difference_ci95[0]:+.4f} to {t.difference_ci95[1]:+.4f}" for t in tests])
    add("percent", [f"{t.percent:+.1f} %" for t in tests])
    add("paired t", [f"{t.t:.2f}, p {t.p_t:.2g}" for t in tests])
    add("permutation p", [f"{t.p_permutation:.2g}" for t in tests])
    add("Cohen's d_z", [f"{t.d_z:.2f}" for t in tests])
    for label, name in (("mismatched", "mismatched"), ("gap", "gap"), ("AUC", "auc"), ("MEXA", "mexa")):
        values = [(getattr(i.before, name)[i.layer], getattr(i.after, name)[i.layer]) for i in evaluations]
        add(f"{label} before → after", [f"{before:.4f} → {after:.4f}" for before, after in values])
    add("  change of the gap, 95 %", [f"{m.gap_ci95[0]:+.4f} to {m.gap_ci95[1]:+.4f}" for m in moves])
    for name, label in (("p_at_1", "P@1"), ("mrr", "MRR"), ("csls_p_at_1", "CSLS P@1")):
        for way, arrow in (("sw_en", "→ English"), ("en_sw", "→ Swahili")):
            values = [(getattr(i.before.retrieval[way], name)[i.layer], getattr(i.after.retrieval[way], name)[i.layer])
                      for i in evaluations]  # fmt: skip
            add(f"{label} {arrow}", [f"{before:.3f} → {after:.3f}" for before, after in values])
    add("pool, chance", [f"{i.before.pool_size}, {i.before.chance:.4f}" for i in evaluations])
    add("verdict", [m.verdict for m in moves])
    return rows


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to one width, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def save_adapter(trained: TrainedAdapter, folder: Path, name: str, evaluations: Sequence[Evaluation] = ()) -> Path:
    """Write a standard PEFT folder with its record and card, and return it.

    Raises:
        ValueError: the folder already holds an adapter of that name.
    """
    target = folder / name
    if target.exists():
        raise ValueError(f"{target} is already there: choose another name, or remove it first.")
    target.mkdir(parents=True)
    base = trained.record["base"]
    trained.lora.base_model_name_or_path = source_of(base["model"])
    trained.lora.inference_mode = True
    # PEFT keeps a set, whose order would differ from run to run.
    trained.lora.target_modules = sorted(trained.lora.target_modules)
    trained.lora.save_pretrained(str(target))
    save_file(trained.state, target / "adapter_model.safetensors", metadata={"format": "pt"})
    write_json(trained.record, target / "tli.json")
    write_card(target, trained.record, evaluations)
    return target


def write_card(target: Path, record: Mapping[str, Any], evaluations: Sequence[Evaluation] = ()) -> None:
    """The adapter's README.md: what it is, how it was made, what was measured, how to load it."""
    base, config = record["base"], record["config"]
    layer = "the output" if config["layer"] is None else f"layer {config['layer']}"
    data = "shuffled translations (a control: it must not learn anything)" if config["shuffled"] else "word pairs"
    licence = LICENCES.get(source_of(base["model"]))
    lines = [
        "---",
        f"base_model: {source_of(base['model'])}",
        *([f"license: {licence}"] if licence else []),
        "library_name: peft",
        "tags: [lora, tli, swahili, cross-lingual-alignment]",
        "---",
        "",
        f"# {target.name}",
        "",
        f"A LoRA for `{base['model']}`, trained by Targeted Lexical Injection with the `{config['preset']}` preset on "
        f"{record['pairs']} Swahili–English {data}.",
        "",
        f"The {config['loss']} loss reads {layer}, pooling `{config['pooling']}`; LoRA of rank {config['rank']} on "
        f"{', '.join(config['targets'])} of the first {record['blocks_trained']} blocks; {record['steps']} steps, "
        f"seed {config['seed']}. `tli.json` has every knob and the curves.",
        "",
    ]
    if evaluations:
        place = evaluations[0].before.names[evaluations[0].layer]
        lines += [f"## Measured at {place}, words pooled", ""]
        lines += [f"- {change_sentence(item)}" for item in evaluations]
        lines += ["", "```", evaluation_table(evaluations), "```", ""]
        lines += [f"These figures are about `{base['model']}` with this adapter, and about no other model.", ""]
    lines += [
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{source_of(base["model"])}")',
        f'model.load_adapter("adapters/{target.name}")',
        "```",
        "",
    ]
    (target / "README.md").write_text("\n".join(lines), encoding="utf-8")
