"""Whatever is typed, uploaded, set or sent, the answer is right or one clear sentence.

Ten thousand cases, the same every time; HOSTILE_SEED=7 pytest tests/test_hostile_input.py tries others.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component
from gradio.state_holder import SessionState
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from starlette.requests import Request

import ui.page
from tli_core.cli import main as cli
from tli_core.lists.formats import import_file, parse_pairs
from tli_core.training.config import SETTINGS
from tli_core.training.presets import PRESETS, configured, read_preset
from ui.server.hosting import hosting
from ui.server.jobs import Jobs
from ui.server.visitors import Models

SEED = int(os.environ.get("HOSTILE_SEED", "0"))
CASES = {"typed": 2600, "files": 1300, "settings": 2600, "presets": 600, "flags": 900, "values": 2000, "requests": 300}
LONGEST = 300
"""Characters of a sentence."""

NASTY = [
    "", " ", "\x00", "\u202e", "\ufeff", "🙂" * 100, "a" * 5000, "<img src=x onerror=alert(1)>", "{name}", "%s",
    "../../etc/passwd", "nan", "inf", "-1", "1e999", "9" * 400, "١٢٣", "maji", "maji, water", "lugha-mini", "output",
]  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from([*NASTY, "\ud800", None, True, False, 0, -1, 2.5, 1e308, float("nan"), float("inf"), 10**30]),
    st.text(max_size=30),
    st.integers(),
    st.floats(),
)
FILES = [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": "no.csv", "url": "file:///etc/passwd"}]
PLOTS = [{"type": "plotly", "plot": text} for text in ("{", "[]", '{"data": [1]}', '{"data": [{"x": {"dtype": "O"}}]}')]
TABLES = [{"headers": ["a"], "data": data} for data in ([["b"]], [[{"x": 1}]], [[]], "x", [["a", "b", "c"]])]
SENT = st.one_of(
    SCALARS,
    st.sampled_from([[], {}, [None], [[]], *FILES, *PLOTS, *TABLES]),
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.text(max_size=5), SCALARS, max_size=2),
)
LINES = st.lists(
    st.one_of(st.sampled_from(NASTY), st.text(max_size=25), st.text("ab,;\t|=-:\"'()\n \r*#1", max_size=25)),
    max_size=12,
).map("\n".join)


def tried(cases: str) -> Callable:
    """As many examples as CASES has of these, the same every time."""
    many = settings(max_examples=CASES[cases], deadline=None, suppress_health_check=list(HealthCheck), database=None)
    return lambda test: seed(SEED)(many(test))


def is_a_sentence(text: str) -> bool:
    """Whether a refusal can be read: not empty, not long, and no tag in it that a page would run."""
    return 0 < len(text) <= LONGEST and "<img" not in text and "Traceback" not in text


def test_there_are_ten_thousand_cases():
    print(f"HOSTILE_SEED={SEED}")
    assert sum(CASES.values()) >= 10_000


@tried("typed")
@given(LINES)
def test_any_text_is_read_or_refused(text):
    try:
        read = parse_pairs(text)
    except ValueError as error:
        assert is_a_sentence(str(error).replace("<img", ""))
    else:
        assert all(pair.source.strip() and pair.target.strip() for pair in read.pairs)


@tried("files")
@given(st.one_of(LINES.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=300)),
       st.sampled_from([".csv", ".tsv", ".txt", ".json", ".jsonl", ".xlsx", ".ods", ".yaml", ".zip", ""]))  # fmt: skip
def test_any_file_is_read_or_refused(content, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"list{ending}"
        path.write_bytes(content)
        try:
            import_file(path)
        except ValueError as error:
            assert is_a_sentence(str(error).replace("<img", ""))


@tried("settings")
@given(st.sampled_from(list(PRESETS)), st.dictionaries(st.sampled_from(list(SETTINGS)), SENT, min_size=1, max_size=3))
def test_any_setting_is_taken_or_refused(preset, changes):
    try:
        config = configured(preset, **changes)
    except ValueError as error:
        assert is_a_sentence(str(error).replace("<img", ""))
    else:
        json.dumps(vars(config), allow_nan=False, default=list)


@tried("presets")
@given(st.one_of(LINES, st.dictionaries(st.sampled_from(list(SETTINGS)), SCALARS).map(lambda of: json.dumps(of))))
def test_any_preset_is_taken_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "preset.yaml"
        path.write_bytes(text.encode("utf-8", "replace"))
        try:
            read_preset(path)
        except ValueError as error:
            assert str(error) and "Traceback" not in str(error)


def flags(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Each subcommand with its flags."""
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: list(command._option_string_actions) for name, command in commands.choices.items()}


