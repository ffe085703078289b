"""Measure lugha-mini and its bundled adapters, print the table, and write it into the model card.

The adapters' own cards are written anew, too.

    python recipes/measure_lugha_mini.py DATA

DATA is the training folder, for parallel_dev.tsv.
"""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.corpus import read_sentences, read_words
from recipes.train_lugha_mini import dev_losses
from recipes.words_known_or_not import knowledge_rows
from tli_core.encoding.lens import Lens
from tli_core.encoding.readouts import IN_CONTEXT
from tli_core.lists.formats import MAX_WORD_LENGTH
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.lists.pairs import WordPair, normalise
from tli_core.measures.before_after import Evaluation, evaluate, evaluate_lists
from tli_core.measures.generation import word_translation
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.registry import KNOWN_MODELS, find_adapter
from tli_core.reports.model_card import write_card
from tli_core.reports.tables import format_table

CARD = Path(KNOWN_MODELS["lugha-mini"]) / "README.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def rows(data: Path, device: str) -> list[tuple[str, str, str]]:
    """What is measured, the figure, and the bar it is held to."""
    loaded, control = load_model("lugha-mini", Placement(device)), shipped("control")
    with loaded.using(None) as model:
        losses = dev_losses(model, loaded.tokenizer, read_sentences(data / "parallel_dev.tsv"))
        words = word_translation(model, loaded.tokenizer, control)
        unseen = word_translation(model, loaded.tokenizer, shipped("reserved"))
    forms = ", ".join(f"{name} {loss:.2f}" for name, loss in losses.items() if name != "all")
    table = [
        (f"dev loss, nats per token ({forms})", f"{losses['all']:.3f}", "≤ 3.65"),
        (
            f"greedy word translation, {len(control)} control words (to English {words.to_target:.3f}, "
            f"to Swahili {words.to_source:.3f})",
            f"{words.mean:.3f}",
            "≥ 0.85",
        ),
        ("the same on words that no training saw", f"{unseen.mean:.3f}", "–"),
    ]
    runs, others = {}, []
    for name in ("corrected", "gentle", "shuffled", "published"):
        adapter = loaded.add_adapter(find_adapter(f"mini-{name}")).key
        runs[name] = {layer: evaluate(loaded, "control", control, adapter, layer) for layer in ("output", 2)}
        reserved = evaluate(loaded, "reserved", shipped("reserved"), adapter)
        figure = f"{_p_at_1(reserved, 'before'):.3f} → {_p_at_1(reserved, 'after'):.3f}: {reserved.change.verdict}"
        others.append((f"P@1 at the output on the reserved words, mini-{name}", figure, "as measured"))
        with loaded.using(adapter) as model:
            answers = word_translation(model, loaded.tokenizer, control)
        figure = f"to English {answers.to_target:.3f}, to Swahili {answers.to_source:.3f}"
        others.append((f"greedy word translation of control words, mini-{name}", figure, "as measured"))
    base = _p_at_1(runs["corrected"]["output"], "before")
    pool = runs["corrected"]["output"].before.pool_size
    corrected, shuffled = (_p_at_1(runs[name]["output"], "after") for name in ("corrected", "shuffled"))
    gap = runs["corrected"]["output"].change
    table += [
        (f"P@1 at the output, Swahili to English, base, pool of {pool}", f"{base:.3f}", "≥ 0.30"),
        ("the same with mini-corrected", f"{corrected:.3f} ({corrected - base:+.3f})", "≥ 0.12 above base"),
        (
            "its gap between right and wrong pairs (95 % interval of the change)",
            f"{gap.gap:+.3f} ({gap.gap_ci95[0]:+.3f} to {gap.gap_ci95[1]:+.3f})",
            "wider",
        ),
        ("the same P@1 with mini-shuffled", f"{shuffled:.3f} ({shuffled - base:+.3f})", "below base"),
    ]
    for layer, place in ((2, "layer 2"), ("output", "the output")):
        item = runs["published"][layer]
        figure = (
            f"matched {item.test.before:.3f} → {item.test.after:.3f}, mismatched "
            f"{item.before.mismatched[item.layer]:.3f} → {item.after.mismatched[item.layer]:.3f}, "
            f"P@1 {_p_at_1(item, 'before'):.3f} → {_p_at_1(item, 'after'):.3f}: {item.change.verdict}"
        )
        table.append((f"mini-published on control pairs at {place}", figure, "as measured"))
    return table + others + elsewhere(loaded, data)


