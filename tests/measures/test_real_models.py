"""What is said of real pretrained models, where they are on this machine; the others are skipped.

Each is a folder in the layout of the Hub, under the folder that the variable REAL_MODELS names.
"""

import os
from pathlib import Path

import pytest
import torch

from tli_core.encoding.lens import Lens
from tli_core.encoding.pooled_states import pooled_states
from tli_core.encoding.tokens import encode
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.artefacts import SINK_RATIO
from tli_core.measures.verdicts import verdict
from tli_core.models.loaded_model import LoadedModel, load_model
from tli_core.models.placement import Placement
from tli_core.models.tokenizer import PrefixToken
from tli_core.reports.notices import worded

ALONE = Lens(readout="words")
REAL_MODELS = Path(os.environ.get("REAL_MODELS", Path.home() / ".cache" / "real-models"))


EASY_FRENCH = tuple(
    WordPair(*pair.split())
    for line in (
        "eau water,feu fire,chien dog,chat cat,oiseau bird,poisson fish,arbre tree,maison house,porte door,rue street",
        "ville town,roi king,reine queen,enfant child,mère mother,père father,frère brother,sœur sister,ami friend",
        "main hand,pied foot,tête head,œil eye,cœur heart,pain bread,lait milk,vin wine,sel salt,jour day,nuit night",
        "soleil sun,lune moon,étoile star,ciel sky,mer sea,rouge red,bleu blue,blanc white,noir black,vert green",
    )
    for pair in line.split(",")
)


def real(name: str, title: str) -> LoadedModel:
    """A real model, or a skipped test."""
    if not (REAL_MODELS / name / "config.json").is_file():
        pytest.skip(f"needs {title} as a folder: set REAL_MODELS to the folder that holds {name}")
    return load_model(str(REAL_MODELS / name), Placement("cpu"))


@pytest.fixture(scope="module")
def smollm2() -> LoadedModel:
    return real("smollm2", "SmolLM2-135M-Instruct")


@pytest.fixture(scope="module")
def gemma3() -> LoadedModel:
    return real("gemma3", "Gemma 3 270M")


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_every_layer_of_a_real_model_is_transformers_own(name, request):
    loaded = request.getfixturevalue(name)
    words = ["maji", "ng'ombe", "haba na haba hujaza kibaba", "internationalisation"]
    with loaded.using(None) as model:
        ours = pooled_states(model, loaded.tokenizer, words, "last").vectors  # (layers, n, d)
        for i, encoded in enumerate(encode(loaded.tokenizer, words)):
            with torch.no_grad():
                states = model(torch.tensor([encoded.ids]), output_hidden_states=True).hidden_states
            theirs = torch.stack(states)[:, 0, -1]
            assert ((ours[:, i] - theirs).norm(dim=-1) / theirs.norm(dim=-1)).max() < 1e-5


def test_gemma_finds_french_words_beyond_spelling_and_no_swahili_ones(gemma3):
    """It has read French; forty easy pairs, and the lexicon's control words."""
    french = measure(gemma3, EASY_FRENCH)
    assert any(verdict(french, layer) in ("aligned", "one way", "weak") for layer in range(len(french.names)))
    swahili = measure(gemma3, shipped("control"))
    called = {verdict(swahili, layer) for layer in range(len(swahili.names))}
    assert called <= {"not discriminative", "spelling", "topic"}
    assert any(warning.code == "hub" for warning in swahili.warnings)


def test_a_prefix_keeps_the_words_of_smollm2_from_being_its_attention_sink(smollm2, monkeypatch):
    """Its tokenizer puts nothing in front; without a prefix any two words are alike at layers 12 to 28."""
    pairs = shipped("control")[:60]
    behind = measure(smollm2, pairs, lens=ALONE)
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
    bare = measure(smollm2, pairs, lens=ALONE)
    assert any("attention sink" in worded(warning) for warning in bare.warnings)
    assert bare.mismatched[12:29].min() > 0.99


def test_what_smollm2_finds_of_swahili_is_spelling_at_most(smollm2):
    """It was trained on English: whatever it finds looks alike, and is as much as letters alone find."""
    result = measure(smollm2, shipped("control"))
    assert {verdict(result, layer) for layer in range(len(result.names))} == {"not discriminative", "spelling"}
    assert max(result.retrieval["to_target"].p_at_1) <= 1.5 * max(result.spelling_alone)
