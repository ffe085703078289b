"""Find every text that people read: in the code, where it is marked, and in the data of the language pairs."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from tli_core.i18n import DOMAIN
from tli_core.lists.language_pair import DEFAULT, FOLDER, language_pair, language_pairs
from tli_core.lists.lexicon import lexicon

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS = {
    "translate": None,
    "N_": None,
    "translate_plural": (1, 2),
    # The row of a table.
    "add": (1,),
    # Gradio's label of a tab or an accordion, where it is not marked.
    "over": (1,),
}


def template() -> Catalog:
    """All texts of today, as a catalogue without translations."""
    found = Catalog(project="Lugha Lens", domain=DOMAIN)
    for package in ("tli_core", "ui"):
        options = {"encoding": "utf-8"}
        for file, line, text, comments, _ in extract_from_dir(
            ROOT / package, [("**.py", "python")], {"**.py": options}, KEYWORDS
        ):
            found.add(text, locations=[(f"{package}/{Path(file).as_posix()}", line)], auto_comments=comments)
    for text, place in texts_of_data():
        found.add(text, locations=[(place, 1)])
    return found


def texts_of_data() -> Iterator[tuple[str, str]]:
    """The texts of every language pair, each with its file: names, prompts, the page's, and the lexicon's topics."""
    for key in language_pairs():
        pair = language_pair(key)
        place = (FOLDER / key).relative_to(ROOT).as_posix()
        for name in pair.names:
            yield name, place
        for topic in sorted({entry.pair.topic for entry in lexicon(key)} - {""}):
            yield topic, place
    pair = language_pair()
    place = (FOLDER / DEFAULT).relative_to(ROOT).as_posix()
    prompts = (text for template in pair.templates for text in (template.name, template.shows))
    for text in (*prompts, pair.page.question, pair.page.pairs_label, *pair.page.examples):
        yield text, place
