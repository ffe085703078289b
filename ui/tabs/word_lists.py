"""The Word lists tab: a file and how it is read, what is wrong with a list, the fixes to accept, and its two parts."""

from __future__ import annotations

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate, translate_plural
from tli_core.lists.formats import PairList, format_pairs, parse_pairs
from tli_core.lists.language_pair import language_pair
from tli_core.lists.lexicon import shipped
from tli_core.lists.lint import Finding, lint, mended
from tli_core.lists.split import split
from ui.page_context import PageContext
from ui.widgets import import_panel
from ui.widgets.errors import explained, remark
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Updates, uncover
from ui.widgets.measurement import MAX_PAIRS, note_list, too_many
from ui.widgets.mobile import bring_into_sight, scroll_to
from ui.widgets.pairs_input import LIST_LINES, languages_picker

ID, LABEL = "lists", N_("Word lists")
EXAMPLE = language_pair().page.untidy
MAX_FINDINGS = 200
TEST_PART = 0.2


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    WordListsTab(context)


class WordListsTab:
    """The tab's parts and what their events do; checked holds the list that was checked and the fixes on offer."""

    def __init__(self, context: PageContext):
        self.context = context
        self.checked = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.languages = languages_picker(None, "list-languages")
                self.file = import_panel.build()
                self.text = gr.Textbox(
                    EXAMPLE,
                    label=N_("The pairs"),
                    info=N_(
                        "What a file holds is put here. Or type or paste: one pair a line, CSV, JSON, a spreadsheet."
                    ),
                    lines=LIST_LINES,
                    max_lines=LIST_LINES,
                    elem_id="list-text",
                )
                self.against = gr.Checkbox(
                    label=N_("This list is to test with: name words that the shipped training list holds"),
                    elem_id="list-against",
                )
                self.check = gr.Button(N_("Check the list"), variant="primary", elem_id="check-list")
            with gr.Column(scale=3, min_width=300):
                self.summary = gr.Markdown(
                    N_(
                        "Choose a file or press **Check the list**. What is no word, repeats, several glosses in one "
                        "place, parts of speech, notes in brackets, wrong languages, look-alikes and leaks are named; "
                        "each fix is yours to accept, and those that need no judgement are ticked."
                    ),
                    elem_id="list-summary",
                )
                self.fixes = gr.CheckboxGroup(
                    [], label=N_("Fixes"), visible=False, show_select_all=True, type="index", elem_id="fixes"
                )
                self.accept = gr.Button(N_("Make the ticked fixes"), visible=False, elem_id="accept-fixes")
                self.known = gr.Markdown(visible=False, elem_id="list-notes")
                self.why = gr.Markdown(visible=False, elem_id="list-why", elem_classes="hint")
                with gr.Row():
                    self.to_alignment = gr.Button(N_("Measure this list"), min_width=140, elem_id="to-alignment")
                    self.to_training = gr.Button(N_("Train on this list"), min_width=140, elem_id="to-training")
                    self.divide = gr.Button(
                        N_("Train on four fifths, measure the rest"), min_width=140, elem_id="divide-list"
                    )
                self.divided = gr.Markdown(visible=False, elem_id="list-divided")
        self._wire()

    def _wire(self) -> None:
        context, tabs = self.context, self.context.tabs
        shown = [self.summary, self.fixes, self.accept, self.known, self.why, self.checked]
        asked = [self.text, self.against, context.model, self.languages]
        checking = {"fn": explained(self._run), "inputs": asked, "outputs": shown, "api_visibility": "private"}
        bring_into_sight([self.check.click], "list-summary")
        uncover(self.check.click(**checking, show_progress_on=[self.summary], **MODEL_QUEUE), self.summary)
        for read in import_panel.wire(self.file, self.languages, self.text):
            read.success(self._run_if_any, asked, shown, api_visibility="private", **MODEL_QUEUE)
        self.accept.click(
            self._accepted, [self.checked, self.fixes, self.languages], self.text, queue=False, api_visibility="private"
        ).then(**checking, **MODEL_QUEUE)
        measuring = self.to_alignment.click(
            lambda text, languages: {
                context.pairs: text,
                context.languages: languages,
                tabs: context.open("alignment"),
            },
            [self.text, self.languages],
            [context.pairs, context.languages, tabs],
            queue=False,
            api_visibility="private",
        ).then(*context.draw, api_visibility="private", show_progress="hidden", **MODEL_QUEUE)
        measuring.success(None, None, None, js=scroll_to("reading"), **QUIET)
        to_train = [context.train_pairs, context.train_languages, tabs]
        self.to_training.click(
            lambda text, languages: dict(zip(to_train, (text, languages, context.open("finetune")), strict=True)),
            [self.text, self.languages],
            to_train,
            queue=False,
            api_visibility="private",
        )
        self.divide.click(
            explained(self._divided),
            [self.text, self.languages],
            [self.divided, context.train_pairs, context.train_languages, context.pairs, context.languages],
            **CHECKED,
        )

    def _run_if_any(self, text: str, against: bool, model: str, languages: str) -> Updates:
        """The check after a file, which may hold nothing that can be read yet."""
        return explained(self._run)(text, against, model, languages) if text.strip() else {self.summary: gr.skip()}

    def _run(self, text: str, against: bool, model: str, languages: str) -> Updates:
        pairs = parse_pairs(text, languages)
        if len(pairs) > MAX_PAIRS:
            raise ValueError(too_many(len(pairs)))
        tokenizer = self.context.models.get(model).tokenizer
        pieces = {word: core.encoding.tokens.subwords(tokenizer, word) for pair in pairs for word in pair[:2]}
        trained = shipped("train", languages) if against else ()
        findings = lint(pairs.pairs, trained, pieces.__getitem__, languages)
        offered = tuple(finding for finding in findings if finding.fix)[:MAX_FINDINGS]
        notes = [*pairs.warnings, *(f"{translate(f.kind)}: {f.message}" for f in findings if not f.fix)]
        labels = [(f"{finding.message} → {finding.fix}", _key(i, finding)) for i, finding in enumerate(offered)]
        ticked = [value for (_, value), finding in zip(labels, offered, strict=True) if finding.certain]
        return {
            self.summary: _summary(pairs, len(offered), bool(notes), pieces, languages),
            self.fixes: gr.CheckboxGroup(choices=labels, value=ticked, visible=bool(offered)),
            self.accept: gr.Button(visible=bool(offered)),
            self.known: gr.Markdown(note_list(notes), visible=bool(notes)),
            self.why: gr.Markdown(_reasons(findings), visible=bool(findings)),
            self.checked: (pairs, offered),
        }

    def _accepted(self, checked: tuple[PairList, tuple[Finding, ...]] | None, ticked: list[int], languages: str):
        if checked is None:
            return gr.skip()
        pairs, offered = checked
        rows = mended(pairs.pairs, [offered[i] for i in ticked], languages)
        extras = [pairs.extras[i] for i, _ in rows] if pairs.extras else []
        return format_pairs([pair for _, pair in rows], pairs.unread, extras)

    def _divided(self, text: str, languages: str) -> Updates:
        context, pairs = self.context, parse_pairs(text, languages).pairs
        parts = split(pairs, TEST_PART, languages=languages)
        source, target = (translate(name) for name in language_pair(languages).names)
        said = translate(
            "{train} pairs are under **Fine-tune**, {test} under **Alignment**. They share no {source} and no {target} "
            "word in any form; {together} pairs went together for that.",
            train=len(parts.train),
            test=len(parts.test),
            source=source,
            target=target,
            together=parts.held_together,
        )
        remark(said.replace("**", ""))
        return {
            self.divided: gr.Markdown(said, visible=True),
            context.train_pairs: format_pairs(pairs[i] for i in parts.train),
            context.train_languages: languages,
            context.pairs: format_pairs(pairs[i] for i in parts.test),
            context.languages: languages,
        }


