"""The page's work for programs and for MCP clients: typed endpoints that return JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from inspect import Parameter, Signature
from typing import Any

import gradio as gr
from gradio.events import api as offer

import tli_core as core
from tli_core.encoding.lens import LENS, Lens
from tli_core.encoding.readouts import DEFAULT_READOUT
from tli_core.i18n import N_, translate
from tli_core.lists.formats import parse_pairs
from tli_core.lists.language_pair import DEFAULT, language_pair
from tli_core.lists.leaks import leak_notice
from tli_core.lists.lexicon import shipped
from tli_core.models.registry import check_adapter_name
from tli_core.training.config import SETTINGS, Setting
from tli_core.training.presets import configured
from ui.server.job import Job
from ui.server.jobs import Jobs
from ui.server.sender import sender_of
from ui.server.training_run import RunRequest, held_out, shipped_to_train
from ui.server.visitors import BASE, Models, Visitor
from ui.tabs.answers import FREE, MAX_TOKENS, answers, asked
from ui.tabs.space import neighbourhoods
from ui.widgets.errors import explained
from ui.widgets.evaluation_view import evaluated
from ui.widgets.events import MODEL_QUEUE
from ui.widgets.layer_picker import chosen_layer
from ui.widgets.measurement import MAX_PAIRS, measured, too_many

_INFINITY = float("inf")
API = "programs"
"""Programs have no browser that keeps their token: each address has a visitor's share, and a run is found by its id."""


