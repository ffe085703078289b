"""A base that the page's owner names: offered once it is one, refused by name, and never asked of a shared page."""

from pathlib import Path

import pytest

from ui.server.hosting import hosting
from ui.server.visitors import Models
from ui.widgets.model_bar import ModelBar


def test_a_folder_is_offered_and_can_be_used_at_once(tiny_folder: Path):
    models = Models(("lugha-mini",))
    assert not models.is_ready(str(tiny_folder))
    models.offer(str(tiny_folder))
    models.offer(str(tiny_folder))
    assert models.names == ("lugha-mini", str(tiny_folder)) and models.is_ready(str(tiny_folder))
    assert models.layer_names(str(tiny_folder))[-1] == "output"


@pytest.mark.parametrize("name", ["", "no such folder", "owner/name/folder"])
def test_what_is_neither_a_hub_id_nor_a_folder_is_refused_by_name(name):
    models = Models(("lugha-mini",))
    with pytest.raises(ValueError, match="There is no model"):
        models.offer(name)
    assert models.names == ("lugha-mini",) and not models.is_ready(name)


@pytest.mark.parametrize("shared", [False, True])
def test_only_on_a_page_of_ones_own_may_any_base_be_named(shared):
    import gradio as gr

    with gr.Blocks():
        bar = ModelBar(Models(("lugha-mini",)), any_base=hosting(shared).folders)
    assert bar.model.allow_custom_value is not shared
    if shared:
        with pytest.raises(gr.Error):
            bar.model.preprocess("someone/else")
