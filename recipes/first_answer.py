"""Write down what lugha-mini says of the word that the page opens with, in each language of the page.

    python recipes/first_answer.py

The page shows it until the model is loaded; `tests/measures/test_word_answer.py` fails where the model says something
else.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tli_core.i18n import LANGUAGES, in_language
from tli_core.lists.one_word import read_word
from tli_core.measures.word_answer import answer_word
from tli_core.models.loaded_model import load_model
from tli_core.reports.word_answer import answer_text
from ui.tabs.word import START, WIDGETS

found = answer_word(load_model("lugha-mini"), read_word(START))
for language in LANGUAGES:
    with in_language(language):
        (WIDGETS / f"first_answer.{language}.md").write_text(answer_text(found, "lugha-mini") + "\n", encoding="utf-8")
