"""Both verdicts on an adapter in words: what became of the vectors, and of what the model writes."""

import math
from typing import Any

from tli_core.i18n import N_, translate
from tli_core.lists.language_pair import LanguagePair
from tli_core.lists.prompts import one_line
from tli_core.measures.before_after import EvaluationReport
from tli_core.measures.perplexity import SIDES
from tli_core.measures.written import PartWritten

VERDICTS = {
    "harmed": N_("what it writes is harmed"),
    "better": N_("what it writes is better"),
    "mixed": N_("what it writes is better in part and worse in part"),
    "no clear change": N_("what it writes shows no clear change"),
    "too few": N_("there is too little of it to tell"),
}
_MOVED = {-1: N_("worse"), 0: N_("no clear change"), 1: N_("better")}


def prompts_sentence(languages: LanguagePair) -> str:
    """How a model is asked for a translation, and what counts of its answer."""
    to_target, to_source = (one_line(template.text) for template in languages.translations)
    text = N_(
        "Asked with `{to_target}` and `{to_source}` (⏎ is a new line); the first line of the answer counts. lugha-mini "
        "was trained on such lines, other models need not have been."
    )
    return translate(text, to_target=to_target, to_source=to_source)


def written_sentence(report: EvaluationReport) -> str:
    """Both verdicts, and each part of what is written with its test; empty where nobody asked for answers."""
    if (written := report.written) is None:
        return ""
    last = report.evaluations[-1]
    languages = last.before.languages
    parts = [
        translate(
            "translations to {language} {before:.3f} → {after:.3f} right ({moved}, {p})",
            language=translate(languages.answers[way].name),
            before=part.before,
            after=part.after,
            **_said(part),
        )
        for way, part in written.translations.items()
    ]
    parts += [
        translate(
            "perplexity on plain {language} {before:,.0f} → {after:,.0f} ({moved}, {p})",
            language=translate(getattr(languages, side).name),
            before=part.before,
            after=part.after,
            **_said(part),
        )
        for side, part in written.sentences.items()
    ]
    unread = [getattr(languages, side).name for side in SIDES if side not in written.sentences]
    if unread:
        text = N_("no plain sentences of {languages} are known here")
        parts.append(translate(text, languages=", ".join(map(translate, unread))))
    return translate(
        "Two verdicts. Vectors: {vectors}. Text: {text}: {parts}.",
        vectors=translate(last.change.verdict),
        text=translate(VERDICTS[written.verdict]),
        parts="; ".join(parts),
    )


def _said(part: PartWritten) -> dict[str, Any]:
    """What became of a part, and the p value of its test."""
    if math.isnan(part.p):
        return {"moved": translate(_MOVED[part.moved]), "p": translate("no number")}
    p = translate("p < 0.001") if part.p < 0.001 else translate("p {p:.3f}", p=part.p)
    return {"moved": translate(_MOVED[part.moved]), "p": p}
