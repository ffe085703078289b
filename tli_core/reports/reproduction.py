"""A reproduction of arXiv 2506.15415 as tables, sentences and JSON: what it reports, what comes out here, the controls.

All of it is English, as a report is kept for others to read.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tli_core.i18n import ENGLISH, in_language
from tli_core.measures.before_after import Evaluation
from tli_core.models.layers import layer_words
from tli_core.reports.json_csv import SCHEMA, alignment_json, evaluation_summary, write_json
from tli_core.reports.messages import change_sentence, projection_sentence
from tli_core.reports.notices import worded
from tli_core.reports.tables import either, how_read, p_value
from tli_core.reports.training_messages import pilot_sentence
from tli_core.studies import published
from tli_core.studies.published import PublishedResult
from tli_core.studies.reproduction import AT_LAYER, AT_OUTPUT, CORRECTED, PUBLISHED, Reproduction, StudyRun

LISTS = ((0, "Table 1, trained list", published.TRAINED), (1, "Table 2, control list", published.CONTROL))
"""Of each list its number in an evaluation, its name here, and what was published."""

OTHER_WAYS = (
    "LoRA sits on the blocks that the loss can reach and not on all of them: the others get no gradient, so the "
    "adapter is the same.",
    "The pilot reads all words of a layer in one pass, with wrong pairs and without BOS beside it. It also has the "
    "output, which was not measured.",
    "The published loss reads words with BOS, but its tables read them without: so do tables 1 and 2 at the layer of "
    "the loss. At the output, which was not measured, words are read after a space.",
    "The published base was in 4 bits (NF4); this one is as it was loaded.",
)
"""Where this study does not do what was published."""


def pilot_rows(found: Reproduction) -> list[tuple[str, ...]]:
    """The pilot at every layer: published, here, and what it leaves out; a heading row first."""
    bos, words = found.pilot.with_bos, found.pilot.words
    read = how_read(words.provenance)
    languages = [language.name for language in words.languages.answers.values()]
    rows: list[tuple[str, ...]] = [
        (
            "layer", published.PAPER, "right pairs, with BOS", "wrong pairs, with BOS", "BOS's share",
            f"right pairs, {read}", f"wrong pairs, {read}", *(f"P@1 → {language}, {read}" for language in languages),
            *(["differs by"] if found.same_model else []),
        )
    ]  # fmt: skip
    for layer, name in enumerate(bos.names):
        known = published.PILOT[layer] if name != "output" and layer < len(published.PILOT) else None
        differs = "–" if known is None else f"{bos.matched[layer] - known:+.5f}"
        rows.append(
            (
                f"{name} (picked)" if layer == found.pilot.layer else name,
                "–" if known is None else f"{known:.5f}",
                f"{bos.matched[layer]:.5f}",
                f"{bos.mismatched[layer]:.5f}",
                f"{100 * bos.prefix_share[layer]:.1f} %",
                f"{words.matched[layer]:.4f}",
                f"{words.mismatched[layer]:.4f}",
                *(f"{way.p_at_1[layer]:.3f}" for way in words.retrieval.values()),
                *([differs] if found.same_model else []),
            )
        )
    return rows


def result_tables(found: Reproduction) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Each list at each place, with its title: a heading row, the published row, one row for each fine-tune."""
    tables = []
    for number, title, known in LISTS:
        for place in (AT_LAYER, AT_OUTPUT):
            item = found.runs[0].evaluations[place][number]
            read = f"{layer_words(item.before.names[item.layer])}, {how_read(item.before.provenance)}"
            rows = _result_rows(found, number, place, known if place == AT_LAYER else None)
            chance = f"P@1 by chance {either(item.before.chance, '.3f')}"
            tables.append((f"{title}, {item.test.n} pairs: {read}; {chance}", rows))
    return tables


def _result_rows(found: Reproduction, number: int, place: str, known: PublishedResult | None) -> list[tuple[str, ...]]:
    languages = [language.name for language in found.pilot.words.languages.answers.values()]
    rows: list[tuple[str, ...]] = [
        (
            "fine-tune", "right pairs", "wrong pairs", *(f"P@1 → {language}" for language in languages), "verdict",
            "right pairs' change", "paired t", *(["differs by"] if found.same_model else []),
        )
    ]  # fmt: skip
    if known is not None:
        name = f"{published.PAPER}, layer {published.PILOT_LAYER}, {known.pairs} pairs"
        matched, nothing = f"{known.before:.4f} → {known.after:.4f}", ["not measured"] * (len(languages) + 2)
        of_test = (f"{known.percent:+.1f} %", f"p < {known.p:.2e}")
        rows.append((name, matched, *nothing, *of_test, *([""] if found.same_model else [])))
    for run in found.runs:
        row = _result_row(run.name, run.evaluations[place][number])
        if found.same_model:
            row += (_differs(run.evaluations[place][number], known) if run.name == PUBLISHED else "",)
        rows.append(row)
    return rows