def _key(number: int, finding: Finding) -> str:
    """What stands for a fix on the page: two of them may say the same."""
    return f"{number} {finding.message}"


def _reasons(findings: tuple[Finding, ...]) -> str:
    """Why each kind of finding matters, once."""
    return "\n".join(f"- **{translate(kind)}**: {why}" for kind, why in {f.kind: f.why for f in findings}.items())


def _summary(pairs: PairList, to_mend: int, noted: bool, pieces: dict[str, tuple[str, ...]], languages: str) -> str:
    """How many pairs there are, how many want mending, and how many pieces their words have."""
    counted = f"**{translate_plural('{n} pair', '{n} pairs', len(pairs))}**"
    if to_mend:
        what = translate("{pairs}, {mend} with something to mend.", pairs=counted, mend=to_mend)
    elif noted:
        what = f"{counted}."
    else:
        what = translate("{pairs}: nothing to mend.", pairs=counted)
    counts = [[len(pieces[word]) for word in side] for side in zip(*(pair[:2] for pair in pairs), strict=True)]
    split_by = ", ".join(
        translate(
            "{language} {mean:.1f} (at most {most})",
            language=translate(language),
            mean=sum(count) / len(count),
            most=max(count),
        )
        for language, count in zip(language_pair(languages).names, counts, strict=True)
    )
    return translate("{what} Pieces a word, for this model: {split}.", what=what, split=split_by)
