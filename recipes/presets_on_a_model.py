"""Train every preset, from several seeds, on a model that nobody here trained, and say what came of the held-out words.

    python recipes/presets_on_a_model.py FOLDER RESULTS

One JSON file a run is left in RESULTS, a folder for this model alone, and a run that is there is not made again.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.measure_lugha_mini import spread
from tli_core.encoding.lens import Lens
from tli_core.encoding.readouts import IN_CONTEXT
from tli_core.lists.lexicon import shipped
from tli_core.measures.alignment import measure
from tli_core.measures.calibration import reading
from tli_core.measures.linear_map import map_base
from tli_core.measures.perplexity import check_health
from tli_core.measures.result import DIRECTIONS, LayerAlignment
from tli_core.measures.verdicts import beyond_map, change
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.reports.model_card import save_adapter
from tli_core.reports.tables import format_table
from tli_core.training.loop import train_adapter
from tli_core.training.presets import PRESETS
from tli_core.training.run import TrainedAdapter

PAIRS = 229
"""Pairs trained on, in every language, so that languages can be compared: as many as the French list has."""

RUNS = {**PRESETS, "shuffled": replace(PRESETS["corrected"], shuffled=True)}
BASE = "none"
HEADINGS = ("languages", "preset", "seeds", "right", "wrong", "P@1", "beyond spelling", "best layer, other half",
            "in sentences", "over a linear map", "perplexity", "verdicts")  # fmt: skip


def figures(result: LayerAlignment, framed: LayerAlignment, perplexity: Sequence[float]) -> dict[str, Any]:
    """What a table tells of one model on the held-out words."""
    found, plain = [result.retrieval[way].hit[-1] for way in DIRECTIONS], ~result.look_alike
    return {
        "right": float(result.matched[-1]),
        "wrong": float(result.mismatched[-1]),
        "P@1": [float(hit.mean()) for hit in found],
        "beyond spelling": [float(hit[plain].mean()) for hit in found],
        "best layer, other half": reading("held out", result).p_at_1,
        "in sentences": [float(framed.retrieval[way].hit[-1].mean()) for way in DIRECTIONS],
        "perplexity": list(perplexity),
    }


def run_all(loaded: LoadedModel, languages: str, seeds: int, results: Path) -> Iterator[dict[str, Any]]:
    """The base, and every preset from every seed, on one pair of languages; each is written down as it ends."""
    pairs, control = spread(shipped("train", languages), PAIRS), shipped("control", languages)
    lens, in_sentences = Lens(languages), Lens(languages, IN_CONTEXT)

    def measured(adapter: str | None) -> tuple[LayerAlignment, LayerAlignment, tuple[float, float]]:
        with loaded.using(adapter) as model:
            health = check_health(model, loaded.tokenizer, languages)
        alone, framed = (measure(loaded, control, adapter, of) for of in (lens, in_sentences))
        return alone, framed, (health.source, health.target)

    base = measured(None)
    linear = map_base(loaded, pairs, control, loaded.blocks, lens)
    assert linear is not None, "there are enough pairs for a map"
    of_map = [float((linear.retrieval[way].rank[0] == 1).mean()) for way in DIRECTIONS]
    yield {"languages": languages, "preset": BASE, "n": len(control), **figures(*base), "linear map": of_map}
    for preset, config in RUNS.items():
        for seed in range(seeds):
            path = results / f"{languages}-{preset}-{seed}.json"
            if path.exists():
                yield json.loads(path.read_text(encoding="utf-8"))
                continue
            *_, trained = train_adapter(loaded, pairs, replace(config, seed=seed), languages=languages)
            assert isinstance(trained, TrainedAdapter), "a run ends with its adapter"
            with tempfile.TemporaryDirectory() as folder:
                adapter = loaded.add_adapter(save_adapter(trained, Path(folder), "trained")).key
                after = measured(adapter)
                loaded.drop(adapter)
            found = {
                "languages": languages,
                "preset": preset,
                "seed": seed,
                "n": len(control),
                "seconds": trained.record["seconds"],
                **figures(*after),
                "verdict": change(base[0], after[0], loaded.blocks).verdict,
                "verdict in sentences": change(base[1], after[1], loaded.blocks).verdict,
                "over a linear map": list(beyond_map(linear.retrieval, after[0], loaded.blocks).values()),
            }
            path.write_text(json.dumps(found, indent=1), encoding="utf-8")
            print(f"{path.stem}: P@1 {found['P@1']}, {found['verdict']}", file=sys.stderr, flush=True)
            yield found


def table(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row a language and preset: mean ± standard deviation over its seeds."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    for languages, preset in dict.fromkeys((run["languages"], run["preset"]) for run in runs):
        of = [run for run in runs if (run["languages"], run["preset"]) == (languages, preset)]

        def cell(name: str, of: Sequence[Mapping[str, Any]] = of) -> str:
            values = np.array([np.atleast_1d(run[name]) for run in of], dtype=float)  # (seeds, 1 or 2)
            digits = 0 if name == "perplexity" else 3
            if len(of) == 1:
                return ", ".join(f"{value:.{digits}f}" for value in values[0])
            both = zip(values.mean(axis=0), values.std(axis=0, ddof=1), strict=True)
            return ", ".join(f"{mean:.{digits}f} ± {deviation:.{digits}f}" for mean, deviation in both)

        if preset == BASE:
            over, said = "map alone: " + ", ".join(f"{share:.3f}" for share in of[0]["linear map"]), ""
        else:
            over = ", ".join(
                f"{np.mean([run['over a linear map'][way][0] for run in of]):+.3f} "
                f"(p {min(run['over a linear map'][way][1] for run in of):.2g} to "
                f"{max(run['over a linear map'][way][1] for run in of):.2g})"
                for way in (0, 1)
            )
            verdicts = [run["verdict"] for run in of]
            said = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
        columns = (cell(name) for name in HEADINGS[3:9])
        rows.append((languages, preset, str(len(of)), *columns, over, cell("perplexity"), said))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model's folder")
    parser.add_argument("results", type=Path, help="a folder for the runs' figures")
    parser.add_argument("--languages", nargs="+", default=["fr-en", "sw-en"], metavar="CODES")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    loaded = load_model(str(arguments.model), Placement(arguments.device))
    runs = [run for of in arguments.languages for run in run_all(loaded, of, arguments.seeds, arguments.results)]
    print(format_table(table(runs)))


if __name__ == "__main__":
    main()
