"""A reproduction of arXiv 2506.15415 as tables, sentences and JSON: what it reports, what comes out here, the controls.

All of it is English, as a report is kept for others to read.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tli_core.i18n import ENGLISH, in_language
from tli_core.models.layers import layer_words
from tli_core.reports.json_csv import SCHEMA, alignment_json, evaluation_summary
from tli_core.reports.messages import change_sentence, projection_sentence
from tli_core.reports.tables import how_read, p_value
from tli_core.reports.training_messages import pilot_sentence
from tli_core.studies import published
from tli_core.studies.published import PublishedResult
from tli_core.studies.reproduction import AT_LAYER, AT_OUTPUT, CORRECTED, PUBLISHED, Reproduction, StudyRun

LISTS = ((0, "Table 1, trained list", published.TRAINED), (1, "Table 2, control list", published.CONTROL))
"""Of each list its number in an evaluation, its name here, and what was published."""

NOT_THE_SAME = (
    "LoRA sits on the blocks that the loss can reach and not on all of them: the others get no gradient, so the "
    "adapter is the same.",
    "The pilot reads all words of a layer in one pass, with wrong pairs and without BOS beside it. It also has the "
    "output, which was not measured.",
    "Cosines after a fine-tune are read without BOS, as published, while its loss reads them with BOS.",
    "The base is not in 4 bits (NF4) unless it was loaded so.",
)
"""Where this study goes another way than the published one, or where that one goes another way than it says."""


def pilot_rows(found: Reproduction) -> list[tuple[str, ...]]:
    """The pilot at every layer: published, here, and what it leaves out; a heading row first."""
    bos, words = found.pilot.with_bos, found.pilot.words
    rows = [
        (
            "layer", "published", "right pairs, with BOS", "wrong pairs, with BOS", "BOS's share",
            "right pairs, without BOS", "wrong pairs, without BOS", "P@1 without BOS", "differs by",
        )
    ]  # fmt: skip
    p_at_1 = words.retrieval["to_target"].p_at_1
    for layer, name in enumerate(bos.names):
        known = published.PILOT[layer] if name != "output" and layer < len(published.PILOT) else None
        rows.append(
            (
                f"{name} (picked)" if layer == found.pilot.layer else name,
                "–" if known is None else f"{known:.5f}",
                f"{bos.matched[layer]:.5f}",
                f"{bos.mismatched[layer]:.5f}",
                f"{100 * bos.prefix_share[layer]:.1f} %",
                f"{words.matched[layer]:.4f}",
                f"{words.mismatched[layer]:.4f}",
                f"{p_at_1[layer]:.3f}",
                "–" if known is None else f"{bos.matched[layer] - known:+.5f}",
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
            as_published = ", as published" if place == AT_LAYER else ""
            rows = _result_rows(found, number, place, known if place == AT_LAYER else None)
            tables.append((f"{title}, {item.test.n} pairs: {read}{as_published}", rows))
    return tables


def _result_rows(found: Reproduction, number: int, place: str, known: PublishedResult | None) -> list[tuple[str, ...]]:
    languages = [language.name for language in found.pilot.words.languages.answers.values()]
    rows: list[tuple[str, ...]] = [
        (
            "fine-tune", "right pairs", "wrong pairs", *(f"P@1 → {language}" for language in languages), "verdict",
            "right pairs' change", "paired t", "differs from the published by",
        )
    ]  # fmt: skip
    if known is not None:
        nothing = "not measured"
        rows.append(
            (
                f"{published.PAPER}, {known.pairs} pairs", f"{known.before:.4f} → {known.after:.4f}", nothing,
                *(nothing for _ in languages), nothing, f"{known.percent:+.1f} %", f"p < {known.p:.2e}", "",
            )
        )  # fmt: skip
    for run in found.runs:
        rows.append(_result_row(run, number, place, known if run.name == PUBLISHED else None))
    return rows


def _result_row(run: StudyRun, number: int, place: str, known: PublishedResult | None) -> tuple[str, ...]:
    item = run.evaluations[place][number]
    test, layer, differs = item.test, item.layer, ""
    if known is not None:
        differs = f"{test.before - known.before:+.4f} → {test.after - known.after:+.4f}, "
        differs += f"{test.percent - known.percent:+.1f} points"
    return (
        run.name,
        f"{test.before:.4f} → {test.after:.4f}",
        f"{item.before.mismatched[layer]:.4f} → {item.after.mismatched[layer]:.4f}",
        *(
            f"{before.p_at_1[layer]:.3f} → {after.p_at_1[layer]:.3f}"
            for before, after in zip(item.before.retrieval.values(), item.after.retrieval.values(), strict=True)
        ),
        item.change.verdict,
        f"{test.percent:+.1f} %",
        f"p {p_value(test.p_t)}",
        differs,
    )


@in_language(ENGLISH)
def sentences(found: Reproduction) -> list[str]:
    """What the study says, the most important first."""
    by_name = {run.name: run for run in found.runs}
    told = [comparable_sentence(found), pilot_sentence(found.pilot)]
    for name, place in (
        (PUBLISHED, AT_LAYER),
        (f"{PUBLISHED}-shuffled", AT_LAYER),
        (PUBLISHED, AT_OUTPUT),
        (CORRECTED, AT_OUTPUT),
        (f"{CORRECTED}-shuffled", AT_OUTPUT),
    ):
        told.append(f"{name}: {change_sentence(by_name[name].evaluations[place][1])}")
    return told


def comparable_sentence(found: Reproduction) -> str:
    """Whether figures can be held against the published ones."""
    model = found.pilot.words.provenance.model
    other = []
    if not found.same_model:
        other.append(f"the model is {model}, not {published.MODEL}")
    if not found.same_lists:
        other.append("the word lists are not the published ones")
    if not other:
        return f"Model and word lists are those of {published.PAPER}: figures can be held against each other."
    return (
        f"Figures cannot be held against those of {published.PAPER}, as {' and '.join(other)}; what differs may be "
        "that alone. What can be compared is what each way of measuring shows, and what its control does."
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
        "sentences": sentences(found),
        "provenance": found.pilot.words.provenance.as_dict(),
    }  # fmt: skip


def _run_json(run: StudyRun) -> dict[str, Any]:
    def at(place: str) -> Mapping[str, Any]:
        return {
            item.name: {"layer": item.layer, "readout": item.before.provenance.readout, **evaluation_summary(item)}
            for item in run.evaluations[place]
        }

    return {"record": run.record, AT_LAYER: at(AT_LAYER), AT_OUTPUT: at(AT_OUTPUT)}
