"""What adapters do for a list's words that the base itself translates, and for those that it does not.

    python recipes/words_known_or_not.py LIST

LIST is a file of pairs as docs/lists.md has it: the table of forms of WOLD, for one (Haspelmath & Tadmor 2009, CC BY
4.0), with its tables of concepts and languages in the same folder. Words of the project's lexicon are left out: on
those base or adapter may have been trained.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from tli_core.lists.formats import import_file
from tli_core.lists.leaks import leaks_of
from tli_core.lists.lexicon import lexicon
from tli_core.lists.pairs import WordPair
from tli_core.measures.before_after import evaluate
from tli_core.measures.effects import effects_by_knowledge
from tli_core.measures.generation import word_translation
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.registry import find_adapter
from tli_core.reports.tables import format_table

ADAPTERS = ("mini-corrected", "mini-gentle", "mini-shuffled")


def knowledge_rows(loaded: LoadedModel, words: Sequence[WordPair], name: str) -> list[tuple[str, str]]:
    """Of words that the base translates to English and of those that it does not: how many, and what changed."""
    with loaded.using(None) as model:
        right = word_translation(model, loaded.tokenizer, words).right
    found = evaluate(loaded, "words", words, loaded.add_adapter(find_adapter(name)).key)
    rows = []
    for part in effects_by_knowledge(found.before, found.after, found.layer, right):
        if part.way != "to_target":
            continue
        own = right[part.way] == part.known
        was, now = (result.retrieval[part.way].hit[found.layer, own].mean() for result in (found.before, found.after))
        low, high = part.ci95
        sure = f"({low:+.3f} to {high:+.3f})" if np.isfinite(low) else "(too few for an interval)"
        what = "translates to English" if part.known else "does not translate"
        moved = f"mean reciprocal rank {part.after - part.before:+.3f} {sure}, p {part.p:.2g}"
        rows.append((f"{part.n} of {len(words)} that the base {what}, {name}", f"P@1 {was:.3f} → {now:.3f}, {moved}"))
    return rows


def main() -> None:
    """Measure every adapter, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    read = import_file(parser.parse_args().list)
    if read.problem:
        raise SystemExit(read.problem)
    listed = read.listed.pairs
    ours = {number for number, _ in leaks_of([entry.pair for entry in lexicon()], listed)}
    words = [pair for number, pair in enumerate(listed) if number not in ours]
    print(f"{len(listed)} pairs, {len(words)} of them with no word that the lexicon has in any form", file=sys.stderr)
    loaded = load_model("lugha-mini")
    rows = [row for name in ADAPTERS for row in knowledge_rows(loaded, words, name)]
    print(format_table([("words", "to English, at the output"), *rows]))


if __name__ == "__main__":
    main()
