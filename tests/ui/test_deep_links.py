"""What an address asks of the page."""

from types import SimpleNamespace
from typing import Any

import pytest

import ui.page
from ui.widgets.deep_links import asked_tab


def request_for(**query: str) -> Any:
    """A request whose address asks this."""
    return SimpleNamespace(query_params=query)


@pytest.mark.parametrize("tab", [tab.ID for tab in ui.page.TABS])
def test_an_address_may_name_every_tab(tab):
    context: Any = SimpleNamespace(tabs="tabs", open=lambda asked: f"opened {asked}")
    assert ui.page._asked_tab(context, request_for(tab=tab)) == {"tabs": f"opened {tab}"}


def test_an_address_without_a_tab_asks_for_none_and_one_that_is_not_here_is_said():
    assert asked_tab(request_for(word="maji"), ["word"]) is None
    with pytest.raises(ValueError, match=r"a tab that is not here, 'n{40}': choose one above. Known are word, space"):
        asked_tab(request_for(tab="n" * 50), ["word", "space"])
