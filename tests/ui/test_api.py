"""The endpoints, as a program calls them."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import ui.page
import ui.serve
from tests.browsing import free_port
from ui.server.jobs import Jobs
from ui.server.visitors import Models

ENDPOINTS = {"/measure", "/train", "/job", "/evaluate", "/generate", "/neighbours"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    models = Models(("lugha-mini",))
    demo = ui.page.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))
    client = Client(ui.page.launch(demo, free_port(), quiet=True, mcp=True), verbose=False)
    yield client
    client.close()
    demo.close()


def ask(client: Client, *given, **named) -> dict:
    return json.loads(client.predict(*given, **named))


def test_pairs_are_measured_with_their_control_under_base_and_adapter(client: Client):
    found = ask(client, "maji, water\nmoto, fire\nbroken", adapter="mini-corrected", api_name="/measure")
    assert list(found["results"]) == ["lugha-mini", "mini-corrected"]
    layers = found["results"]["lugha-mini"]["layers"]
    assert len(layers) == 13 and all(isinstance(layer["mismatched"], float) for layer in layers)
    assert found["results"]["mini-corrected"]["provenance"]["adapter"] == "mini-corrected"
    assert any(note.startswith("Line 3") for note in found["notes"])


def test_neighbours_are_words_with_their_cosines(client: Client):
    found = ask(client, "water", language="English", api_name="/neighbours")
    assert len(found["nearest"]) == 10 and found["candidates"] > 1000
    assert found["right_rank"] >= 1 and set(found["nearest"][0]) == {"word", "cosine", "right", "look_alike"}


def test_a_fine_tune_is_started_followed_evaluated_and_asked(client: Client):
    pairs = "maji, water\nmoto, fire\nmti, tree\nsimba, lion"
    job = ask(client, pairs, name="mine", epochs=2, api_name="/train")
    assert job["name"] == "mine" and job["state"] in ("waiting", "running")
    deadline = time.monotonic() + 60
    while job["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        job = ask(client, job["job"], api_name="/job")
    assert job["state"] == "done" and job["step"] == 2 and job["result"]["record"]["pairs"] == 4
    assert [check["step"] for check in job["held_out"]] == [0, 1, 2]
    found = ask(client, job["job"], "kula, to eat\nkunywa, to drink", layer="3", api_name="/evaluate")
    assert [item["n_pairs"] for item in found["lists"]] == [4, 2] and found["provenance"]["adapter"] == "mine"
    assert all(isinstance(item[when]["mismatched"], float) for item in found["lists"] for when in ("before", "after"))
    said = ask(client, "Swahili: maji\nEnglish:", adapter=job["job"], max_new_tokens=4, api_name="/generate")
    assert said["base"].strip() == "water" and isinstance(said["adapted"], str)


def test_an_mcp_client_finds_the_same_tools_and_uses_one(client: Client):
    async def use() -> tuple[dict, dict]:
        async with (
            streamablehttp_client(f"{client.src}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            name = next(name for name in tools if name.endswith("measure"))
            answer = await session.call_tool(name, {"pairs": "maji, water\nmoto, fire"})
            return tools, json.loads(answer.content[0].text)

    # In a thread of its own, as browser tests leave their event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        tools, found = thread.submit(asyncio.run, use()).result()
    assert {f"/{name.rpartition('_')[2] or name}" for name in tools} == ENDPOINTS
    measure = next(tool for name, tool in tools.items() if name.endswith("measure"))
    assert "one a line" in measure.inputSchema["properties"]["pairs"]["description"]
    assert len(found["results"]["lugha-mini"]["layers"]) == 13


@pytest.mark.parametrize(
    ("endpoint", "asked", "says"),
    [
        ("/train", {"preset": "other"}, "no preset 'other'"),
        ("/train", {"name": "../up"}, "cannot name an adapter"),
        ("/train", {"model": "lugha-llama"}, "does not offer"),
        ("/job", {"job": "../../etc"}, "no such job"),
        ("/evaluate", {"adapter": "mini-corrected", "layer": "99"}, "There is no layer 99"),
        ("/evaluate", {"adapter": "0" * 32}, "no adapter '000"),
        ("/evaluate", {"adapter": ""}, "no adapter"),
        ("/evaluate", {"adapter": "mini-corrected", "languages": "fr-en"}, "was trained on Swahili and English"),
        ("/train", {"languages": "de-en", "pairs": "Wasser, water"}, "No control pairs of German and English"),
        ("/train", {"languages": "en-en"}, "No pairs of English and English to train on"),
        ("/train", {"languages": "nonsense"}, "nonsense"),
        ("/generate", {"prompt": " "}, "The prompt is empty"),
        ("/generate", {"prompt": "a", "max_new_tokens": 9999}, "max_new_tokens must be 1 to 120"),
        ("/measure", {"pairs": "nothing here"}, "The lexicon has no translation of 'nothing here'"),
        ("/measure", {"pairs": "maji, water", "model": "../etc"}, "does not offer"),
        ("/measure", {"pairs": "maji, water", "adapter": "someone-else"}, "no adapter 'someone-else'"),
        ("/neighbours", {"word": " "}, "The word is empty"),
        ("/neighbours", {"word": "maji " * 9999}, "The word has 49994 characters: shorten it to 120"),
        ("/neighbours", {"word": "maji", "layer": "99"}, "There is no layer 99"),
    ],
)
def test_a_bad_request_is_answered_in_one_sentence(client: Client, endpoint: str, asked: dict, says: str):
    with pytest.raises(AppError, match=says):
        client.predict(**asked, api_name=endpoint)


def test_only_the_documented_endpoints_are_named(client: Client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == ENDPOINTS
    for endpoint in named.values():
        assert all(parameter["python_type"]["type"] for parameter in endpoint["parameters"])