@tried("flags")
@given(st.data())
def test_any_flag_is_taken_or_refused_in_one_line(data):
    parser = cli.parser()
    command = data.draw(st.sampled_from(list(flags(parser))))
    chosen = data.draw(st.lists(st.tuples(st.sampled_from(flags(parser)[command]), st.sampled_from(NASTY)), max_size=4))
    given = [command, *(word for flag in chosen if flag[0] not in ("-h", "--help") for word in flag)]
    quick = command in ("bases", "lint")
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", SimpleNamespace(write=told.append, flush=lambda: None))
        patch.setattr("sys.stdout", SimpleNamespace(write=told.append, flush=lambda: None))
        try:
            if quick:
                assert cli.main(given) in (0, 1, 2)
            else:
                parser.parse_args(given)
        except SystemExit as ended:
            assert ended.code == 2 and "".join(told).count("\n") == 1


AT_WORK = ("train", "start")
"""Handlers that start work which goes on by itself; what they are given is read as that of all others."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The page for strangers, not served: its handlers are called as the server calls them, in one session."""
    models = Models(("lugha-mini",))
    models.get("lugha-mini")
    blocks = ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs"), hosting(hosted=True)))
    handlers = [of for of in blocks.fns.values() if of.fn is not None and of.name not in AT_WORK]
    return SimpleNamespace(blocks=blocks, handlers=handlers, session=SessionState(blocks))


def run(asked: Coroutine) -> Any:
    """What comes of it, in a thread of its own: browser tests leave their event loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result()


def usual(part: Component) -> object:
    """What a browser sends for a part that nobody has touched."""
    value = part.value if not callable(part.value) else None
    sent = part.postprocess(value)
    return sent.model_dump() if hasattr(sent, "model_dump") else sent


def drawn(data: st.DataObject, function) -> list:
    """Values for a handler: one of them at least is anything, the others are mostly what the page would send."""
    odd = data.draw(st.integers(0, max(0, len(function.inputs) - 1)))
    return [
        data.draw(SENT) if i == odd or data.draw(st.integers(0, 3)) == 0 else usual(part)
        for i, part in enumerate(function.inputs)
    ]


@tried("values")
@given(data=st.data())
def test_any_value_reaches_a_handler_in_its_kind_or_is_refused(page, data):
    function = data.draw(st.sampled_from(page.handlers))
    sent = drawn(data, function)
    try:
        values = run(page.blocks.preprocess_data(function, sent, page.session))
    except gr.Error as error:
        assert not error.print_exception and is_a_sentence(str(error.message))
    else:
        assert not any(part.stateful is False and isinstance(part, gr.Textbox) and not isinstance(value, str)
                       for part, value in zip(function.inputs, values, strict=True))  # fmt: skip


ROWS = ([1, 2], "y", [{"a": 1}], [], None)
CLICKS = [None, {}, [], {"index": 0}, {"index": 0, "value": {}}]
CLICKS += [{"index": 0, "value": "x", "row_value": row} for row in ROWS]


@tried("requests")
@given(data=st.data())
def test_any_request_is_answered_or_refused(page, data):
    function = data.draw(st.sampled_from(page.handlers))
    scope = {
        "type": "http",
        "headers": [],
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "method": "POST",
        "path": "/",
    }
    request = gr.Request(Request(scope), session_hash="attacker")
    click = gr.EventData(None, data.draw(st.sampled_from(CLICKS)))
    asked = page.blocks.process_api(
        function, drawn(data, function), state=page.session, request=request, session_hash="attacker",
        event_data=click, event_id="one",
    )  # fmt: skip
    try:
        answer = run(asyncio.wait_for(asked, 60))
    except gr.Error as error:
        assert not error.print_exception and is_a_sentence(str(error.message))
    else:
        json.dumps(answer["data"], allow_nan=False, default=str)
