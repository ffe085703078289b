"""Pairs of words for any two languages: what both call an emoji, by CLDR's annotations (Unicode-3.0).

    python recipes/names_of_emoji.py CLDR/fr.json CLDR/en.json fr-en.csv

Only names of one word are taken, and of those that are said twice the first. They are names of emoji: mostly nouns,
some of them odd, and often loans, so look at what is found beyond spelling.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.lists.pairs import normalise


def names(path: Path) -> dict[str, str]:
    """What a language calls each emoji, where that is one word of at least three letters."""
    found = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
    first = {emoji: said["tts"][0].lower() for emoji, said in found.items() if said.get("tts")}
    return {emoji: word for emoji, word in first.items() if word.isalpha() and len(word) >= 3}


def pairs(source: dict[str, str], target: dict[str, str]) -> list[tuple[str, str]]:
    """The words for the same emoji, each word once."""
    seen: set[tuple[str, str]] = set()
    found = []
    for emoji, word in source.items():
        other = target.get(emoji)
        sides = {("source", normalise(word)), ("target", normalise(other or ""))}
        if other and not sides & seen:
            seen |= sides
            found.append((word, other))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="CLDR annotations of the source language")
    parser.add_argument("target", type=Path, help="those of the target language")
    parser.add_argument("out", type=Path, help="the CSV to write")
    parser.add_argument("--most", type=int, default=150, help="pairs to write at most")
    arguments = parser.parse_args()
    found = pairs(names(arguments.source), names(arguments.target))[: arguments.most]
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("source", "target"), *found])
    print(f"{len(found)} pairs in {arguments.out}")


if __name__ == "__main__":
    main()
