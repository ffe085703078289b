"""The endpoints, as a program calls them."""

from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from ui.jobs import Jobs
from ui.visitors import Models

from .test_app import free_port


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    models = Models(("lugha-mini",))
    demo = app.build(models, Jobs(models, tmp_path_factory.mktemp("runs")))
    client = Client(app.launch(demo, free_port(), quiet=True), verbose=False)
    yield client
    client.close()
    demo.close()


def test_pairs_are_measured_with_their_control_under_base_and_adapter(client: Client):
    found = client.predict("maji, water\nmoto, fire\nbroken", adapter="mini-corrected", api_name="/measure")
    assert list(found["results"]) == ["lugha-mini", "mini-corrected"]
    layers = found["results"]["lugha-mini"]["layers"]
    assert len(layers) == 13 and all(isinstance(layer["mismatched"], float) for layer in layers)
    assert found["results"]["mini-corrected"]["provenance"]["adapter"] == "mini-corrected"
    assert any(note.startswith("Line 3") for note in found["notes"])


def test_neighbours_are_words_with_their_cosines(client: Client):
    found = client.predict("water", language="English", api_name="/neighbours")
    assert len(found["nearest"]) == 10 and found["candidates"] > 1000
    assert found["right_rank"] >= 1 and set(found["nearest"][0]) == {"word", "cosine", "right"}


@pytest.mark.parametrize(
    ("endpoint", "asked", "says"),
    [
        ("/measure", {"pairs": "nothing here"}, "No pair could be read"),
        ("/measure", {"pairs": "maji, water", "model": "../etc"}, "does not offer"),
        ("/measure", {"pairs": "maji, water", "adapter": "someone-else"}, "no adapter 'someone-else'"),
        ("/neighbours", {"word": " "}, "The word is empty"),
        ("/neighbours", {"word": "maji", "layer": "99"}, "There is no layer 99"),
    ],
)
def test_a_bad_request_is_answered_in_one_sentence(client: Client, endpoint: str, asked: dict, says: str):
    with pytest.raises(AppError, match=says):
        client.predict(**asked, api_name=endpoint)


def test_only_the_documented_endpoints_are_named(client: Client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/measure", "/neighbours"}
    for endpoint in named.values():
        assert all(parameter["python_type"]["type"] for parameter in endpoint["parameters"])
