"""Does alignment reach the output? Word translation as the model does it, and what training did to its sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tli_core.encoding.tokens import encode, length_batches
from tli_core.lists.language_pair import DEFAULT, LanguagePair, language_pair
from tli_core.lists.lexicon import lexicon, shipped
from tli_core.lists.pairs import WordPair, translation_table
from tli_core.measures.generation import TranslationAccuracy, continuations, word_translation
from tli_core.measures.perplexity import Health, check_health
from tli_core.measures.result import DIRECTIONS, FEW_PAIRS
from tli_core.measures.retrieval import best_rank
from tli_core.models import architecture
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.placement import input_device

MAX_LOGITS = 64_000_000
"""Logits held at once, in numbers: a quarter of a gigabyte."""

PROBE_PAIRS = 7
PROBE_TOKENS = 20
"""As published: six prompts for each of seven pairs, twenty new tokens."""


@dataclass(frozen=True)
class GlossRanking:
    """Where a right gloss stands among the candidates by log-probability after the translation prompt.

    rank and log_probability are (n,): of each pair's likeliest right gloss, ranks from 1, natural logarithms.
    """

    rank: np.ndarray
    log_probability: np.ndarray
    candidates: int
    chance: float

    @property
    def p_at_1(self) -> float:
        """Share of pairs whose likeliest candidate is right."""
        return float((self.rank == 1).mean())

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank of a right gloss."""
        return float((1 / self.rank).mean())


@dataclass(frozen=True)
class OutputCheck:
    """What one model writes: greedy translations, gloss rankings both ways, and perplexity on plain sentences."""

    greedy: TranslationAccuracy
    ranking: dict[str, GlossRanking]
    health: Health

    @property
    def languages(self) -> LanguagePair:
        """What is known of the two languages."""
        return language_pair(self.health.languages)


@dataclass(frozen=True)
class ProbeAnswer:
    """One of the published kinds of probe for one pair, with the base's and the adapter's answer."""

    kind: str
    pair: WordPair
    prompt: str
    base: str
    adapted: str


def check_outputs(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None,
    progress: Callable[[str], None] = lambda doing: None,
    languages: str = DEFAULT,
) -> OutputCheck:
    """Translate every pair both ways with the named adapter on (None: the base), and read plain sentences.

    Raises:
        ValueError: the model has no output head.
    """
    with loaded.using(adapter) as model:
        progress("greedy translations")
        greedy = word_translation(model, loaded.tokenizer, pairs, languages=languages)
        ranking = {}
        for way in DIRECTIONS:
            progress(f"glosses ranked, to {language_pair(languages).answers[way].name}")
            ranking[way] = rank_glosses(model, loaded.tokenizer, pairs, way, languages)
        return OutputCheck(greedy, ranking, check_health(model, loaded.tokenizer, languages))


def rank_glosses(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[WordPair],
    way: str,
    languages: str = DEFAULT,
) -> GlossRanking:
    """Rank every candidate gloss after the translation prompt of each pair.

    Candidates are the distinct words of the list's other side; of a list shorter than FEW_PAIRS, with the reference
    pool's words beside them. Any listed translation counts as right; ties count against it.

    Args:
        way: `to_target` or `to_source`.
    """
    known = tuple(pairs) if len(pairs) >= FEW_PAIRS else (*pairs, *shipped("pool", languages))
    to_target, to_source = language_pair(languages).translations
    if way == "to_target":
        prompts = [to_target.fill(*pair[:2]) for pair in pairs]
        candidates = list(dict.fromkeys(pair.target for pair in known))
        right = translation_table(known, candidates)[: len(pairs)]  # (n, candidates)
    else:
        prompts = [to_source.fill(*pair[:2]) for pair in pairs]
        candidates = list(dict.fromkeys(pair.source for pair in known))
        listed = translation_table(known, [pair.target for pair in pairs])  # (known, n)
        rows = {pair.source: row for pair, row in zip(known, listed, strict=True)}
        right = np.stack([rows[word] for word in candidates], axis=1)  # (n, candidates)
    scores = gloss_log_probabilities(model, tokenizer, prompts, candidates).numpy()  # (n, candidates)
    best = np.where(right, scores, -np.inf).max(axis=1)
    return GlossRanking(best_rank(scores, right), best, len(candidates), float(right.mean()))


