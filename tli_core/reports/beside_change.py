"""What stands beside an adapter's change, in sentences: a linear map, words in sentences, what the base knew."""

from tli_core.i18n import N_, translate
from tli_core.measures.before_after import EvaluationReport
from tli_core.measures.rank_tests import ALL
from tli_core.measures.result import DIRECTIONS
from tli_core.measures.significance import share_interval
from tli_core.measures.verdicts import LEAST_CHANGE, LEVEL, beyond_map
from tli_core.reports.messages import bounds, change_sentence


def linear_sentence(report: EvaluationReport) -> str:
    """What changing the model gave beyond a linear map on the untouched base; empty where no map was fitted here."""
    last, linear = report.evaluations[-1], report.linear
    if linear is None or linear.layer != last.layer:
        return ""
    seed, picked = last.before.provenance.seed, last.picked > 0
    more = beyond_map(linear.retrieval, last.after, last.layer, seed, picked)
    ways = "; ".join(
        translate(
            "to {language} P@1 {base:.2f} by the base, {linear:.2f} by the map and {adapter:.2f} with the adapter, "
            "which has {more:+.3f} of the mean reciprocal rank on the map, p {p:.2g} by a sign-flip test",
            language=translate(language.name),
            base=last.before.retrieval[way].p_at_1[last.layer],
            linear=linear.retrieval[way].p_at_1[0],
            adapter=last.after.retrieval[way].p_at_1[last.layer],
            more=more[way][0],
            p=more[way][1],
        )
        for way, language in last.before.languages.answers.items()
    )
    # Ties rank last, so what finds no word above chance is not better than what finds none either, whatever the ranks.
    found: dict[str, bool] = dict(zip(DIRECTIONS, last.after.p_values[ALL][last.layer] <= LEVEL, strict=True))
    above = {way for way, (moved, p) in more.items() if p <= LEVEL and moved >= LEAST_CHANGE and found[way]}
    by_map = {way: share_interval(linear.retrieval[way].hit, last.after.clusters)[0, 0] > chance
              for way, chance in zip(DIRECTIONS, last.after.chance, strict=True)}  # fmt: skip
    worse = any(p <= LEVEL and moved <= -LEAST_CHANGE and by_map[way] for way, (moved, p) in more.items())
    # A map of few pairs finds less than the base itself: what only beats such a map gave nothing.
    better = {way for way in above if (of := last.change.ranks[way]).p <= LEVEL and of.mrr >= LEAST_CHANGE}
    gave = better and last.change.verdict in ("improved", "improved one way")
    if above and not better and not worse:
        told = N_(
            "On the {list} list, the adapter finds more than a linear map on the untouched base, fitted on the "
            "{n} pairs of the trained list, but not surely more than that base without a map: {ways}."
        )
    elif gave and not worse:
        told = N_(
            "On the {list} list, changing the model gave more than a linear map on the untouched base, fitted on the "
            "{n} pairs of the trained list: {ways}."
        )
    elif worse and not above:
        told = N_(
            "On the {list} list, a linear map on the untouched base, fitted on the {n} pairs of the trained list, "
            "finds more than the adapter: {ways}."
        )
    else:
        told = N_(
            "On the {list} list, a linear map on the untouched base, fitted on the {n} pairs of the trained list, "
            "stands beside the adapter: {ways}."
        )
    return translate(told, n=f"{linear.fitted_on:,}", list=translate(last.name), ways=ways)


def context_sentence(report: EvaluationReport) -> str:
    """Whether the change of the last list survives inside plain sentences; empty where none are known."""
    if report.in_context is None:
        return ""
    return translate("The same words inside plain sentences: {told}", told=change_sentence(report.in_context))


def knowledge_sentence(report: EvaluationReport) -> str:
    """For which words the adapter's effect holds, by the base's own translations; empty where there are none."""
    if not report.by_knowledge:
        return ""
    ways = []
    for way, language in report.evaluations[-1].before.languages.answers.items():
        parts = [
            translate(
                N_("{change:+.3f}{within} (p {p:.2g}) for {n} words that the base translates rightly")
                if part.known
                else N_("{change:+.3f}{within} (p {p:.2g}) for {n} that it does not"),
                change=part.after - part.before,
                within=bounds(*part.ci95),
                p=part.p,
                n=part.n,
            )
            for part in report.by_knowledge
            if part.way == way
        ]
        ways.append(translate("to {language} {parts}", language=translate(language.name), parts=", ".join(parts)))
    return translate(
        "Change of the mean reciprocal rank on the {list} list: {ways}.",
        list=translate(report.evaluations[-1].name),
        ways="; ".join(ways),
    )
