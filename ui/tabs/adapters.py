"""The Adapters tab: import an adapter from a file, the Hub or a folder, download one, or upload one to the Hub."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import gradio as gr

import tli_core as core
from tli_core.i18n import N_, translate
from tli_core.models.registry import shipped_adapters
from ui.page_context import PageContext
from ui.server.gpu import on_gpu
from ui.server.hosting import Hosting
from ui.server.sender import sender_of
from ui.server.session_files import SessionFiles
from ui.server.storage_quota import StorageQuota
from ui.server.training_run import archive
from ui.server.visitors import Models, OwnAdapter, Visitor
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, Parts, Updates, uncover

ID, LABEL = "adapters", N_("Adapters")
MAX_IMPORTED = 6
HEADERS = (N_("adapter"), N_("from"), N_("LoRA rank"), N_("matrices"), N_("blocks it changes"), "SHA-256")
LOG_IN_HERE = N_(
    "It goes up under the login of whoever runs this page: `hf auth login` on this machine first. The repository is "
    "made if it is not there."
)
NOBODY = N_("Nobody is logged in to the Hub: log in first.")
NO_LOGIN = N_(
    "Nobody can log in to the Hub here: download the adapter, and put it there yourself, with "
    "`hf upload your-name/adapter folder`."
)
NOBODY_HERE = N_("Nobody is logged in to the Hub: run hf auth login on this machine first.")
LOG_IN = N_("Log in, and it goes up under your own name. The repository is made if it is not there.")
# Where the login leads back to: Gradio's own button takes the address's query along.
COME_BACK_HERE = """() => {
  const query = new URLSearchParams(window.location.search);
  query.set("tab", "adapters");
  window.history.replaceState(window.history.state, "", "?" + query);
}"""


def build(context: PageContext) -> None:
    """Lay the tab out and wire it."""
    tab = AdaptersTab(context)
    tab.wire_list()
    tab.wire_import()
    tab.wire_publishing()


class AdaptersTab:
    """The tab's parts and what their events do."""

    def __init__(self, context: PageContext):
        self.context = context
        self.hosting = hosting = context.jobs.hosting
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                gr.Markdown(N_("## Bring one\nAny LoRA that PEFT saved as safetensors for the chosen base."))
                self.upload = gr.File(
                    label=N_("A zip file of its folder"), file_types=[".zip"], height=120, elem_id="adapter-upload"
                )
                with gr.Row():
                    self.repo = gr.Textbox(
                        label=N_("A Hub id"),
                        placeholder="owner/name@revision",
                        scale=3,
                        elem_id="adapter-repo",
                    )
                    self.fetch = gr.Button(N_("Fetch it"), min_width=100, scale=1, elem_id="adapter-fetch")
                with gr.Row(visible=hosting.folders):
                    self.folder = gr.Textbox(label=N_("A folder of this machine"), scale=3, elem_id="adapter-folder")
                    self.read = gr.Button(N_("Read it"), min_width=100, scale=1, elem_id="adapter-read")
                self.same = gr.Checkbox(
                    label=N_("It is for this base, whatever its config says"),
                    info=N_(
                        "For an adapter whose config names no base, or a copy of this one under another name. Shapes "
                        "are checked all the same."
                    ),
                    elem_id="adapter-same-base",
                )
                self.said = gr.Markdown(elem_id="adapter-said")
            with gr.Column(scale=3, min_width=300):
                gr.Markdown(N_("## What there is for this base"))
                self.table = gr.Dataframe(
                    headers=list(HEADERS), interactive=False, show_label=False, max_height=360, elem_id="adapter-table"
                )
                self.chosen = gr.Dropdown([], label=N_("Adapter"), elem_id="adapter-chosen")
                self.download = gr.DownloadButton(
                    N_("Download it (PEFT folder, zip)"), visible=False, elem_id="adapter-download"
                )
                about = LOG_IN if hosting.login else NO_LOGIN if hosting.hosted else LOG_IN_HERE
                gr.Markdown(N_("## Put it on the Hub"))
                gr.Markdown(about)
                if hosting.login:
                    login = gr.LoginButton(elem_id="login")
                    login.click(None, None, None, js=COME_BACK_HERE, **QUIET)
                publishing = hosting.login or not hosting.hosted
                with gr.Row(visible=publishing):
                    self.target = gr.Textbox(
                        label=N_("As"),
                        placeholder="your-name/Llama-swahili-tli",
                        scale=3,
                        min_width=240,
                        elem_id="publish-as",
                    )
                    self.push = gr.Button(N_("Put it there"), min_width=100, scale=1, elem_id="publish")
                self.private = gr.Checkbox(
                    value=True, label=N_("Private"), visible=publishing, elem_id="publish-private"
                )
                self.pushed = gr.Markdown(elem_id="publish-said")

    @property
    def _listed(self) -> Parts:
        return [self.table, self.chosen, self.download]

    def wire_list(self) -> None:
        """What there is for the base, and one of it as a file."""
        context, downloads = self.context, SessionFiles()

        def listed_again(model: str, visitor: Visitor, now: str | None):
            """The list of now, with what was chosen in it still chosen."""
            kept = now in visitor.adapters(model)[1:]
            updates = self._updates(model, visitor, now if kept else None)
            # Its download is made when the choice changes, which it does not here.
            return {part: value for part, value in updates.items() if not (kept and part is self.download)}

        @explained
        def packed(name: str | None, model: str, visitor: Visitor, request: gr.Request):
            if not name:
                return gr.DownloadButton(visible=False)
            # First whether this visitor has it: nothing is made or removed by a name that a browser sends.
            source = visitor.folder(model, name)
            copy = shutil.copytree(source, downloads.fresh(request) / name)
            label = translate("Download {name} (PEFT folder, zip)", name=name)
            return gr.DownloadButton(label, value=archive(copy, copy.parent), visible=True)

        context.bar.follow(self._updates, self._listed)
        context.opening.follow(lambda visitor, base, request: self._updates(base, visitor), self._listed)
        asked = [context.model, context.visitor, self.chosen]
        context.pickers.changed.change(listed_again, asked, self._listed, **CHECKED)
        self.chosen.change(packed, [self.chosen, context.model, context.visitor], self.download, **CHECKED)

    def wire_import(self) -> None:
        """An adapter from a file, the Hub, or a folder of this machine."""
        sources, token = core.models.adapter_sources, self.hosting.hub_token
        ways = (
            (self.upload.upload, self.upload, lambda path, into: sources.unpack_adapter(Path(path), into)),
            (self.fetch.click, self.repo, lambda place, into: sources.fetch_adapter(place, into, token)),
            (self.read.click, self.folder, lambda path, into: _copied(self.hosting, path, into)),
        )
        context = self.context
        for trigger, given, find in ways:
            running = trigger(
                self._import_handler(find),
                [given, context.model, context.visitor, self.same],
                [self.said, context.visitor, *context.pickers.outputs, *self._listed],
                api_visibility="private",
                show_progress_on=[self.said],
                **MODEL_QUEUE,
            )
            uncover(running, self.said)

    def wire_publishing(self) -> None:
        """An adapter put on the Hub, under the visitor's login or that of whoever runs the page for themselves."""
        hosting = self.hosting
        if hosting.login:

            @explained
            def put(name, model, repo, private, visitor, token: gr.OAuthToken | None):
                return _published(hosting, visitor, name, model, repo, private, token and token.token)
        else:

            @explained
            def put(name, model, repo, private, visitor):
                from huggingface_hub import get_token  # here, as it takes a second to import

                # The login of this machine is that of whoever runs it: strangers never have it.
                token = None if hosting.hosted else get_token()
                return _published(hosting, visitor, name, model, repo, private, token)

        given = [self.chosen, self.context.model, self.target, self.private, self.context.visitor]
        settings: dict[str, Any] = {**CHECKED, "show_progress": "minimal"}
        uncover(self.push.click(put, given, self.pushed, **settings), self.pushed)

    def _updates(self, model: str, visitor: Visitor, just_brought: str | None = None) -> Updates:
        """The list of what there is for a base."""
        rows = [_row(self.context.models, visitor, model, name) for name in visitor.adapters(model)[1:]]
        names = [row[0] for row in rows]
        return {
            self.table: {"headers": [translate(header) for header in HEADERS], "data": rows},
            self.chosen: gr.Dropdown(choices=names, value=just_brought or (names[0] if names else None)),
            self.download: gr.DownloadButton(visible=False),
        }

    def _import_handler(self, find: Callable[[str, Path], Path]) -> Callable:
        """A handler that brings an adapter, found by find(what, into), to its visitor."""
        context = self.context

        @explained
        def handler(what: str | None, model: str, visitor: Visitor, same: bool, request: gr.Request):
            if not what or not str(what).strip():
                raise ValueError(translate("Nothing was named: give an adapter first."))
            quota, sender = context.jobs.storage_quota, sender_of(request)
            brought = AdapterImport(context.models, quota, visitor, model, sender, same is True)
            name, remark = brought.run(lambda into: find(str(what).strip(), into))
            told = translate("**{name}** is ready, and chosen in the other tabs. {remark}", name=name, remark=remark)
            picked = context.pickers.updates(visitor, model, name)
            # The list is set here, and what was chosen in it before is not kept.
            del picked[context.pickers.changed]
            return {self.said: told, context.visitor: visitor, **picked, **self._updates(model, visitor, name)}

        return handler