def _differs(item: Evaluation, known: PublishedResult | None) -> str:
    if known is None:
        return ""
    test = item.test
    before, after = test.before - known.before, test.after - known.after
    return f"{before:+.4f} → {after:+.4f}, {test.percent - known.percent:+.1f} points"


def _result_row(name: str, item: Evaluation) -> tuple[str, ...]:
    test, layer = item.test, item.layer
    return (
        name,
        f"{test.before:.4f} → {test.after:.4f}",
        f"{item.before.mismatched[layer]:.4f} → {item.after.mismatched[layer]:.4f}",
        *(
            f"{before.p_at_1[layer]:.3f} → {after.p_at_1[layer]:.3f}"
            for before, after in zip(item.before.retrieval.values(), item.after.retrieval.values(), strict=True)
        ),
        item.change.verdict,
        f"{test.percent:+.1f} %",
        f"p {p_value(test.p_t)}",
    )


@in_language(ENGLISH)
def sentences(found: Reproduction) -> list[str]:
    """What the study says of the control list, the most important first; of the runs that there are so far."""
    by_name = {run.name: run for run in found.runs}
    told = [comparable_sentence(found), pilot_sentence(found.pilot)]
    for name, place in (
        (PUBLISHED, AT_LAYER),
        (f"{PUBLISHED}-shuffled", AT_LAYER),
        (PUBLISHED, AT_OUTPUT),
        (CORRECTED, AT_OUTPUT),
        (f"{CORRECTED}-shuffled", AT_OUTPUT),
    ):
        if name in by_name:
            told.append(f"{name}: {change_sentence(by_name[name].evaluations[place][1])}")
    return told


@in_language(ENGLISH)
def warning_sentences(found: Reproduction) -> list[str]:
    """What is wrong with the lists or the model, in words."""
    return list(dict.fromkeys(map(worded, found.warnings)))


def comparable_sentence(found: Reproduction) -> str:
    """Whether figures can be held against the published ones."""
    provenance = found.pilot.words.provenance
    other = []
    if not found.same_model:
        other.append(f"the model is {provenance.model} and not {published.MODEL}")
    if not found.same_lists:
        other.append("the word lists are not the published ones")
    if other:
        return (
            f"Do not compare these figures with those of {published.PAPER}: {', and '.join(other)}. What does compare "
            "is what each way of measuring shows, and what its control does."
        )
    return (
        f"Model and word lists are those of {published.PAPER}, so figures compare. Its weights were in 4 bits and are "
        f"in {provenance.dtype} here, and it set no seed: small differences mean nothing."
    )


@in_language(ENGLISH)
def space_sentences(found: Reproduction) -> list[str]:
    """What the full space says beside each picture."""
    return [projection_sentence(projection, labels) for labels, projection in found.spaces.values()]


@in_language(ENGLISH)
def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """Every number of the study, with the published ones."""
    return {
        "schema": SCHEMA,
        "published": {
            "paper": published.PAPER,
            "source": published.SOURCE,
            "pilot": list(published.PILOT),
            "lists": {
                name: asdict(of)
                for name, of in (("trained", published.TRAINED), ("control", published.CONTROL))
            },
        },
        "same_model": found.same_model,
        "same_lists": found.same_lists,
        "pilot": {
            "layer": found.pilot.layer,
            "with_bos": alignment_json(found.pilot.with_bos),
            "words": alignment_json(found.pilot.words),
        },
        "runs": {run.name: _run_json(run) for run in found.runs},
        "probes": {
            name: [
                {"kind": a.kind, "source": a.pair.source, "target": a.pair.target, "prompt": a.prompt,
                 "base": a.base, "adapted": a.adapted}
                for a in answers
            ]
            for name, answers in found.probes.items()
        },
        "spaces": {
            place: {
                "layer": projection.layer_name,
                "partners_nearest": dict(zip(labels, projection.partners_nearest.tolist(), strict=True)),
                "sentence": told,
            }
            for (place, (labels, projection)), told in zip(found.spaces.items(), space_sentences(found), strict=True)
        },
        "sentences": sentences(found),
        "warnings": warning_sentences(found),
        "provenance": found.pilot.words.provenance.as_dict(),
    }  # fmt: skip


def write_numbers(found: Reproduction, folder: Path) -> None:
    """Write reproduction.json into a folder, in place of one that is there."""
    write_json(reproduction_json(found), folder / "reproduction.json")


def _run_json(run: StudyRun) -> dict[str, Any]:
    def at(place: str) -> Mapping[str, Any]:
        return {
            item.name: {"layer": item.layer, "readout": item.before.provenance.readout, **evaluation_summary(item)}
            for item in run.evaluations[place]
        }

    return {"record": run.record, AT_LAYER: at(AT_LAYER), AT_OUTPUT: at(AT_OUTPUT)}