def build(models: Models, jobs: Jobs) -> None:
    """Offer the endpoints; each waits its turn at the model as the page's own work does."""
    for endpoint in (*_measurement_endpoints(models, jobs), *_evaluation_endpoints(models, jobs)):
        offer(endpoint, api_name=endpoint.__name__, **MODEL_QUEUE)
    for endpoint in _training_endpoints(models, jobs):
        offer(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


def _measurement_endpoints(models: Models, jobs: Jobs) -> tuple[Callable, ...]:
    """The endpoints that measure words."""
    first = models.names[0]
    source_language = language_pair().source.name

    @explained
    def measure(
        pairs: str,
        model: str = first,
        adapter: str = "",
        readout: str = DEFAULT_READOUT,
        view: str = "raw",
        languages: str = DEFAULT,
    ) -> str:
        """How close the pairs are at every layer, right ones beside wrong ones.

        Args:
            pairs: pairs of words, one a line, source first, such as "maji, water"; or JSON, CSV, TSV.
            model: one of the bases that this server offers.
            adapter: a shipped adapter or the id of a job that has ended; empty for the base alone.
            readout: how a word becomes a vector: spaced, words, asked, in_context, last, weighted, or all (BOS averaged
                in, an artefact).
            view: raw, centred, standardised, or without_top.
            languages: two codes, such as sw-en.
        """
        visitor, name = _visitor_with_adapter(jobs, adapter)
        shown = measured(models, visitor, pairs, model, name, Lens(languages, readout, view))
        return _json(core.reports.json_csv.measurements_json(shown.results, shown.notes))

    @explained
    def neighbours(
        word: str,
        language: str = source_language,
        model: str = first,
        adapter: str = "",
        layer: str = "output",
    ) -> str:
        """The ten words of the other language nearest to a word, with marks, and the first right one's rank.

        Args:
            word: a word of the language.
            language: the name of the language that the word is of.
            model: one of the bases that this server offers.
            adapter: a shipped adapter or the id of a job that has ended; empty for the base alone.
            layer: a layer's number, or output.
        """
        visitor, name = _visitor_with_adapter(jobs, adapter)
        near = neighbourhoods(models, visitor, model, name, word, language, chosen_layer(layer), LENS)[
            model if name == BASE else name
        ]
        nearest = [
            {"word": n.word, "cosine": round(n.cosine, 5), "right": n.right, "look_alike": n.look_alike}
            for n in near.nearest
        ]
        return _json({"nearest": nearest, "right_rank": near.right_rank, "candidates": near.candidates})

    return measure, neighbours


def _evaluation_endpoints(models: Models, jobs: Jobs) -> tuple[Callable, ...]:
    """The endpoints that set an adapter against its base."""
    first = models.names[0]

    @explained
    def evaluate(adapter: str, pairs: str = "", model: str = first, layer: str = "output", languages: str = "") -> str:
        """Base against adapter on the pairs it was trained on and on unseen ones, with wrong pairs and a verdict.

        Args:
            adapter: a shipped adapter, or the id of a job that has ended.
            pairs: unseen pairs, one a line; empty for the shipped control list.
            model: the base that the adapter was made for.
            layer: a layer's number, or output.
            languages: two codes, such as sw-en; empty for those that the adapter was trained on.
        """
        visitor, name = _visitor_with_adapter(jobs, adapter)
        models.check_ready(model)
        visitor.folder(model, name)
        languages = languages.strip() or visitor.languages_of(model, name)
        lens = Lens(languages)
        visitor.check_languages(model, name, languages)
        trained = visitor.trained_on(model, name)
        control = parse_pairs(pairs, languages).pairs if pairs.strip() else shipped("control", languages)
        if len(control) > MAX_PAIRS:
            raise ValueError(too_many(len(control)))
        asked = chosen_layer(layer), lens, _no_progress
        found = evaluated(models, visitor, model, name, trained, control, *asked).evaluations
        leak = leak_notice(trained, control, languages)
        answer = {
            "lists": [core.reports.json_csv.evaluation_summary(item) for item in found],
            "provenance": found[0].after.provenance.as_dict(),
            "notes": [core.reports.notices.worded(leak)] if leak else [],
        }
        return _json(answer)

    @explained
    def generate(prompt: str, model: str = first, adapter: str = "", max_new_tokens: int = 20) -> str:
        """What the base writes after a prompt, greedily, and beside it what it writes with an adapter.

        Args:
            prompt: up to 1000 characters.
            model: one of the bases that this server offers.
            adapter: a shipped adapter or the id of a job that has ended; empty for the base alone.
            max_new_tokens: at most 120.
        """
        visitor, name = _visitor_with_adapter(jobs, adapter)
        wanted = asked(FREE, "", prompt)
        max_new_tokens = _whole("max_new_tokens", max_new_tokens)
        if not 1 <= max_new_tokens <= MAX_TOKENS:
            text = N_("max_new_tokens must be 1 to {max_tokens}, got {max_new_tokens}.")
            raise ValueError(translate(text, max_tokens=MAX_TOKENS, max_new_tokens=max_new_tokens))
        *_, found = answers(models, visitor, wanted, model, name, int(max_new_tokens))
        _, base, adapted = found.done[0]
        return _json({"base": base.text, "adapted": adapted.text if adapted else None})

    return evaluate, generate


def _training_endpoints(models: Models, jobs: Jobs) -> tuple[Callable, ...]:
    """The endpoints that start and follow a fine-tune."""
    first = models.names[0]

    fixed = (
        Parameter("pairs", Parameter.POSITIONAL_OR_KEYWORD, default="", annotation=str),
        Parameter("name", Parameter.POSITIONAL_OR_KEYWORD, default="from-a-program", annotation=str),
        Parameter("model", Parameter.POSITIONAL_OR_KEYWORD, default=first, annotation=str),
        Parameter("preset", Parameter.POSITIONAL_OR_KEYWORD, default="corrected", annotation=str),
    )
    languages = Parameter("languages", Parameter.POSITIONAL_OR_KEYWORD, default=DEFAULT, annotation=str)
    request = Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request)
    signature = Signature((*fixed, *map(_parameter, SETTINGS.values()), languages, request), return_annotation=str)

    @explained
    def train(*values):
        asked = signature.bind(*values)
        asked.apply_defaults()
        given = asked.arguments
        models.check_ready(given["model"])
        changes = {name: given[name] for name in SETTINGS if given[name] not in (None, "", [], False)}
        config = configured(str(given["preset"]), **changes)
        text = str(given["pairs"])
        codes = language_pair(str(given["languages"])).key
        pairs = parse_pairs(text, codes).pairs if text.strip() else shipped_to_train(codes)
        sender = sender_of(given["request"])
        name = check_adapter_name(str(given["name"]).strip())
        unseen = held_out(pairs, codes)
        asked = RunRequest(name, given["model"], config, pairs, unseen, languages=codes)
        return _json(_job_json(jobs, jobs.submit(asked, f"{API} {sender}", sender)))

    # Gradio reads what an endpoint takes from its function, and the settings of a fine-tune are TrainingConfig's.
    train.__signature__ = signature
    train.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    settings = "".join(f"\n    {setting.name}: {_described(setting)}" for setting in SETTINGS.values())
    train.__doc__ = f"{_TRAIN_HELP}{settings}\n    languages: two codes, such as sw-en."

    @explained
    def job(job: str, stop: bool = False) -> str:
        """How a fine-tune stands: its state, steps, held-out pairs, and its result once it has one.

        Args:
            job: the id that `train` gave.
            stop: end it after its present step and keep what it has learned.
        """
        found = jobs.find(job)
        if found is None:
            raise ValueError(translate("There is no such job: give the id that train returned."))
        if stop:
            jobs.stop(found)
        return _json(_job_json(jobs, found))

    return train, job


