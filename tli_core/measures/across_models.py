"""Two models on the same pairs: which of them finds the right words better."""

from dataclasses import replace

from tli_core.i18n import N_, translate
from tli_core.measures.result import DIRECTIONS, LayerAlignment, Neighbours, Retrieval
from tli_core.measures.verdicts import Change, change


def compare_models(first: LayerAlignment, second: LayerAlignment, seed: int = 0) -> Change:
    """What the second model finds more, or less, than the first, each at its own output.

    Raises:
        ValueError: they were measured on different pairs, or read otherwise.
    """
    one, other = first.provenance, second.provenance
    if first.pairs != second.pairs or (one.readout, one.view) != (other.readout, other.view):
        text = N_("{first} and {second} were not measured on the same pairs, or not read alike: measure both alike.")
        raise ValueError(translate(text, first=one.model, second=other.model))
    return change(at_output(first), at_output(second), 0, seed)


def at_output(result: LayerAlignment) -> LayerAlignment:
    """A measurement at its last layer alone; its p values stay corrected for all layers."""
    by_layer = ("matched", "mismatched", "wrong_quantiles", "gap", "prefix_share", "rogue_share", "reference_rank")
    return replace(
        result,
        names=result.names[-1:],
        cosine=result.cosine[:, -1:],
        wrong_cosine=result.wrong_cosine[:, -1:],
        scores={key: values[-1:] for key, values in result.scores.items()},
        p_values={key: values[-1:] for key, values in result.p_values.items()},
        retrieval={way: Retrieval(*(ranks[-1:] for ranks in _both(result.retrieval[way]))) for way in DIRECTIONS},
        nearest={way: Neighbours(result.nearest[way].pair[-1:], result.nearest[way].cosine[-1:]) for way in DIRECTIONS},
        **{field: getattr(result, field)[-1:] for field in by_layer},
    )


def _both(retrieval: Retrieval) -> tuple:
    return retrieval.rank, retrieval.csls_rank
