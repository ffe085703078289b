"""The Adapters tab: bring one from a file, the Hub or a folder, download one, or put one on the Hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import gradio as gr

import tli_core as core
from tli_core.i18n import say
from tli_core.models.registry import shipped_adapters
from ui.server.gpu import on_gpu
from ui.server.hosting import Hosting
from ui.server.sender import sender_of
from ui.server.session_files import SessionFiles
from ui.server.storage_quota import Kept
from ui.server.training_run import archive
from ui.server.visitors import Models, OwnAdapter, Visitor
from ui.widgets.adapter_pickers import AdapterPickers
from ui.widgets.deep_links import Arrival
from ui.widgets.errors import explained
from ui.widgets.events import CHECKED, MODEL_QUEUE, QUIET, uncover
from ui.widgets.links import asked_for
from ui.widgets.model_bar import ModelBar

MAX_BROUGHT = 6
HEADERS = ("adapter", "from", "LoRA rank", "matrices", "blocks it changes", "SHA-256")
LOG_IN_HERE = (
    "It goes up under the login of whoever runs this page: `hf auth login` on this machine first. The repository is "
    "made if it is not there."
)
NOBODY = "Nobody is logged in to the Hub: log in first."
NO_LOGIN = (
    "Nobody can log in to the Hub here: download the adapter, and put it there yourself, with "
    "`hf upload your-name/adapter folder`."
)
NOBODY_HERE = "Nobody is logged in to the Hub: run hf auth login on this machine first."
LOG_IN = "Log in, and it goes up under your own name. The repository is made if it is not there."
# Where the login leads back to: Gradio's own button takes the address's query along.
COME_BACK_HERE = """() => {
  const query = new URLSearchParams(window.location.search);
  query.set("tab", "adapters");
  window.history.replaceState(null, "", "?" + query);
}"""


def build(
    models: Models,
    hosting: Hosting,
    kept: Kept,
    visitor: gr.State,
    bar: ModelBar,
    pickers: AdapterPickers,
    arrival: Arrival,
    tabs: gr.Tabs,
) -> None:
    """Lay the tab out and wire it."""
    model = bar.model
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("## Bring one\nAny LoRA that PEFT saved as safetensors for the chosen base.")
            upload = gr.File(
                label="A zip file of its folder", file_types=[".zip"], height=120, elem_id="adapter-upload"
            )
            with gr.Row():
                repo = gr.Textbox(
                    label="A Hub id",
                    placeholder="owner/name@revision",
                    scale=3,
                    elem_id="adapter-repo",
                )
                fetch = gr.Button("Fetch it", min_width=100, scale=1, elem_id="adapter-fetch")
            with gr.Row(visible=hosting.folders):
                folder = gr.Textbox(label="A folder of this machine", scale=3, elem_id="adapter-folder")
                read = gr.Button("Read it", min_width=100, scale=1, elem_id="adapter-read")
            same = gr.Checkbox(
                label="It is for this base, whatever its config says",
                info="For an adapter whose config names no base, or a copy of this one under another name. Shapes are "
                "checked all the same.",
                elem_id="adapter-same-base",
            )
            said = gr.Markdown(elem_id="adapter-said")
        with gr.Column(scale=3, min_width=300):
            gr.Markdown("## What there is for this base")
            table = gr.Dataframe(
                headers=list(HEADERS), interactive=False, show_label=False, max_height=360, elem_id="adapter-table"
            )
            chosen = gr.Dropdown([], label="Adapter", elem_id="adapter-chosen")
            download = gr.DownloadButton("Download it (PEFT folder, zip)", visible=False, elem_id="adapter-download")
            about = LOG_IN if hosting.login else NO_LOGIN if hosting.hosted else LOG_IN_HERE
            gr.Markdown("## Put it on the Hub")
            gr.Markdown(about)
            if hosting.login:
                login = gr.LoginButton(elem_id="login")
                login.click(None, None, None, js=COME_BACK_HERE, **QUIET)
            publishing = hosting.login or not hosting.hosted
            with gr.Row(visible=publishing):
                target = gr.Textbox(
                    label="As", placeholder="your-name/Llama-swahili-tli", scale=3, min_width=240, elem_id="publish-as"
                )
                push = gr.Button("Put it there", min_width=100, scale=1, elem_id="publish")
            private = gr.Checkbox(value=True, label="Private", visible=publishing, elem_id="publish-private")
            pushed = gr.Markdown(elem_id="publish-said")

    listed = [table, chosen, download]

    def shown(model: str, visitor: Visitor, just_brought: str | None = None) -> tuple:
        rows = [_row(models, visitor, model, name) for name in visitor.adapters(model)[1:]]
        names = [row[0] for row in rows]
        return (
            {"headers": [say(header) for header in HEADERS], "data": rows},
            gr.Dropdown(choices=names, value=just_brought or (names[0] if names else None)),
            gr.DownloadButton(visible=False),
        )

    def listed_again(model: str, visitor: Visitor, now: str | None) -> tuple:
        """The list of now, with what was chosen in it still chosen."""
        return shown(model, visitor, now if now in visitor.adapters(model)[1:] else None)

    bar.follow(shown, listed)
    arrival.follow(lambda visitor, base, request: dict(zip(listed, shown(base, visitor), strict=True)), listed)
    arrival.follow(lambda visitor, base, request: opened(tabs, request), [tabs])
    pickers.alignment.change(listed_again, [model, visitor, chosen], listed, **QUIET)

    def brought(find: Callable[[str, Path], Path]) -> Callable:
        """A handler that brings an adapter, found by find(what, into), to this visitor."""

        @explained
        def handler(what: str | None, model: str, visitor: Visitor, same: bool, request: gr.Request):
            if not what or not str(what).strip():
                raise ValueError(say("Nothing was named: give an adapter first."))
            brought = Brought(models, kept, visitor, model, sender_of(request), same is True)
            name, remark = brought.bring(lambda into: find(str(what).strip(), into))
            told = f"{say('**{name}** is ready, and chosen in the other tabs.', name=name)} {remark}"
            return told, visitor, *pickers.updates(visitor, model, name), *shown(model, visitor, name)

        return handler

    ways = (
        (upload.upload, upload, lambda path, into: core.models.adapter_sources.unpack_adapter(Path(path), into)),
        (
            fetch.click,
            repo,
            lambda place, into: core.models.adapter_sources.fetch_adapter(place, into, hosting.hub_token),
        ),
        (read.click, folder, lambda path, into: _copied(hosting, path, into)),
    )
    for trigger, given, find in ways:
        running = trigger(
            brought(find),
            [given, model, visitor, same],
            [said, visitor, *pickers.outputs, *listed],
            api_visibility="private",
            show_progress_on=[said],
            **MODEL_QUEUE,
        )
        uncover(running, said)

    downloads = SessionFiles()

    @explained
    def packed(name: str | None, model: str, visitor: Visitor, request: gr.Request):
        if not name:
            return gr.DownloadButton(visible=False)
        # First whether this visitor has it: nothing is made or removed by a name that a browser sends.
        source = visitor.folder(model, name)
        copy = shutil.copytree(source, downloads.fresh(request) / name)
        label = say("Download {name} (PEFT folder, zip)", name=name)
        return gr.DownloadButton(label, value=archive(copy, copy.parent), visible=True)

    chosen.change(packed, [chosen, model, visitor], download, **CHECKED)

    def publish(name: str | None, model: str, repo: str, private: bool, visitor: Visitor, token: str | None) -> str:
        if not name:
            raise ValueError(say("No adapter is chosen: choose one above."))
        if not token:
            raise ValueError(say(NOBODY if hosting.login else NO_LOGIN if hosting.hosted else NOBODY_HERE))
        address = core.reports.publishing.publish_adapter(visitor.folder(model, name), repo, token, private)
        return say("**{name}** is on the Hub as [{repo}]({address}).", name=name, repo=repo.strip(), address=address)

    given = [chosen, model, target, private, visitor]
    if hosting.login:

        @explained
        def put(name, model, repo, private, visitor, token: gr.OAuthToken | None):
            return publish(name, model, repo, private, visitor, token and token.token)
    else:

        @explained
        def put(name, model, repo, private, visitor):
            from huggingface_hub import get_token

            # The login of this machine is that of whoever runs it: strangers never have it.
            return publish(name, model, repo, private, visitor, None if hosting.hosted else get_token())

    uncover(push.click(put, given, pushed, **CHECKED | {"show_progress": "minimal"}), pushed)


def opened(tabs: gr.Tabs, request: gr.Request) -> dict:
    """This tab, where the address asks for it."""
    return {} if asked_for(request, "adapters") is None else {tabs: gr.Tabs(selected="adapters")}


@dataclass(frozen=True)
class Brought:
    """An adapter on its way to a visitor: for which base, from which sender, and whether they say that it is for it."""

    models: Models
    kept: Kept
    visitor: Visitor
    model: str
    sender: str
    same_base: bool = False

    def bring(self, find: Callable[[Path], Path]) -> tuple[str, str]:
        """Bring it: its name and a remark on it, once its files are checked and fit the base.

        Args:
            find: puts its folder into the folder it is given.

        Raises:
            ValueError: it is for another base, does not fit, cannot be read, or there are too many.
        """
        self.models.check_ready(self.model)
        there = self.visitor.adapters(self.model)
        if len(self.visitor.brought) >= MAX_BROUGHT:
            raise ValueError(say("{n} adapters were brought already: reload the page to begin anew.", n=MAX_BROUGHT))
        into = Path(tempfile.mkdtemp(prefix="lugha-adapter-"))
        try:
            self.kept.check(self.sender, 0)
            folder = find(into)
            self.kept.check(self.sender, sum(file.stat().st_size for file in folder.iterdir()))
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
        self.kept.hold(into, self.sender)
        self.visitor.brought[name] = OwnAdapter(self.model, folder)
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
        raise ValueError("Folders of this machine cannot be read here: upload a zip file.")
    source = Path(path).expanduser()
    if not (source / core.models.adapter_sources.CONFIG).is_file():
        raise ValueError(f"{source} has no {core.models.adapter_sources.CONFIG}: point to a folder that PEFT saved.")
    target = into / core.models.adapter_sources.folder_name(source.name)
    target.mkdir()
    for name in core.models.adapter_sources.WANTED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return target


def _row(models: Models, visitor: Visitor, model: str, name: str) -> list[str]:
    """What its files say of an adapter."""
    facts = core.models.adapter_sources.read_facts(visitor.folder(model, name))
    where = say("shipped") if name in shipped_adapters(base=model) and name not in visitor.own else say("brought")
    if name in visitor.trained:
        where = say("trained here")
    return [name, where, facts.rank, ", ".join(facts.targets), facts.blocks or say("all"), facts.sha256[:12]]
