"""Models built so that the answer is known: the verdict, and the warnings, must be right on each."""

from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tli_core.encoding.lens import LENS, Lens
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.measures.alignment import measure
from tli_core.measures.verdicts import verdict
from tli_core.models.loaded_model import LoadedModel
from tli_core.reports.notices import worded

PAIRS = tuple(WordPair(f"sw{i}", f"en{i}") for i in range(60))
WITH_BOS = Lens(readout="all")
SLOT = 32
HIDDEN = 3 * SLOT
BLOCKS = 3


def word_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, BOS first; it knows the planted words and those of the reference pool."""
    words = {word for pair in (*PAIRS, *shipped("pool")) for side in pair[:2] for word in side.split()}
    vocabulary = {token: i for i, token in enumerate(["<s>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")


def unit(*shape: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def planted(source: torch.Tensor, target: torch.Tensor, bos: torch.Tensor | None = None) -> LoadedModel:
    """A Llama whose blocks add nothing, so that every layer is the embeddings given here: (60, HIDDEN) each."""
    tokenizer = word_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=8,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=4,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for block in model.model.layers:
            for weight in (block.self_attn.o_proj.weight, block.mlp.down_proj.weight):
                weight.zero_()
        embeddings = model.model.embed_tokens.weight
        embeddings.copy_(unit(*embeddings.shape, seed=99))
        embeddings[0] = torch.zeros(HIDDEN) if bos is None else bos
        for row, pair in enumerate(PAIRS):
            embeddings[tokenizer.convert_tokens_to_ids(pair.source)] = source[row]
            embeddings[tokenizer.convert_tokens_to_ids(pair.target)] = target[row]
    return LoadedModel(model, tokenizer, "planted", None)


def add_linear(loaded: LoadedModel, block: int, matrix: torch.Tensor) -> None:
    """Make a block add matrix · x / rms(x) to a word's x.

    With queries of zero, a word attends equally to BOS, whose value is zero, and to itself: hence the factor of two.
    """
    attention = loaded._model.model.layers[block - 1].self_attn
    with torch.no_grad():
        attention.q_proj.weight.zero_()
        attention.v_proj.weight.copy_(2 * matrix)
        attention.o_proj.weight.copy_(torch.eye(HIDDEN))


def shared_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    meaning = unit(60, HIDDEN, seed=1)
    return meaning + 0.4 * unit(60, HIDDEN, seed=2), meaning + 0.4 * unit(60, HIDDEN, seed=3)


def verdicts(loaded: LoadedModel, lens: Lens = LENS) -> list[str]:
    result = measure(loaded, PAIRS, lens=lens)
    return [verdict(result, layer) for layer in range(len(result.names))]


def test_shared_embeddings_for_true_pairs_are_aligned_at_every_layer():
    assert verdicts(planted(*shared_pairs())) == ["aligned"] * (BLOCKS + 1)


@pytest.mark.parametrize("seed", range(4))
def test_plain_noise_is_not_discriminative(seed: int):
    loaded = planted(unit(60, HIDDEN, seed=10 + seed), unit(60, HIDDEN, seed=20 + seed))
    # At a level of 5 % each, one lucky layer alone would be no surprise, but here every layer is the same.
    assert verdicts(loaded) == ["not discriminative"] * (BLOCKS + 1)
    assert abs(measure(loaded, PAIRS).matched[-1]) < 0.05


def test_an_anchor_token_drowns_even_true_pairs():
    loaded = planted(*shared_pairs(), bos=200 * unit(HIDDEN, seed=4))
    drowned, words = measure(loaded, PAIRS, lens=WITH_BOS), measure(loaded, PAIRS)
    # The final norm makes every token equally long again, so the output is not drowned.
    assert (drowned.matched[:-1] > 0.999).all() and (drowned.mismatched[:-1] > 0.999).all()
    assert (drowned.prefix_share[:-1] > 0.99).all() and (words.prefix_share == 0).all()
    # The scale is ruined, the ranks are not.
    assert verdicts(loaded, WITH_BOS) == ["aligned"] * (BLOCKS + 1)
    assert verdicts(loaded) == ["aligned"] * (BLOCKS + 1)
    assert any("BOS is averaged in" in worded(warning) for warning in drowned.warnings)
    centred = measure(loaded, PAIRS, lens=replace(WITH_BOS, view="centred"))
    assert not any("BOS is averaged in" in worded(warning) for warning in centred.warnings)
    assert not any("BOS" in worded(warning) for warning in words.warnings)


def test_one_constant_direction_is_not_discriminative_however_high_the_cosine():
    constant = 30 * unit(HIDDEN, seed=5)
    result = measure(loaded := planted(constant + unit(60, HIDDEN, seed=6), constant + unit(60, HIDDEN, seed=7)), PAIRS)
    assert (result.matched > 0.99).all()
    assert verdicts(loaded) == ["not discriminative"] * (BLOCKS + 1)


def test_three_dimensions_that_carry_the_norm_are_named():
    rogue = torch.zeros(HIDDEN)
    rogue[[3, 40, 77]] = 20.0
    source, target = shared_pairs()
    loaded = planted(source + rogue, target + rogue)
    result = measure(loaded, PAIRS)
    assert (result.rogue_share > 0.99).all()
    assert any("three dimensions carry" in worded(warning) for warning in result.warnings)
    assert not any(
        "three dimensions" in worded(warning) for warning in measure(planted(*shared_pairs()), PAIRS).warnings
    )


def test_one_aligned_layer_among_noise_is_found():
    """Block 2 takes the loud noise away and leaves what the pair shares; block 3 brings other noise back."""
    meaning = unit(60, SLOT, seed=1)

    def words(seed: int) -> torch.Tensor:
        loud, faint = 30 * unit(60, SLOT, seed=seed), 0.05 * unit(60, SLOT, seed=seed + 1)
        return torch.cat([loud, faint, meaning], dim=1)  # (60, HIDDEN)

    loaded = planted(words(30), words(40))
    one = torch.eye(SLOT)
    silence, bring_back = torch.zeros(HIDDEN, HIDDEN), torch.zeros(HIDDEN, HIDDEN)
    silence[:SLOT, :SLOT] = -one * ((30**2 + 0.05**2 + 1) / HIDDEN) ** 0.5
    bring_back[:SLOT, SLOT : 2 * SLOT] = 600 * one * ((0.05**2 + 1) / HIDDEN) ** 0.5
    add_linear(loaded, 2, silence)
    add_linear(loaded, 3, bring_back)
    assert verdicts(loaded) == ["not discriminative", "not discriminative", "aligned", "not discriminative"]