def _published(
    hosting: Hosting, visitor: Visitor, name: str | None, model: str, repo: str, private: bool, token: str | None
) -> str:
    """Where an adapter is on the Hub now.

    Raises:
        ValueError: none is chosen, nobody is logged in, or the Hub refuses it.
    """
    if not name:
        raise ValueError(translate("No adapter is chosen: choose one above."))
    if not token:
        raise ValueError(translate(NOBODY if hosting.login else NO_LOGIN if hosting.hosted else NOBODY_HERE))
    address = core.reports.publishing.publish_adapter(visitor.folder(model, name), repo, token, private)
    return translate("**{name}** is on the Hub as [{repo}]({address}).", name=name, repo=repo.strip(), address=address)


@dataclass(frozen=True)
class AdapterImport:
    """An adapter import: its visitor, base and sender, and whether the visitor confirmed that it fits the base."""

    models: Models
    storage_quota: StorageQuota
    visitor: Visitor
    model: str
    sender: str
    same_base: bool = False

    def run(self, find: Callable[[Path], Path]) -> tuple[str, str]:
        """Import the adapter and check that it fits the base; returns its name and a remark.

        Args:
            find: puts its folder into the folder it is given.

        Raises:
            ValueError: it is for another base, does not fit, cannot be read, or there are too many.
        """
        self.models.check_ready(self.model)
        there = self.visitor.adapters(self.model)
        if len(self.visitor.imported) >= MAX_IMPORTED:
            raise ValueError(
                translate("{n} adapters were brought already: reload the page to begin anew.", n=MAX_IMPORTED)
            )
        into = Path(tempfile.mkdtemp(prefix="lugha-adapter-"))
        try:
            self.storage_quota.check(self.sender, 0)
            folder = find(into)
            self.storage_quota.check(self.sender, sum(file.stat().st_size for file in folder.iterdir()))
            core.models.adapter_sources.check_base(folder, self.model, self.same_base)
            name = next(
                free
                for free in chain([folder.name], (f"{folder.name[:60]}-{n}" for n in count(2)))
                if free not in there
            )
            folder = folder.rename(folder.with_name(name))
            remark = check_fit(self.models, self.model, folder)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
        self.storage_quota.add_folder(into, self.sender)
        self.visitor.imported[name] = OwnAdapter(self.model, folder)
        return name, remark


