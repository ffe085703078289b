"""Word lists of the languages that Lugha-Llama read, with English: what both call an emoji, by CLDR (Unicode-3.0).

    python recipes/names_of_emoji.py CLDR

CLDR is a folder with a language's annotations as xx.json (the package cldr-annotations-full). Only names of one word
are taken, and a word that names several emoji only once. They are names of emoji: mostly nouns, some of them odd, and
often loans. So look at what is found beyond spelling, and know that letters of two scripts never look alike.
"""

import argparse
import csv
import json
import random
import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tli_core.lists.language_pair import FOLDER
from tli_core.lists.leaks import leaks_of
from tli_core.lists.pairs import WordPair, normalise

LANGUAGES = ("af", "am", "ar", "fr", "ha", "ig", "om", "pt", "rw", "so", "ti", "xh", "yo", "zu")
LONG = 350
"""A list of so many pairs gives up more of them to be held out."""


def names(path: Path) -> dict[str, str]:
    """What a language calls each emoji, where that is one word of at least two letters."""
    found = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
    first = {emoji: normalise(said["tts"][0]) for emoji, said in found.items() if said.get("tts")}
    return {emoji: word for emoji, word in first.items() if len(word) >= 2 and all(map(_is_letter, word))}


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def pairs(source: dict[str, str], target: dict[str, str]) -> list[WordPair]:
    """The words for the same emoji, each word of either language once."""
    seen: set[tuple[str, str]] = set()
    found = []
    for emoji, word in source.items():
        other = target.get(emoji)
        sides = {("source", word), ("target", other or "")}
        if other and not sides & seen:
            seen |= sides
            found.append(WordPair(word, other))
    return found


def splits(found: list[WordPair], languages: str) -> dict[str, list[WordPair]]:
    """Each pair with its split, at random: control and reference pool, and the rest to train on.

    A pair that holds another form of a held-out word is left out.
    """
    control, pool = (150, 100) if len(found) >= LONG else (100, 60)
    mixed = random.Random(0).sample(found, len(found))
    of = {"control": mixed[:control], "pool": mixed[control : control + pool], "train": mixed[control + pool :]}
    for split, held_out in (("pool", of["control"]), ("train", of["control"] + of["pool"])):
        leaking = {index for index, _ in leaks_of(held_out, of[split], languages)}
        of[split] = [pair for index, pair in enumerate(of[split]) if index not in leaking]
    return of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cldr", type=Path, help="the folder with xx.json of every language")
    folder = parser.parse_args().cldr
    english = names(folder / "en.json")
    for code in LANGUAGES:
        of = splits(pairs(names(folder / f"{code}.json"), english), f"{code}-en")
        into = FOLDER / f"{code}-en" / "lexicon.csv"
        into.parent.mkdir(exist_ok=True)
        with into.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("source", "target", "pos", "topic", "glosses", "split"))
            writer.writerows((*pair[:2], "", "", "", split) for split, listed in of.items() for pair in listed)
        print(f"{code}-en: {', '.join(f'{len(found)} {split}' for split, found in of.items())} pairs")


if __name__ == "__main__":
    main()
