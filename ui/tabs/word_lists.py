"""The Word lists tab: what is wrong with a list of pairs, and the fixes to accept."""

from __future__ import annotations

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.formats import PairList, format_pairs, parse_pairs, read_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.lint import apply, lint
from ui.page_context import PageContext
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, uncover
from ui.widgets.measurement import MAX_PAIRS, note_list, too_many
from ui.widgets.mobile import bring_into_sight, scroll_to
from ui.widgets.pairs_input import LIST_LINES, as_lines

ID, LABEL = "lists", N_("Word lists")
EXAMPLE = language_pair().page.untidy
MAX_FINDINGS = 200


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    models, model, tabs = context.models, context.model, context.tabs
    checked = gr.State(None)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            text = gr.Textbox(
                EXAMPLE,
                label=N_("Your pairs"),
                info=N_("One a line, or paste JSON, CSV or a spreadsheet."),
                lines=LIST_LINES,
                max_lines=LIST_LINES,
                elem_id="list-text",
            )
            upload = gr.File(
                label=N_("Or a file: JSON, CSV or TSV"), file_types=[".json", ".csv", ".tsv", ".txt"], height=140
            )
            against = gr.Checkbox(
                label=N_("This list is to test with: name words that the shipped training list holds"),
                elem_id="list-against",
            )
            check = gr.Button(N_("Check the list"), variant="primary", elem_id="check-list")
        with gr.Column(scale=3, min_width=300):
            summary = gr.Markdown(
                N_(
                    "Press **Check the list**. Repeats, several glosses in one place, hyphen stems, "
                    "infinitives against bare verbs, notes in brackets, names and loans, and leaks are "
                    "named; each fix is yours to accept."
                ),
                elem_id="list-summary",
            )
            fixes = gr.CheckboxGroup(
                [], label=N_("Fixes"), visible=False, show_select_all=True, type="index", elem_id="fixes"
            )
            accept = gr.Button(N_("Make the ticked fixes"), visible=False, elem_id="accept-fixes")
            known = gr.Markdown(visible=False, elem_id="list-notes")
            with gr.Row():
                to_alignment = gr.Button(N_("Measure this list"), min_width=140, elem_id="to-alignment")
                to_training = gr.Button(N_("Train on this list"), min_width=140, elem_id="to-training")

    shown = [summary, fixes, accept, known, checked]

    @explained
    def run(text: str, against: bool, model: str):
        pairs = parse_pairs(text)
        if len(pairs) > MAX_PAIRS:
            raise ValueError(too_many(len(pairs)))
        tokenizer = models.get(model).tokenizer
        pieces = {word: core.encoding.tokens.subwords(tokenizer, word) for pair in pairs for word in pair[:2]}
        findings = lint(pairs.pairs, shipped("train") if against else (), pieces.__getitem__)
        offered = tuple(finding for finding in findings if finding.fix)[:MAX_FINDINGS]
        notes = [*pairs.warnings, *(f"{translate(f.kind)}: {f.message}" for f in findings if not f.fix)]
        labels = [(f"{finding.message} → {finding.fix}", finding.message) for finding in offered]
        return {
            summary: _summary(pairs, len(offered), bool(notes), pieces),
            fixes: gr.CheckboxGroup(choices=labels, value=[value for _, value in labels], visible=bool(offered)),
            accept: gr.Button(visible=bool(offered)),
            known: gr.Markdown(note_list(notes), visible=bool(notes)),
            checked: (pairs, offered),
        }

    bring_into_sight([check.click], "list-summary")
    checking = check.click(
        run, [text, against, model], shown, api_visibility="private", show_progress_on=[summary], **MODEL_QUEUE
    )
    uncover(checking, summary)

    @explained
    def opened(path: str | None):
        return as_lines(read_pairs(path)) if path else gr.skip()

    upload.upload(opened, upload, text, **CHECKED).success(
        run, [text, against, model], shown, api_visibility="private", **MODEL_QUEUE
    )

    def accepted(checked: tuple | None, ticked: list[int]):
        if checked is None:
            return gr.skip()
        pairs, offered = checked
        return format_pairs(apply(pairs.pairs, [offered[i] for i in ticked]), pairs.unread)

    accept.click(accepted, [checked, fixes], text, queue=False, api_visibility="private").then(
        run, [text, against, model], shown, api_visibility="private", **MODEL_QUEUE
    )
    measuring = to_alignment.click(
        lambda text: {context.pairs: text, tabs: context.open("alignment")},
        text,
        [context.pairs, tabs],
        queue=False,
        api_visibility="private",
    ).then(*context.draw, api_visibility="private", show_progress="hidden", **MODEL_QUEUE)
    measuring.success(None, None, None, js=scroll_to("reading"), **QUIET)
    to_training.click(
        lambda text: {context.train_pairs: text, tabs: context.open("finetune")},
        text,
        [context.train_pairs, tabs],
        queue=False,
        api_visibility="private",
    )


def _summary(pairs: PairList, to_mend: int, noted: bool, pieces: dict[str, tuple[str, ...]]) -> str:
    """How many pairs there are, how many want mending, and how many pieces their words have."""
    if to_mend:
        what = translate("**{n} pairs**, {mend} with something to mend.", n=len(pairs), mend=to_mend)
    elif noted:
        what = translate("**{n} pairs**.", n=len(pairs))
    else:
        what = translate("**{n} pairs**: nothing to mend.", n=len(pairs))
    counts = [[len(pieces[word]) for word in side] for side in zip(*(pair[:2] for pair in pairs), strict=True)]
    split = ", ".join(
        translate(
            "{language} {mean:.1f} (at most {most})",
            language=translate(language),
            mean=sum(count) / len(count),
            most=max(count),
        )
        for language, count in zip(language_pair().names, counts, strict=True)
    )
    return translate("{what} Pieces a word, for this model: {split}.", what=what, split=split)
