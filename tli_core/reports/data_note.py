"""What the numbers of a figure were measured on: what a caption says of the list, the languages and the vectors."""

from collections.abc import Iterable, Sequence

from tli_core.encoding.lens import VIEWS, Lens
from tli_core.encoding.readouts import READOUTS
from tli_core.i18n import N_, translate
from tli_core.lists.lexicon import SPLITS, shipped
from tli_core.lists.pairs import WordPair, list_digest
from tli_core.measures.result import LayerAlignment

SHIPPED = {
    "train": N_("the shipped training list"),
    "control": N_("the shipped control list"),
    "pool": N_("the shipped reference pool"),
    "reserved": N_("the shipped reserved list"),
}
OTHER = N_("a list that does not ship")


def data_note(results: Iterable[LayerAlignment]) -> str:
    """What results were measured on, a sentence for each list and way of reading it."""
    told = []
    for of in results:
        origin = of.provenance
        note = list_note(of.pairs, Lens(origin.languages, origin.readout, origin.view))
        wrong = translate("Wrong pairs: from the {origin}.", origin=translate(of.wrong_from))
        told.append(f"{note} {wrong}")
    return " ".join(dict.fromkeys(told))


def list_note(pairs: Sequence[WordPair], lens: Lens) -> str:
    """Which list it is, told from others by its checksum, and how its words were read."""
    text = N_("Pairs: {n} of {source} and {target}, {list} (SHA-256 {digest}). Readout: {readout}. Vectors: {view}.")
    digest, (source, target) = list_digest(pairs), map(translate, lens.pair.names)
    known = (SHIPPED[split] for split in SPLITS if list_digest(shipped(split, lens.languages)) == digest)
    return translate(
        text,
        n=len(pairs),
        source=source,
        target=target,
        list=translate(next(known, OTHER)),
        digest=digest,
        readout=translate(READOUTS[lens.readout].label),
        view=translate(VIEWS[lens.view]),
    )
