"""What is said of real pretrained models, where they are on this machine; the others are skipped.

Each is a folder in the layout of the Hub, under the folder that the variable REAL_MODELS names.
"""

import os
from pathlib import Path

import pytest

from tli_core.encoding.pooled_states import pooled_states
from tli_core.lists.lexicon import shipped
from tli_core.measures.alignment import measure
from tli_core.measures.artefacts import SINK_RATIO
from tli_core.measures.verdicts import verdict
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.tokenizer import PrefixToken
from tli_core.reports.notices import worded

SMOLLM2 = Path(os.environ.get("REAL_MODELS", Path.home() / ".cache" / "real-models")) / "smollm2"


@pytest.fixture(scope="module")
def smollm2() -> LoadedModel:
    if not (SMOLLM2 / "config.json").is_file():
        pytest.skip("needs SmolLM2-135M-Instruct as a folder: set REAL_MODELS to the folder that holds smollm2")
    return load_model(str(SMOLLM2), Placement("cpu"))


def test_a_prefix_keeps_the_words_of_smollm2_from_being_its_attention_sink(smollm2, monkeypatch):
    """Its tokenizer puts nothing in front; without a prefix any two words are alike at layers 12 to 28."""
    pairs = shipped("control")[:60]
    behind = measure(smollm2, pairs)
    assert behind.provenance.prefix_added and behind.provenance.prefix_token == "<|im_start|>"
    assert not any("attention sink" in worded(warning) for warning in behind.warnings)
    assert behind.mismatched[12:29].max() < 0.9
    words = [pair.source for pair in pairs]
    with smollm2.using(None) as model:
        assert pooled_states(model, smollm2.tokenizer, words).first_piece.max() < 0.8 * SINK_RATIO
        monkeypatch.setattr(
            "tli_core.encoding.tokens.prefix_of", lambda tokenizer: PrefixToken(None, None, added=False)
        )
        assert pooled_states(model, smollm2.tokenizer, words).first_piece.max() > 10 * SINK_RATIO
    smollm2._references.clear()
    bare = measure(smollm2, pairs)
    assert any("attention sink" in worded(warning) for warning in bare.warnings)
    assert bare.mismatched[12:29].min() > 0.99


def test_what_smollm2_finds_of_swahili_is_spelling_at_most(smollm2):
    """It was trained on English: whatever it finds looks alike, and is as much as letters alone find."""
    result = measure(smollm2, shipped("control"))
    assert {verdict(result, layer) for layer in range(len(result.names))} == {"not discriminative", "spelling"}
    assert max(result.retrieval["to_target"].p_at_1) <= 1.5 * max(result.spelling_alone)
