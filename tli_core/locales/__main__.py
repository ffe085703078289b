"""Bring every catalogue up to date with the code, and say what is left to translate.

    python -m tli_core.locales

New texts come in empty, changed ones are marked fuzzy with their old translation, and those that are gone are removed.
"""

import sys
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from tli_core.i18n import ENGLISH, LANGUAGES, catalogue_path
from tli_core.locales.extract import template


def unfinished(catalogue: Catalog) -> list[str]:
    """The texts that have no translation, or one that nobody has looked at since the English changed."""
    return [str(entry.id) for entry in catalogue if entry.id and (entry.fuzzy or not _whole(entry.string))]


def _whole(string: Any) -> bool:
    """Whether a translation, or each of its forms, is there."""
    return all(string) if isinstance(string, tuple) else bool(string)


def main() -> int:
    """Update every catalogue; 1 where a text is left to translate."""
    left = 0
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        path = catalogue_path(language)
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        catalogue.update(template())
        catalogue.obsolete.clear()
        catalogue.last_translator = catalogue.language_team = catalogue.project
        catalogue.msgid_bugs_address = ""
        with path.open("wb") as file:
            write_po(file, catalogue, width=120, sort_by_file=True, include_previous=True)
        for text in unfinished(catalogue):
            print(f"{language}: {text}")
            left += 1
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