_TRAIN_HELP = """Start a fine-tune; returns a job, whose id is the key to it: ask `job` how it stands.

Args:
    pairs: pairs to train on, one a line; empty for the shipped training list.
    name: what the adapter is called.
    model: one of the bases that this server offers.
    preset: corrected, gentle or published; settings that are left empty are the preset's."""


def _parameter(setting: Setting) -> Parameter:
    """A setting as an argument of the endpoint; what is left empty is the preset's."""
    kinds: dict[str, tuple[type, Any]] = {"whole": (float, None), "real": (float, None), "switch": (bool, False)}
    hint, empty = kinds.get(setting.kind, (list[str], []) if setting.kind == "choices" else (str, ""))
    return Parameter(setting.name, Parameter.POSITIONAL_OR_KEYWORD, default=empty, annotation=hint)


def _described(setting: Setting) -> str:
    """What a setting is, and what it may be, in one line."""
    may_be = ", ".join(setting.choices) if setting.choices else "" if setting.kind == "switch" else setting.bounds
    return " ".join(filter(None, (f"{setting.label}.", setting.help, f"May be {may_be}." if may_be else "")))


def _whole(name: str, value: object) -> int:
    """A whole number, as a program may have written it."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value != value
        or value in (_INFINITY, -_INFINITY)
    ):
        raise ValueError(translate("{name} must be a whole number, got {value}.", name=name, value=str(value)[:40]))
    return int(value)


def _no_progress(doing: str) -> None:
    """Progress callback that does nothing: programs get no progress messages."""


def _json(answer: dict) -> str:
    """An answer as JSON text: a dict would reach an MCP client as Python writes it, which is no JSON."""
    return json.dumps(answer, ensure_ascii=False)


def _visitor_with_adapter(jobs: Jobs, adapter: str) -> tuple[Visitor, str]:
    """A visitor who may use an adapter, and its name: a shipped one, none, or that of a job's id."""
    found = jobs.find(adapter)
    if found is None:
        return Visitor(), adapter or BASE
    if not found.adapter:
        raise ValueError(translate("This job has no adapter yet: it is {state}.", state=translate(found.state)))
    visitor = Visitor(linked=[found.id])
    jobs.sync(visitor)
    return visitor, found.request.name


def _job_json(jobs: Jobs, job: Job) -> dict:
    """A job as JSON."""
    checks = [{"step": step.step, **asdict(step.check)} for step in job.steps if step.check]
    result = None
    if job.adapter and not job.active:
        lists = [core.reports.json_csv.evaluation_summary(item) for item in jobs.result(job).evaluations]
        result = {"record": jobs.result(job).record, "lists": lists}
    return {
        "job": job.id,
        "name": job.request.name,
        "state": job.state,
        "progress": jobs.progress(job) if job.active else job.message,
        "step": job.steps[-1].step if job.steps else 0,
        "held_out": checks,
        "result": result,
    }
