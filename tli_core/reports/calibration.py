"""A calibration in words: the table of readouts and views, and which of them can be believed."""

from pathlib import Path

from tli_core.encoding.lens import VIEWS
from tli_core.encoding.readouts import READOUTS
from tli_core.i18n import translate
from tli_core.measures.calibration import ASKED_ABOUT, MUST_NOT, Calibration, LensReading
from tli_core.models.layers import layer_words


def calibration_rows(found: Calibration) -> list[tuple[str, ...]]:
    """A calibration, one row a readout and view: a heading row first.

    Of the lists that may be found P@1 both ways, at a layer that other pairs picked; of all, at how many layers each is
    found.
    """
    names = list(dict.fromkeys(of.list for of in found.readings))
    heads = [translate("{list} ({n})", list=translate(name), n=next(of.n for of in found.readings if of.list == name))
             for name in names]  # fmt: skip
    rows: list[tuple[str, ...]] = [(translate("read"), translate("view"), *heads)]
    for readout, view in dict.fromkeys((of.readout, of.view) for of in found.readings):
        of = found.of(readout, view)
        cells = (_calibrated(of[name]) if name in of else "–" for name in names)
        rows.append((translate(READOUTS[readout].label), translate(VIEWS[view]), *cells))
    return rows


def _calibrated(of: LensReading) -> str:
    layers = translate("{found} of {layers} layers", found=of.found, layers=of.layers)
    if of.list in MUST_NOT:
        return layers
    there, back = of.p_at_1
    return f"{there:.2f}, {back:.2f} ({layer_words(of.layer_name)}); {layers}"


def calibration_sentence(found: Calibration) -> str:
    """Which readouts of a model can be believed, and what they say of the list in question."""
    asked = {(of.readout, of.view) for of in found.readings if of.list == ASKED_ABOUT and of.found}
    if not found.usable and asked:
        return translate(
            "{ways} ways of reading find the pairs asked about, and none finds those that must be found: {model} may "
            "not know these. Give pairs that it surely knows, to tell a blind readout from an unknown word.",
            ways=len(asked),
            model=Path(found.model).name,
        )
    if not found.usable:
        return translate(
            "No readout finds the pairs that {model} surely knows: it is unreadable by this lens. That says nothing of "
            "the other pairs, least of all that they are not aligned.",
            model=Path(found.model).name,
        )
    of_lists = [found.of(*lens) for lens in found.usable]
    ways = [of[ASKED_ABOUT] for of in of_lists if ASKED_ABOUT in of]
    aligned = sum(of.found > 0 for of in ways)
    best = max(ways, key=lambda of: of.picked_by, default=None)
    told = translate(
        "{usable} ways of reading find what {model} surely knows and nothing of what it cannot; by the half of the "
        "pairs that chooses, the best is {how}.",
        usable=len(found.usable),
        model=Path(found.model).name,
        how=_how(*found.usable[0]),
    )
    if found.one_list:
        return f"{told} " + translate("The pairs asked about are the same, so nothing else is said of them.")
    if best is None:
        return told
    return f"{told} " + translate(
        "Of the {n} pairs asked about, {aligned} of these {ways} find more than spelling and chance do; the best, "
        "{how}, has P@1 {there:.2f} and {back:.2f} at {layer}, on the {read} pairs that picked neither.",
        n=best.n,
        read=best.n // 2,
        aligned=aligned,
        ways=len(ways),
        how=_how(best.readout, best.view),
        there=best.p_at_1[0],
        back=best.p_at_1[1],
        layer=layer_words(best.layer_name),
    )


def _how(readout: str, view: str) -> str:
    return f"{translate(READOUTS[readout].label)}, {translate(VIEWS[view])}"
