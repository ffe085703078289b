"""Prompts with a place for a word, filled in literally."""

import re
from dataclasses import dataclass

MAX_NEW_TOKENS = 256
"""The most that a model is asked to write at once."""


def one_line(prompt: str) -> str:
    """A prompt on one line, its new lines shown."""
    return prompt.replace("\n", " ⏎ ")


@dataclass(frozen=True)
class Template:
    """A prompt with a place for the pair's source or target side, and what it is meant to show.

    takes is the kind of word that its sentence has a place for: a `noun`, a `verb`, or `any`.
    """

    name: str
    text: str
    shows: str
    takes: str = "any"

    def fill(self, source: str, target: str) -> str:
        """The prompt for one pair, taken literally: braces in a word stay braces."""
        sides = {"{source}": source, "{target}": target}
        return re.sub(r"\{(?:source|target)\}", lambda place: sides[place.group()], self.text)
