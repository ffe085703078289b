"""The served page attacked as strangers would: sessions that are paths, the operator's login, bodies without end."""

import json
import socket
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest

import ui.page
import ui.serve
from tests.browsing import free_port
from tests.hub import serve, take_for_the_hub
from tli_core.models.adapter_sources import WEIGHTS, unpack_adapter
from tli_core.models.registry import ROOT
from tli_core.training.config import SETTINGS
from ui import language
from ui.server.hosting import OWN_MACHINE, hosting
from ui.server.jobs import Jobs
from ui.server.private_login import private_login
from ui.server.request_guard import MAX_BODY_HOSTED, WAITING_EACH
from ui.server.sender import sender_of, session_of
from ui.server.storage_quota import StorageQuota
from ui.server.token_limits import MAX_TOKENS
from ui.server.visitors import BASE, Models, Visitor
from ui.tabs.adapters import AdapterImport
from ui.widgets.errors import LONGEST, explained

MINI = "mini-corrected"
PATHS = ("../../victim", "/tmp/victim", "..", "a/b", "a\\b", "A", "", "x" * 41, "ä", "a\n", ["a"], 3, {"a": 1})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The page as strangers get it, on no Space and without OAuth, and the events behind its buttons."""
    models = Models(("lugha-mini",))
    limits = hosting(hosted=True)
    demo = ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs"), limits))
    client = httpx.Client(base_url=f"{ui.page.launch(demo, free_port(), quiet=True)}gradio_api", timeout=30)
    yield SimpleNamespace(client=client, demo=demo, limits=limits)
    client.close()
    demo.close()


def event(served: SimpleNamespace, name: str, part: str | None = None) -> int:
    """The number of the event whose handler has this name, and one of whose inputs or outputs has this id."""
    for number, function in served.demo.fns.items():
        parts = [getattr(part, "elem_id", None) for part in (*function.inputs, *function.outputs)]
        if getattr(function.fn, "__name__", "") == name and (part is None or part in parts):
            return number
    raise AssertionError(f"no event {name} of {part}")


def do(served: SimpleNamespace, session: str, number: int, data: list) -> dict:
    """What the server says at the end of an event, asked for as a browser does; each event in a session of its own."""
    body = {"fn_index": number, "session_hash": session, "data": data}
    assert served.client.post("queue/join", json=body).status_code == 200
    with served.client.stream("GET", f"queue/data?session_hash={session}") as stream:
        told = next(line for line in stream.iter_lines() if "process_completed" in line)
    return json.loads(told.removeprefix("data: "))


@pytest.mark.parametrize("session", PATHS, ids=repr)
@pytest.mark.parametrize("where", ["run/predict", "queue/join", "api/predict", "reset", "cancel", "component_server"])
def test_a_session_that_is_a_path_is_refused_at_the_door(served, where, session):
    body = {"fn_index": event(served, "ask_to_stop", "evaluate-cancel"), "data": [], "session_hash": session}
    answer = served.client.post(where, json=body)
    assert answer.status_code == 400 and "session_hash must be" in answer.text


@pytest.mark.parametrize("session", ["..%2F..%2Fvictim", "A", "x" * 41])
@pytest.mark.parametrize("where", ["queue/data?session_hash={}", "heartbeat/{}"])
def test_so_is_one_in_the_address(served, where, session):
    assert served.client.get(where.format(session)).status_code in (400, 404)


def test_a_body_that_hides_its_session_is_refused(served):
    escaped = '{"fn_index": 0, "data": [], "session\\u005fhash": "../x"}'
    as_json = {"Content-Type": "application/json"}
    assert served.client.post("queue/join", content=escaped, headers=as_json).status_code == 400
    twice = '{"session_hash": "abc", "fn_index": 0, "data": [], "session_hash": "../x"}'
    assert served.client.post("queue/join", content=twice, headers=as_json).status_code == 400
    form = served.client.post("component_server", data={"session_hash": "../x"}, files={"a": b"b"})
    assert form.status_code == 415
    assert served.client.post("queue/join", content="[" * 200_000, headers=as_json).status_code == 400
    for where in ("queue/join", "run/upload", "api/upload", "call/upload"):
        assert served.client.post(where, content=b" " * (MAX_BODY_HOSTED + 1), headers=as_json).status_code == 413
        assert served.client.post(where, content='{"session_hash": "../x"}', headers=as_json).status_code == 400


def test_files_and_flags_are_named_by_a_digest_whatever_the_session(tmp_path):
    """The second lock: even a session that got through is never part of a path."""
    for session in (str(tmp_path), "../../x", None):
        name = session_of(SimpleNamespace(session_hash=session))
        assert len(name) == 32 and name.isalnum()


def test_an_adapter_that_this_visitor_does_not_have_removes_and_makes_nothing(served, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    told = do(served, "abc", event(served, "packed", "adapter-download"), [str(victim), "lugha-mini", None])
    assert not told["success"]
    assert victim.is_dir() and not (ROOT / "adapters" / "victim").exists()


def test_strangers_never_have_the_operators_login(served, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_operator")
    with serve(ROOT / "adapters" / MINI, "owner/mine") as hub:
        take_for_the_hub(hub, tmp_path / "home", monkeypatch)
        # Opening the page first, so that the shipped adapters may be chosen.
        opened = do(served, "publisher", event(served, "arrive"), ["", None, "lugha-mini"])
        publishing = [MINI, "lugha-mini", "owner/mine", True, None]
        published = do(served, "publisher", event(served, "put", "publish-said"), publishing)
        fetched = do(
            served, "fetcher", event(served, "handler", "adapter-repo"), ["owner/mine", "lugha-mini", None, False]
        )
    assert opened["success"] and fetched["success"]
    assert "Nobody can log in to the Hub here" in published["output"]["error"]
    assert hub.tokens == {""} and not hub.committed
    assert not (tmp_path / "home").exists()


def test_a_server_that_others_can_reach_serves_strangers(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    for name in ("127.0.0.1", "localhost", "::1"):
        monkeypatch.setenv("GRADIO_SERVER_NAME", name)
        assert hosting() is OWN_MACHINE
    for name in ("0.0.0.0", "192.168.1.7", "my-machine"):
        monkeypatch.setenv("GRADIO_SERVER_NAME", name)
        assert hosting().hosted and hosting().hub_token is False
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.1")
    monkeypatch.setenv("GRADIO_SHARE", "True")
    assert hosting().hosted


def test_uploads_have_an_end():
    limits = replace(hosting(hosted=True), upload_bytes=3_000_000)
    with language.Page(limits, analytics_enabled=False) as demo:
        gr.File()
    client = httpx.Client(base_url=f"{ui.page.launch(demo, free_port(), quiet=True)}gradio_api", timeout=30)
    try:
        sent = [client.post("upload", files={"files": ("a.bin", bytes(1_000_000))}).status_code for _ in range(4)]
        assert sent[:2] == [200, 200] and sent[-1] == 429
        # Without a length that says so beforehand.
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, AssertionError)):
            answer = client.post("upload", content=(bytes(100_000) for _ in range(100)))
            assert answer.status_code == 200
    finally:
        client.close()
        demo.close()


def test_a_page_with_a_login_opens_to_nobody_else(monkeypatch, capsys):
    monkeypatch.setenv("LUGHA_LOGIN", "lab:kiswahili-2026")
    monkeypatch.setattr("ui.server.private_login.SECONDS_A_WRONG_TRY", 0.3)
    with language.Page(hosting(hosted=True), analytics_enabled=False) as demo:
        gr.Textbox("mambo-ya-ndani").submit(lambda: "mambo-ya-ndani", None, gr.Textbox(), api_name="inside")
    address = ui.page.launch(demo, free_port(), quiet=True, login=private_login())
    try:
        with httpx.Client(base_url=address, timeout=30) as client:

            def closed() -> bool:
                answers = [client.get(path).status_code for path in ("config", "gradio_api/info")]
                asked = client.post("gradio_api/run/inside", json={"data": []})
                return all(code == 401 for code in (*answers, asked.status_code)) and "mambo-ya-ndani" not in asked.text

            assert closed() and "mambo-ya-ndani" not in client.get("").text
            began = time.monotonic()
            for name, password in (("lab", ""), ("", "kiswahili-2026"), ("lab", "x" * 10_000), ("lab\ud800", "é")):
                form = {"username": name.encode("utf-8", "replace"), "password": password}
                assert client.post("login", data=form).status_code in (400, 422)
            assert time.monotonic() - began > 0.3 and closed()
            assert client.post("login", data={"username": "lab", "password": "kiswahili-2026"}).status_code == 200
            assert client.get("config").status_code == 200
        assert "kiswahili-2026" not in "".join(capsys.readouterr())
    finally:
        demo.close()


@pytest.mark.parametrize("given", ["lab", ":kiswahili-2026", "lab:short"])
def test_a_login_that_is_none_keeps_the_page_from_starting(given, monkeypatch, capsys):
    monkeypatch.setenv("LUGHA_LOGIN", given)
    with pytest.raises(SystemExit):
        ui.serve.main(["--model", "lugha-mini"])
    told = capsys.readouterr().err
    assert "LUGHA_LOGIN must be name:password" in told and given not in told


def test_a_page_with_a_login_serves_no_assistants(monkeypatch, capsys):
    monkeypatch.setenv("LUGHA_LOGIN", "lab:kiswahili-2026")
    monkeypatch.setattr("ui.serve.find_spec", lambda name: True)
    with pytest.raises(SystemExit):
        ui.serve.settings(["--mcp"])
    assert "leave out one of them" in capsys.readouterr().err
    monkeypatch.setenv("SPACE_ID", "someone/lens")
    assert not ui.serve.settings([]).mcp


def slowly(client: httpx.Client, where: str, kind: str) -> str:
    """What a server answers to a request whose body begins and never ends, until it closes the connection."""
    head = f"POST /gradio_api/{where} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\nContent-Length: 999\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=20) as raw:
        raw.sendall(head.encode() + b"--b")
        return raw.recv(1000).decode(errors="replace")


def test_a_body_that_never_ends_holds_no_connection(served, monkeypatch):
    monkeypatch.setattr("ui.server.request_guard.BODY_SECONDS", 0.3)
    monkeypatch.setattr("ui.server.request_guard.UPLOAD_SECONDS", 0.3)
    assert slowly(served.client, "queue/join", "application/json").startswith("HTTP/1.1 408")
    # A connection that is closed without a word, or Gradio's own word for an upload that was broken off.
    assert not slowly(served.client, "upload", "multipart/form-data; boundary=b").startswith("HTTP/1.1 200")


def test_a_sender_is_the_address_that_the_spaces_proxies_saw(monkeypatch):
    def seen(forwarded: str, host: str = "10.0.0.1") -> str:
        return sender_of(SimpleNamespace(client=SimpleNamespace(host=host), headers={"x-forwarded-for": forwarded}))

    assert seen("8.8.8.8") == seen("9.9.9.9"), "off a Space the header is the visitor's own"
    monkeypatch.setenv("SPACE_ID", "someone/lens")
    assert seen("8.8.8.8") != seen("9.9.9.9")
    assert seen("1.2.3.4, 8.8.8.8") == seen("8.8.8.8, 10.1.1.1") == seen("8.8.8.8")
    assert seen("2a00:1450:4001:80e::1") == seen("2a00:1450:4001:80e:ffff::2") != seen("2a00:1450:4001:80f::1")
    assert seen("") == seen("nonsense")
    assert "8.8.8.8" not in seen("8.8.8.8")


def mini_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in (ROOT / "adapters" / MINI).iterdir():
            archive.write(file, f"mine/{file.name}")
    return path


def test_what_one_sender_brings_has_an_end_and_what_is_gone_counts_no_more(tmp_path):
    models, size = Models(("lugha-mini",)), (ROOT / "adapters" / MINI / WEIGHTS).stat().st_size
    limits = replace(hosting(hosted=True), own_bytes=int(2.5 * size), all_bytes=int(3.5 * size))
    kept, archive = StorageQuota(limits), mini_zip(tmp_path / "mine.zip")

    def run(visitor: Visitor, sender: str) -> str:
        return AdapterImport(models, kept, visitor, "lugha-mini", sender).run(
            lambda into: unpack_adapter(archive, into)
        )[0]

    first = Visitor()
    assert [run(first, "a") for _ in range(2)] == ["mine", "mine-2"]
    with pytest.raises(ValueError, match="What you keep here would pass"):
        run(Visitor(), "a")  # a new browser is the same address
    other = Visitor()
    run(other, "b")
    with pytest.raises(ValueError, match="disk is full of other visitors' runs"):
        run(Visitor(), "c")
    first.forget()
    run(Visitor(), "a")


def test_words_of_many_tokens_are_counted_by_their_tokens(served):
    family = "👩‍👩‍👧‍👦" * 10
    lines = "\n".join(f"{family}{i}, {family}e{i}" for i in range(2000))
    found = {n: f for n, f in served.demo.fns.items() if f.api_name == "measure"}
    (number,) = found
    told = do(served, "tokens", number, [lines, "lugha-mini", BASE, "words", "raw", "sw-en"])
    assert f"more than {MAX_TOKENS}, the most here" in told["output"]["error"]


def test_one_address_does_not_fill_the_line(served):
    """Its first requests wait for the model, further ones are refused, and an opened page is not kept waiting."""
    number = event(served, "evaluate")
    body = {"fn_index": number, "data": [MINI, "", "lugha-mini", "output", ""]}
    answers = [served.client.post("queue/join", json=body | {"session_hash": f"filler{i}"}) for i in range(12)]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(answers) - len(refused) <= WAITING_EACH["model"] + 2 and refused
    assert "still wait for the model" in refused[0].json()["detail"]
    called = served.client.post("call/evaluate", json={"data": [MINI, "", "lugha-mini", "output", ""]})
    assert called.status_code == 503
    assert do(served, "opens", event(served, "arrive"), ["", None, "lugha-mini"])["success"]


def test_a_name_without_end_leaves_room_for_what_to_do():
    @explained
    def refuse():
        raise ValueError(f"{'n' * 500} has no weights: save it again.")

    with pytest.raises(gr.Error) as refusal:
        refuse()
    told = str(refusal.value.message)
    assert len(told) <= LONGEST and told.endswith("has no weights: save it again.")


def test_what_a_program_sends_is_checked_before_it_is_used(served):
    """Numbers that are none, as JSON for other languages than Python's has them."""
    number = event(served, "train")
    for setting, value, says in (
        ("epochs", 1e999, "epochs must be a whole number"),
        ("epochs", "many", "epochs must be a whole number"),
        ("seed", float("nan"), "seed must be a whole number"),
        ("layer", "²", "layer must be a number or output"),
        ("targets", "q_proj", "targets must be a list"),
        ("name", 7, "name must be of the kind string"),
    ):
        settings = [value if name == setting else None for name in SETTINGS]
        name = 7 if setting == "name" else "mine"
        given = ["maji, water\nmoto, fire", name, "lugha-mini", "corrected", *settings, "sw-en"]
        body = json.dumps({"fn_index": number, "session_hash": "programs", "data": given})
        assert served.client.post("queue/join", content=body, headers={"Content-Type": "application/json"}).is_success
        with served.client.stream("GET", "queue/data?session_hash=programs") as stream:
            told = next(line for line in stream.iter_lines() if "process_completed" in line)
        assert says in told, told


def test_an_address_is_no_path(served):
    """A listening socket for good measure: nothing but this page answers here."""
    with socket.create_connection((served.client.base_url.host, served.client.base_url.port)) as raw:
        raw.sendall(b"GET /gradio_api/heartbeat/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"root:" not in raw.recv(100_000)
