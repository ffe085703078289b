"""The Calibration tab: which ways of reading this model can be believed, before anything is said of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.lexicon import shipped
from tli_core.lists.pairs import WordPair
from tli_core.models.known_bases import surely_known
from ui.page_context import PageContext
from ui.server.cancel import CancellableProgress, StopRequests
from ui.server.gpu import on_gpu
from ui.server.session_files import SessionFiles
from ui.server.token_limits import check_tokens
from ui.server.visitors import Models
from ui.widgets.errors import explained
from ui.widgets.events import MODEL_QUEUE, QUIET, Updates
from ui.widgets.mobile import bring_into_sight
from ui.widgets.pairs_input import languages_picker

ID, LABEL = "calibration", N_("Calibration")
SHIPPED, ON_ALIGNMENT = N_("the control pairs that ship"), N_("those on the Alignment tab")
MOST = 300
"""Every list is read in twenty ways: of more pairs a visitor would wait too long."""

LISTS = 5
WHY = N_(
    "If a list is not found, the model may not know it, or the way of reading may be blind. So five lists are read "
    "here in every way: pairs that this model *must* find, the pairs you ask about, and three that it must *not* find: "
    "the same words shuffled, wrong pairs that look alike, and random letters. Believe a way of reading that finds the "
    "first and none of the last three."
)
BEFORE = N_("Press **Calibrate**: half a minute for lugha-mini on two CPU cores.")
UNFINISHED = N_("Not finished: what is below, if anything, is from before.")


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    stops, downloads = StopRequests(), SessionFiles()
    gr.Markdown(WHY)
    with gr.Row():
        known = languages_picker(
            N_("Languages that this model surely knows. English with English: words of one meaning."),
            "calibration-known",
            N_("Must be found"),
            surely_known(context.models.names[0]),
        )
        languages = languages_picker(None, "calibration-languages", N_("Asked about"))
        source = gr.Radio([SHIPPED, ON_ALIGNMENT], value=SHIPPED, label=N_("Which pairs"), elem_id="calibration-source")
    with gr.Row():
        start = gr.Button(N_("Calibrate"), variant="primary", elem_id="calibrate")
        cancel = gr.Button(N_("Cancel"), interactive=False, elem_id="calibration-cancel")
    told = gr.Markdown(BEFORE, elem_id="calibration-told")
    table = gr.Dataframe(
        label=N_("P@1 there and back at a layer that other pairs picked, and at how many layers the list is found"),
        interactive=False,
        wrap=True,
        column_widths=["13%", "14%", "21%", "21%", "10%", "10%", "11%"],
        visible=False,
        max_height=900,
        elem_id="calibration-table",
    )
    download = gr.DownloadButton(N_("Download every number (JSON)"), visible=False, elem_id="calibration-json")
    buttons = [start, cancel]

    @explained
    def run(
        model: str,
        known: str,
        languages: str,
        source: str,
        text: str,
        of_text: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio finds it by its default)
    ) -> Updates:
        tell = CancellableProgress(stops.begin(request), progress, LISTS)
        try:
            asked = (shipped("control", languages), languages)
            if source != SHIPPED:
                asked = (parse_pairs(text, of_text).pairs, of_text)
            found = calibrated(context.models, model, (shipped("control", known), known), asked, tell)
        finally:
            stops.end(request)
        headers, *rows = core.reports.calibration.calibration_rows(found)
        path = downloads.fresh(request) / "calibration.json"
        core.reports.json_csv.write_json({"schema": core.reports.json_csv.SCHEMA, **asdict(found)}, path)
        data = {"headers": list(headers), "data": [list(row) for row in rows]}
        return {
            told: core.reports.calibration.calibration_sentence(found),
            table: gr.Dataframe(data, visible=True),
            download: gr.DownloadButton(value=str(path), visible=True),
        }

    def busy(working: bool) -> Updates:
        return {part: gr.Button(interactive=working is (part is cancel)) for part in buttons}

    def pressed(request: gr.Request) -> Updates:
        stops.expect(request)
        return {**busy(True), told: translate("Measuring …")}

    def ask_to_stop(request: gr.Request):
        stops.ask(request)
        return gr.Button(interactive=False)

    bring_into_sight([start.click], "calibration-told")
    running = start.click(pressed, None, [*buttons, told], **QUIET).then(
        run,
        [context.model, known, languages, source, context.pairs, context.languages],
        [told, table, download],
        api_visibility="private",
        show_progress_on=[told],
        **MODEL_QUEUE,
    )
    running.success(lambda: busy(False), None, buttons, **QUIET)
    running.failure(lambda: {**busy(False), told: translate(UNFINISHED)}, None, [*buttons, told], **QUIET)
    source.input(lambda chosen: gr.Dropdown(interactive=chosen == SHIPPED), source, languages, **QUIET)
    cancel.click(ask_to_stop, None, cancel, **QUIET)
    context.bar.follow(lambda model, visitor: {known: surely_known(model)}, [known])


@on_gpu(120)
def calibrated(
    models: Models,
    model: str,
    known: tuple[Sequence[WordPair], str],
    asked: tuple[Sequence[WordPair], str],
    progress: Callable[[str], None],
) -> core.measures.calibration.Calibration:
    """Calibrate a base on pairs that it must find and those asked about, each with the key of their languages.

    Raises:
        ValueError: there are too few or too many pairs, a base that cannot be used at once, or the visitor cancelled.
    """
    if not core.measures.significance.FEWEST <= len(asked[0]) <= MOST:
        text = N_("A calibration takes {least} to {most} pairs, and these are {n}: give as many.")
        least = core.measures.significance.FEWEST
        raise ValueError(translate(text, least=least, most=MOST, n=len(asked[0])))
    loaded = models.get(model)
    check_tokens(loaded, asked[0])
    return core.measures.calibration.calibrate(loaded, known, asked, progress=progress)