@on_gpu(15)
def check_fit(models: Models, model: str, folder: Path) -> str:
    """A remark on an adapter that fits a base; empty where there is none.

    Raises:
        ValueError: it does not fit, or cannot be read.
    """
    return models.get(model).adapters[models.adapter_key(model, folder)].idle_sentence


def _copied(hosting: Hosting, path: str, into: Path) -> Path:
    """A folder of this machine, copied, where the machine is the visitor's own."""
    if not hosting.folders:
        raise ValueError(translate("Folders of this machine cannot be read here: upload a zip file."))
    is_readable, longest = core.models.adapter_config.is_readable, core.models.adapter_config.LONGEST_PATH
    source = Path(os.path.expanduser(path))
    if not is_readable(source / core.models.adapter_sources.CONFIG):
        text = N_("{path} has no adapter_config.json: point to a folder that PEFT saved.")
        raise ValueError(translate(text, path=f"{source}"[-longest:]))
    target = into / core.models.adapter_sources.folder_name(source.name)
    target.mkdir()
    for name in filter(lambda name: is_readable(source / name), core.models.adapter_sources.WANTED):
        try:
            shutil.copyfile(source / name, target / name)
        except OSError as error:
            text = N_("{name} cannot be copied from {path} ({error}): see that it can be read.")
            reason = error.strerror or type(error).__name__
            raise ValueError(translate(text, name=name, path=f"{source}"[-longest:], error=reason)) from error
    return target


def _row(models: Models, visitor: Visitor, model: str, name: str) -> list[str]:
    """What its files say of an adapter."""
    facts = core.models.adapter_sources.read_facts(visitor.folder(model, name))
    where = (
        translate("shipped")
        if name in shipped_adapters(base=model) and name not in visitor.own
        else translate("brought")
    )
    if name in visitor.trained:
        where = translate("trained here")
    return [name, where, facts.rank, ", ".join(facts.targets), facts.blocks or translate("all"), facts.sha256[:12]]
