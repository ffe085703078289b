"""Pooled states → per-layer measures of alignment, each with its control.

S and T are the source and target vectors of n pairs at one layer, both (n, d), and c_ij = cos(S_i, T_j). The measures
themselves are in `registry`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor

from tli_core.distributed import gather_objects, own_part
from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.pair_states import PairStates, embed_pairs, reference_states
from tli_core.encoding.views import viewed
from tli_core.i18n import translate
from tli_core.lists.language_pair import language_pair
from tli_core.lists.look_alike import look_alikes
from tli_core.lists.pairs import WordPair, counted_once, normalise
from tli_core.measures.artefacts import (
    attention_sinks,
    dominance_notices,
    hub_notice,
    list_warnings,
    not_numbers,
    prefix_note,
    rogue_shares,
)
from tli_core.measures.long_lists import merge_parts
from tli_core.measures.perplexity import health_of
from tli_core.measures.rank_tests import (
    corrected_p_values,
    reciprocal_ranks,
    shuffles,
    statistics,
    telling_topics,
    topic_clusters,
    word_groups,
)
from tli_core.measures.registry import COMPUTED, LayerView
from tli_core.measures.result import DIRECTIONS, FEW_PAIRS, NEAREST, LayerAlignment, Neighbours, Retrieval
from tli_core.measures.retrieval import best_rank, csls, largest_hub, nearest
from tli_core.measures.spelling import spelling_alone
from tli_core.measures.token_cost import token_cost
from tli_core.measures.wrong_pairs import candidates_of, matched_partners, percentiles
from tli_core.models.kernels.arithmetic import on_cores
from tli_core.models.loaded_model import LoadedModel
from tli_core.models.provenance import Provenance

PART = 2000
"""The most pairs that are all compared with each other: every layer of them takes 16 MB a table."""


def measure(
    loaded: LoadedModel,
    pairs: Sequence[WordPair],
    adapter: str | None = None,
    lens: Lens = LENS,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, steps: None,
    only: int | None = None,
) -> LayerAlignment:
    """Every measure of a list of pairs at every layer through one lens, with the named adapter on (None: the base).

    A pair that is there several times counts once.

    A list of more than PART pairs is measured in parts, so that memory does not grow with its square; several processes
    share the parts out. Of two languages that ship no reference pool the list itself serves as one.

    Args:
        progress: called with (blocks done, total blocks), counted over all parts of this process.
        only: the one layer to measure, chosen beforehand: p values are then corrected for its two directions alone.

    Raises:
        ValueError: no pairs, a word without tokens, or a language without sentences to read it in.
    """
    if not pairs:
        raise ValueError(translate("There are no pairs to measure: add at least one."))
    pairs = counted_once(pairs)
    provenance = loaded.provenance(adapter, len(pairs), seed, **asdict(lens))
    reference = reference_states(loaded, adapter, lens.readout, lens.languages)
    # Parts of one size, so that none is too short to have wrong pairs of its own.
    size = -(-len(pairs) // -(-len(pairs) // PART))
    parts = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    whole = len(parts) == 1
    own = parts if whole else own_part(parts)
    measured: list[LayerAlignment] = []
    for number, part in enumerate(own):

        def report_progress(done: int, blocks: int, number: int = number) -> None:
            progress(number * blocks + done, len(own) * blocks)

        states = embed_pairs(loaded, part, adapter, lens.readout, lens.languages, report_progress, alone=not whole)
        pool = reference or states
        if only is not None:
            states, pool = states.at(only), pool.at(only)
        measured.append(align(*viewed(states, pool, lens.view), provenance, seed))
    found = measured[0] if whole else merge_parts(gather_objects(measured))
    health = health_of(loaded)
    return replace(found, warnings=(health.notice, *found.warnings)) if health and health.noisy else found


def align(states: PairStates, reference: PairStates, provenance: Provenance, seed: int = 0) -> LayerAlignment:
    """The measures of embedded pairs, with the reference pool's vectors for centring, bands and ranks."""
    pairs = states.pairs
    n, layers = len(pairs), states.source.shape[0]
    candidates = candidates_of(pairs, reference.pairs)
    source, target = _unit(states.source), _unit(states.target)
    reference_source, reference_target = _unit(reference.source), _unit(reference.target)
    groups = word_groups(pairs, language_pair(provenance.languages))
    look_alike = look_alikes(pairs)
    lengths = tuple(len(pair.target) for pair in pairs)
    pieces = tuple(states.target_pieces[states.target_index].tolist())
    topics = tuple(normalise(pair.topic) for pair in pairs)
    matched = matched_partners(candidates, tuple(states.target_pieces), tuple(reference.target_pieces))
    draws = shuffles(tuple(groups.tolist()), tuple(look_alike.tolist()), lengths, pieces, telling_topics(topics), seed)

    right = candidates.right  # (a, b)
    right_back = np.ascontiguousarray(right.T)

    def at_layer(layer: int) -> dict[str, np.ndarray | float]:
        cosines = (source[layer] @ target[layer].T).numpy()  # (a, b)
        back = np.ascontiguousarray(cosines.T)  # (b, a); rows that lie together are read in half the time
        own = cosines[states.source_index][:, states.target_index]  # (n, n)
        against = (source[layer] @ reference_target[layer].T).numpy()[states.source_index]  # (n, m)
        table, wrong = candidates.wrong_among(own, against)
        alike, as_long = (np.take_along_axis(table, columns, axis=1) for columns in (matched.alike, matched.as_long))
        of_topic, wrong_in_order = table[matched.of_topic], np.sort(table[wrong])
        near = alike, as_long, of_topic
        view = LayerView(
            cosines, candidates.right, own, candidates.wrong, wrong_in_order, *near, states, reference, layer
        )
        near_target, near_source = nearest(cosines), nearest(back)
        corrected = csls(cosines, near_target[0], near_source[0])
        corrected_back = np.ascontiguousarray(corrected.T)
        if n < FEW_PAIRS:
            against_source = (target[layer] @ reference_source[layer].T).numpy()[states.target_index]  # (n, l)
            found = candidates.reciprocal_ranks_in_pool(own, against, against_source, draws.tested)
        else:
            tested = own[draws.tested][:, draws.tested]  # (m, m)
            found = reciprocal_ranks(tested), np.ascontiguousarray(reciprocal_ranks(np.ascontiguousarray(tested.T)).T)
        return {
            "diagonal": own.diagonal().astype(np.float64),
            **candidates.of_wrong_pairs(table, wrong),
            "wrong_quantiles": percentiles(view.wrong),
            "reference_rank": candidates.rank_in_pool(own, against),
            "to_target": best_rank(cosines, right)[states.source_index],
            "to_source": best_rank(back, right_back)[states.target_index],
            "to_target csls": best_rank(corrected, right)[states.source_index],
            "to_source csls": best_rank(corrected_back, right_back)[states.target_index],
            "statistics": statistics(found, draws),
            **_neighbours(near_target, near_source, states),
            **{key: compute(view) for key, compute in COMPUTED.items()},
        }

    if n < FEW_PAIRS or layers == 1:
        columns = [at_layer(layer) for layer in range(layers)]  # threads would cost more than they save
    else:
        # Sorting and ranking leave Python's lock, so layers go side by side.
        columns = on_cores(at_layer, range(layers))
    stacked = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    diagonal, mismatched = stacked["diagonal"], stacked["mismatched"]  # (layers, n) and (layers,)
    rogue_share = rogue_shares(states)
    words = (*candidates.words[0], *candidates.words[1])

    def hub_at(layer: int) -> str:
        return words[largest_hub((source[layer] @ target[layer].T).numpy(), candidates.right)[1]]

    return LayerAlignment(
        pairs=pairs,
        names=states.names,
        matched=diagonal.mean(axis=1),
        mismatched=mismatched,
        wrong_quantiles=stacked["wrong_quantiles"],
        gap=diagonal.mean(axis=1) - mismatched,
        scores={key: stacked[key] for key in COMPUTED},
        retrieval={way: Retrieval(stacked[way], stacked[f"{way} csls"]) for way in DIRECTIONS},
        cosine=diagonal.T,
        wrong_cosine=stacked["wrong_cosine"].T,
        gap_of_pairs=np.ascontiguousarray((diagonal - stacked["wrong_part"]).T),
        groups=groups,
        clusters=topic_clusters(groups, topics),
        look_alike=look_alike,
        movable=draws.movable,
        p_values=corrected_p_values(stacked["statistics"]),
        prefix_share=states.prefix_share,
        rogue_share=rogue_share,
        wrong_from=candidates.wrong_from,
        nearest={way: Neighbours(stacked[f"{way} near"], stacked[f"{way} nearness"]) for way in DIRECTIONS},
        reference_rank=stacked["reference_rank"],
        pool_size=candidates.right.shape[::-1],
        spelling_alone=spelling_alone(pairs, candidates.right, candidates.words),
        chance=(
            float(candidates.right[states.source_index].mean()),
            float(candidates.right[:, states.target_index].mean()),
        ),
        tokens=token_cost(((candidates.words[0], states.source_pieces), (candidates.words[1], states.target_pieces))),
        reference_size=1 + int(candidates.reference_wrong.sum(axis=1).max()),
        provenance=provenance,
        warnings=(
            *not_numbers(states.names, diagonal),
            *list_warnings(pairs, groups, candidates.wrong, reference.pairs),
            *prefix_note(provenance),
            *attention_sinks(states.names, states.first_piece),
            *hub_notice(states.names, stacked["hub_share"], min(map(len, candidates.words)), hub_at),
            *dominance_notices(states.names, states.prefix_share, rogue_share),
        ),
    )


def _neighbours(
    near_target: tuple[np.ndarray, np.ndarray], near_source: tuple[np.ndarray, np.ndarray], states: PairStates
) -> dict[str, np.ndarray]:
    """Numbers of pairs and cosines, (n, NEAREST), of the nearest words that `nearest` found for distinct words."""
    found = {}
    sides = (
        (near_target, states.source_index, states.target_index),
        (near_source, states.target_index, states.source_index),
    )
    for way, ((values, columns), own, other) in zip(DIRECTIONS, sides, strict=True):
        first = np.unique(other, return_index=True)[1]  # the first pair that has each word
        found[f"{way} near"] = first[columns[:, :NEAREST]][own].astype(np.int32)
        found[f"{way} nearness"] = values[:, :NEAREST][own]
    return found


def _unit(states: Tensor) -> Tensor:
    return torch.nn.functional.normalize(states, dim=-1)
