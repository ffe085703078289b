"""What is known of bases beforehand: found by id or name, and by nothing else."""

import pytest

from tli_core.models.known_bases import known_base, known_bases, surely_known
from tli_core.models.registry import KNOWN_MODELS
from tli_core.reports.model_card import needs_llama_name


def test_a_base_is_found_by_its_id_or_its_name():
    assert known_base("lugha-mini") is known_base("models/lugha-mini")
    assert known_base("") is None and known_base("someone/else") is None
    assert set(KNOWN_MODELS) == {base.name for base in known_bases() if base.name}


@pytest.mark.parametrize(("name", "languages"), [("lugha-mini", "sw-en"), ("someone/else", "en-en")])
def test_what_a_base_must_find(name, languages):
    assert surely_known(name) == languages


@pytest.mark.parametrize("base", ["models/lugha-mini", "google/gemma-3-270m", "Qwen/Qwen3-0.6B-Base", "someone/else"])
def test_only_what_is_made_from_llama_must_be_named_so(base):
    assert not needs_llama_name(base)
    assert needs_llama_name("Lugha-Llama/Lugha-Llama-8B-wura")
