"""How many tokens words share that begin alike: what a prefix tree saves in a scan of the lexicon, and in batches.

    python benchmarks/shared_tokens.py TOKENIZER    a folder with a tokenizer, or the name of a model

Counted beyond BOS, which is shared in both, with the space in front that words have by default. A scan shares all of
it. A training batch does not: words that shared a token would share its dropout, too.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.encoding.readouts import READOUTS
from tli_core.encoding.tokens import encode_in
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.models.registry import resolve
from tli_core.reports.tables import format_table

BATCHES = (8, 32, 128)
EPOCHS = 5


def counts(groups: Sequence[Sequence[tuple[int, ...]]]) -> tuple[int, int]:
    """Tokens of words, and nodes of their prefix trees, one tree a group."""
    tokens = sum(len(ids) for group in groups for ids in group)
    nodes = sum(len({ids[:end] for ids in group for end in range(1, len(ids) + 1)}) for group in groups)
    return tokens, nodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(resolve(parser.parse_args().tokenizer))
    pairs, train = [entry.pair for entry in lexicon()], list(shipped("train"))
    words = sorted({word for pair in pairs for word in pair[:2]})
    encoded = encode_in(tokenizer, words, READOUTS["spaced"])
    own = {
        word: tuple(i for i, special in zip(one.ids, one.special, strict=True) if not special)
        for word, one in zip(words, encoded, strict=True)
    }
    found = [("the lexicon, scanned", *counts([list(own.values())]))]
    drawn = random.Random(0)
    for size in BATCHES:
        batches = []
        for _ in range(EPOCHS):
            drawn.shuffle(train)
            batches += [train[i : i + size] for i in range(0, len(train) - size + 1, size)]
        of_words = [[own[word] for pair in batch for word in pair[:2]] for batch in batches]
        found.append((f"batches of {size} pairs", *counts(of_words)))
    rows = [[what, f"{tokens:,}", f"{nodes:,}", f"{1 - nodes / tokens:.1%}"] for what, tokens, nodes in found]
    print(format_table([["words of", "tokens", "nodes", "saved"], *rows]))


if __name__ == "__main__":
    main()
