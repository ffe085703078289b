"""What an adapter's record says of the pairs that it has seen, beside the lists that it is evaluated on."""

from collections.abc import Mapping, Sequence
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair, pair_digest
from tli_core.notices import Notice, notice

TRAINED_ON = "trained_on"
"""The key of a record under which stands the digest of every pair that was given for training, in order."""


def digests(pairs: Sequence[WordPair]) -> list[str]:
    """The digests of a list's pairs, in order and each once, as a record keeps them."""
    return sorted(set(map(pair_digest, pairs)))


def shipped_training_list(name: str, record: Mapping[str, Any], languages: str) -> tuple[WordPair, ...]:
    """The shipped training list of two languages, for an adapter whose own list nobody gave.

    Args:
        record: the adapter's tli.json; empty where there is none.

    Raises:
        ValueError: the record says that it was trained on other pairs.
    """
    pairs = shipped("train", languages)
    if record and not _is_of(record, pairs):
        text = N_(
            "{name} was trained on {n} pairs that are not those of the shipped training list: give its own as the "
            "trained pairs (--trained FILE)."
        )
        raise ValueError(translate(text, name=name[:64], n=_size(record)))
    return pairs


def _is_of(record: Mapping[str, Any], pairs: Sequence[WordPair]) -> bool:
    """Whether a record may be of these pairs; by their number where it has no digests of them."""
    if TRAINED_ON in record:
        return record[TRAINED_ON] == digests(pairs)
    return ("step_chosen_on" not in record and "kept_step" in record) or _size(record) == len(pairs)


def _size(record: Mapping[str, Any]) -> int:
    """How many pairs were given: those trained on, and those that chose the step."""
    return len(record[TRAINED_ON]) if TRAINED_ON in record else record["pairs"] + len(record.get("step_chosen_on", ()))


def record_notices(
    record: Mapping[str, Any], trained: Sequence[WordPair], control: Sequence[WordPair]
) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """What an adapter's record says against the trained and against the control list of an evaluation."""
    of_trained, of_control = _seen(record, trained, control)
    return (*chosen_on(record, trained), *of_trained), (*chosen_on(record, control), *of_control)


def _seen(
    record: Mapping[str, Any], trained: Sequence[WordPair], control: Sequence[WordPair]
) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    if TRAINED_ON not in record:
        return (), (notice("training_unrecorded"),)
    own, given, unseen = set(record[TRAINED_ON]), set(digests(trained)), set(digests(control))
    of_trained = [notice("other_trained_list", n=len(own & given), given=len(given), own=len(own))]
    seen = len((own - given) & unseen)
    of_control = [notice("trained_on_these", n=seen, given=len(unseen))]
    return tuple(of_trained if own != given else ()), tuple(of_control if seen else ())


def chosen_on(record: Mapping[str, Any], pairs: Sequence[WordPair]) -> tuple[Notice, ...]:
    """A warning if an adapter's best step was, or may have been, chosen on the pairs it is evaluated on."""
    if "kept_step" not in record:
        return ()
    chosen = set(record.get("step_chosen_on") or ())
    shared = sum(pair_digest(pair) in chosen for pair in pairs)
    if chosen and not shared:
        return ()
    if chosen:
        return (notice("step_chosen_here", step=record["kept_step"], n=shared),)
    return (notice("step_chosen_unknown", step=record["kept_step"]),)
