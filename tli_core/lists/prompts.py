"""Prompts that ask a base model for a translation, and the six kinds of probe that the published work uses."""

import re
from dataclasses import dataclass

MAX_NEW_TOKENS = 256
"""The most that a model is asked to write at once."""

TO_ENGLISH = "Swahili: {swahili}\nEnglish:"
TO_SWAHILI = "English: {english}\nSwahili:"


@dataclass(frozen=True)
class Template:
    """A prompt with a place for the pair's Swahili or English side, and what it is meant to show.

    takes is the kind of word that its sentence has a place for: a `noun`, a `verb`, or `any`.
    """

    name: str
    text: str
    shows: str
    takes: str = "any"

    def fill(self, swahili: str, english: str) -> str:
        """The prompt for one pair, taken literally: braces in a word stay braces."""
        sides = {"{swahili}": swahili, "{english}": english}
        return re.sub(r"\{(?:swahili|english)\}", lambda place: sides[place.group()], self.text)


TRANSLATIONS = (
    Template("Translate to English", TO_ENGLISH, "a translation in the format the bundled model was trained on"),
    Template("Translate to Swahili", TO_SWAHILI, "a translation in the format the bundled model was trained on"),
)

# The kinds are those of the published qualitative probe (arXiv 2506.15415); the wording is our own.
PROBES = (
    Template("Probe: Swahili to English", "The English word for '{swahili}' is '", "direct translation"),
    Template("Probe: English to Swahili", "The Swahili word for '{english}' is '", "reverse translation"),
    Template(
        "Probe: noun in mixed speech",
        "Jana nilinunua {swahili} sokoni. In English we call it",
        "whether a Swahili noun is understood in a sentence that changes language",
        takes="noun",
    ),
    Template(
        "Probe: verb or adjective in mixed speech",
        "My friend likes {swahili}. In other words, my friend likes",
        "whether a Swahili verb or adjective is understood inside English",
        takes="verb",
    ),
    Template("Probe: definition", "Neno: {swahili}\nMaana kwa Kiingereza:", "a definition asked for in Swahili"),
    Template(
        "Probe: carry on in English",
        "Nilipofika nyumbani nilimkuta rafiki yangu. When I got home, my friend",
        "whether English goes on from a Swahili beginning; the same for every pair",
    ),
)

TEMPLATES = (*TRANSLATIONS, *PROBES)
