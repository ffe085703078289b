"""A lens: how words are turned into the vectors that are compared. Light, so that a page opens before PyTorch."""

from dataclasses import dataclass

from tli_core.encoding.readouts import DEFAULT_READOUT, readout
from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import DEFAULT, LanguagePair, language_pair

VIEWS = {
    "raw": N_("as they are"),
    "centred": N_("centred"),
    "standardised": N_("standardised"),
    "without_top": N_("without the top components"),
}
"""What is done to the vectors of a language before they are compared; `views.viewed` does it."""


@dataclass(frozen=True)
class Lens:
    """How words become vectors: of which two languages they are, which readout reads them, and in which view.

    Raises:
        ValueError: there is no such readout, view or pair of languages.
    """

    languages: str = DEFAULT
    readout: str = DEFAULT_READOUT
    view: str = "raw"

    def __post_init__(self) -> None:
        language_pair(self.languages)
        readout(self.readout)
        if self.view not in VIEWS:
            text = N_("There is no view {view!r}: choose one of {choices}.")
            raise ValueError(translate(text, view=str(self.view)[:40], choices=", ".join(VIEWS)))

    @property
    def pair(self) -> LanguagePair:
        """What is known of the two languages."""
        return language_pair(self.languages)


LENS = Lens()
"""Swahili and English, read as everywhere else in this project unless it is said."""