def elsewhere(loaded: LoadedModel, data: Path) -> list[tuple[str, str, str]]:
    """What mini-corrected does for words that are not the lexicon's, known to the base or not, and for sentences."""
    known = {normalise(word) for entry in lexicon() for word in (entry.pair.source, *entry.pair.accepted)}
    listed = read_words(data / "lexicon_wiktionary.tsv", known)
    words = list({normalise(pair.target): pair for pair in reversed(listed)}.values())
    words = list({normalise(pair.source): pair for pair in words}.values())
    words = spread([pair for pair in words if pair.target.isalpha() and pair.source.isalpha()])
    sentences = spread([
        WordPair(sentence.source, sentence.target)
        for sentence in read_sentences(data / "parallel_dev.tsv")
        if max(len(sentence.source), len(sentence.target)) <= MAX_WORD_LENGTH
    ])  # fmt: skip
    adapter = loaded.add_adapter(find_adapter("mini-corrected")).key
    table = [
        (f"words outside the lexicon: {label}", figure, "as measured")
        for label, figure in knowledge_rows(loaded, words, "mini-corrected")
    ]
    control = shipped("control")
    for name in ("mini-corrected", "mini-gentle"):
        key = loaded.add_adapter(find_adapter(name)).key
        framed = evaluate(loaded, "control", control, key, lens=Lens(readout=IN_CONTEXT))
        figure = f"{_p_at_1(framed, 'before'):.3f} → {_p_at_1(framed, 'after'):.3f}: {framed.change.verdict}"
        table.append(
            (f"P@1 to English of the {len(control)} control words in sentences, {name}", figure, "as measured")
        )
    read = evaluate(loaded, "sentences", sentences, adapter)
    figure = f"P@1 {_p_at_1(read, 'before'):.3f} → {_p_at_1(read, 'after'):.3f}: {read.change.verdict}"
    table.append((f"{len(sentences)} dev sentences, to English, mini-corrected", figure, "as measured"))
    return table


def spread(pairs: Sequence[WordPair], count: int = 400) -> tuple[WordPair, ...]:
    """So many pairs, at equal distances in the list; all of a shorter one."""
    count = min(count, len(pairs))
    return tuple(pairs[i * len(pairs) // count] for i in range(count))


def _p_at_1(item: Evaluation, when: str) -> float:
    return float(getattr(item, when).retrieval["to_target"].p_at_1[item.layer])


def write_adapter_cards(device: str) -> None:
    """Write the cards of the bundled adapters anew, with what today's code says of them."""
    loaded = load_model("lugha-mini", Placement(device))
    for name in ("corrected", "gentle", "published", "shuffled"):
        folder = find_adapter(f"mini-{name}")
        adapter = loaded.add_adapter(folder).key
        record = loaded.adapters[adapter].record
        lists = shipped("train"), shipped("control")
        evaluations = evaluate_lists(loaded, *lists, adapter, loaded.last_layer, record["config"]["seed"])
        write_card(Path(folder), record, evaluations)
        loaded.drop(adapter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the training text")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    print("Measuring; a few minutes on two CPU cores …", file=sys.stderr)
    table = rows(arguments.data, arguments.device)
    print(format_table([("measured", "figure", "bar"), *table]))

    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {platform.machine()}"
    lines = ["| measured | figure | bar |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in table)]
    made = f"Printed by `python recipes/measure_lugha_mini.py DATA` ({where}, torch {torch.__version__}, float32)."
    card = CARD.read_text(encoding="utf-8")
    write_adapter_cards(arguments.device)
    before, after = card[: card.index(BEGIN)], card[card.index(END) :]
    CARD.write_text(before + "\n".join([BEGIN, "", *lines, "", made, "", after]), encoding="utf-8")


if __name__ == "__main__":
    main()