@torch.inference_mode()
def gloss_log_probabilities(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], glosses: Sequence[str]
) -> Tensor:
    """log p(" gloss" | prompt) of every gloss after every prompt: (n, g), float32 on the CPU.

    Glosses share their beginnings, so they are laid out as one tree behind each prompt, and a mask lets every token
    see the prompt and its own ancestors only: one pass a batch of prompts, no token computed twice.
    """
    tree = _Tree.of([tuple(ids) for ids in _continuation_ids(tokenizer, glosses)])
    encoded = encode(tokenizer, prompts)
    scores = torch.empty(len(prompts), len(glosses))  # (n, g)
    rows = max(1, MAX_LOGITS // (model.config.vocab_size * (1 + len(tree.inner))))
    for group in length_batches(encoded):
        for start in range(0, len(group), rows):
            indices = group[start : start + rows]
            ids = torch.tensor([encoded[i].ids for i in indices])  # (b, t)
            scores[indices] = tree.score(model, ids.to(input_device(model))).cpu()
    return scores


def probe(
    loaded: LoadedModel, pairs: Sequence[WordPair], adapter: str | None, languages: str = DEFAULT
) -> tuple[ProbeAnswer, ...]:
    """The kinds of probe that two languages have, on seven pairs spread over the list, by the base and the adapter.

    Raises:
        ValueError: the model has no output head.
    """
    asked = [
        (kind, pair, kind.fill(pair.source, pair.target))
        for kind in language_pair(languages).probes
        for pair in _spread([pair for pair in pairs if _takes(kind.takes, pair)] or pairs)
    ]
    if not asked:
        return ()
    answers = []
    for key in (None, adapter):
        with loaded.using(key) as model:
            answers.append(continuations(model, loaded.tokenizer, [text for _, _, text in asked], PROBE_TOKENS))
    return tuple(
        ProbeAnswer(kind.name.removeprefix("Probe: "), pair, text, base, adapted)
        for (kind, pair, text), base, adapted in zip(asked, *answers, strict=True)
    )


def _takes(kind: str, pair: WordPair) -> bool:
    """Whether a prompt that takes this kind of word has a place for the pair; the lexicon knows its nouns."""
    if kind == "noun":
        return pair.source in _nouns()
    return kind == "any" or pair.target.startswith(language_pair().target.inflection.infinitives)


@lru_cache(maxsize=1)
def _nouns() -> frozenset[str]:
    return frozenset(entry.pair.source for entry in lexicon() if entry.pos == "noun")


def _spread(pairs: Sequence[WordPair]) -> list[WordPair]:
    """As many pairs as are probed, spread over the list."""
    count = min(PROBE_PAIRS, len(pairs))
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, count).astype(int)]


def _continuation_ids(tokenizer: PreTrainedTokenizerBase, glosses: Sequence[str]) -> list[list[int]]:
    """Token ids of each gloss as it follows a colon: with a space before it and no special token."""
    ids = tokenizer([f" {gloss}" for gloss in glosses], add_special_tokens=False, split_special_tokens=True)
    return ids["input_ids"]


@dataclass(frozen=True)
class _Tree:
    """Token sequences that share beginnings. Nodes are in order of depth; the root (−1) stands for the prompt.

    token, parent and depth describe the nodes; inner lists the nodes that have children, the only ones whose own
    output is needed; ends is each sequence's last node.
    """

    token: Tensor
    parent: Tensor
    depth: Tensor
    inner: Tensor
    ends: Tensor

    @classmethod
    def of(cls, sequences: Sequence[tuple[int, ...]]) -> "_Tree":
        places: dict[tuple[int, ...], int] = {}
        for beginning in sorted({s[: i + 1] for s in sequences for i in range(len(s))}, key=len):
            places[beginning] = len(places)
        parents = [places.get(beginning[:-1], -1) for beginning in places]
        return cls(
            token=torch.tensor([beginning[-1] for beginning in places]),
            parent=torch.tensor(parents),
            depth=torch.tensor([len(beginning) for beginning in places]),
            inner=torch.tensor(sorted({parent for parent in parents if parent >= 0}), dtype=torch.long),
            ends=torch.tensor([places[sequence] for sequence in sequences]),
        )

    def score(self, model: PreTrainedModel, prompts: Tensor) -> Tensor:
        """Log-probability of every sequence after every prompt of one length: (b, t) -> (b, sequences)."""
        device, (b, t), m = prompts.device, prompts.shape, len(self.inner)
        ids = torch.cat([prompts, self.token[self.inner].to(device).expand(b, m)], dim=1)  # (b, t + m)
        positions = torch.cat([torch.arange(t), t - 1 + self.depth[self.inner]]).to(device)  # (t + m,)
        masks = {
            kind: self._mask(positions, t, model.dtype, window).to(device).expand(b, 1, -1, -1)
            for kind, window in architecture.windows(model).items()
        }
        hidden = model.base_model(
            input_ids=ids,
            position_ids=positions.expand(b, -1),
            attention_mask=architecture.decoder_mask(model, masks),
            use_cache=False,
        ).last_hidden_state[:, t - 1 :]  # (b, 1 + m, d): the prompt's last token, then the inner nodes
        logits = architecture.logits(model, hidden).float()  # (b, 1 + m, vocabulary)
        place = {int(node): 1 + i for i, node in enumerate(self.inner)}
        asked = torch.tensor([place.get(int(parent), 0) for parent in self.parent], device=device)  # (nodes,)
        chosen = logits[:, asked, self.token.to(device)]  # (b, nodes)
        steps = chosen - logits.logsumexp(dim=-1)[:, asked]  # (b, nodes): log p(token | prompt, ancestors)
        total = torch.zeros(b, len(self.token) + 1, device=device)  # its last column is the root
        for depth in range(1, int(self.depth.max()) + 1):
            nodes = (self.depth == depth).nonzero()[:, 0].to(device)
            total[:, nodes] = total[:, self.parent.to(device)[nodes]] + steps[:, nodes]
        return total[:, self.ends.to(device)]

    def _mask(self, positions: Tensor, t: int, dtype: torch.dtype, window: int | None) -> Tensor:
        """Additive attention mask (1, 1, t + m, t + m): the prompt is causal, a node sees it and its ancestors.

        Args:
            positions: (t + m,).
            window: how many positions back a token sees, its own counted; None for all.
        """
        m = len(self.inner)
        place = {int(node): t + i for i, node in enumerate(self.inner)}
        seen = torch.ones(t + m, t + m, dtype=torch.bool).tril()
        seen[t:, t:] = torch.eye(m, dtype=torch.bool)
        for node in self.inner.tolist():
            parent = int(self.parent[node])
            if parent >= 0:
                seen[place[node], t:] |= seen[place[parent], t:]
        if window is not None:
            seen &= (positions[:, None] - positions < window).cpu()
        return torch.zeros(t + m, t + m, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[None, None]
