"""What a phone needs: results that come into sight, panels below each other, and charts as wide as their tab."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.widgets.events import QUIET

SIDE_BY_SIDE = 700
"""Pixels: on wider screens results stand beside the buttons and not below them."""

# Plotly measures its place when it draws, and a hidden one has no width.
FIT = "() => setTimeout(() => window.dispatchEvent(new Event('resize')), 60)"


# Once what the answer changes above it is laid out, and in a tab that was just opened once that is there.
SCROLL = """() => {
  if (innerWidth >= NARROW) return;
  const scroll = (left) => {
    const place = document.getElementById("PLACE");
    if (place?.offsetParent) place.scrollIntoView({behavior: "smooth"});
    else if (left) setTimeout(() => scroll(left - 1), 150);
  };
  setTimeout(() => scroll(20), 150);
}"""


def on_phone(request: gr.Request) -> bool:
    """Whether a visitor's browser is a phone's, by the word that all of those have in their name."""
    return "Mobi" in request.headers.get("user-agent", "")


def bring_into_sight(triggers: Sequence[Any], elem_id: str) -> None:
    """On a narrow screen, scroll to where the answer to these events will stand."""
    gr.on(list(triggers), None, None, None, js=scroll_to(elem_id), **QUIET)


def scroll_to(elem_id: str) -> str:
    """JavaScript that scrolls to a part of the page, on a narrow screen."""
    return SCROLL.replace("NARROW", str(SIDE_BY_SIDE)).replace("PLACE", elem_id)


def when_opened(tabs: gr.Tabs) -> None:
    """Whenever a tab is opened, have its charts take the width that they have."""
    for tab in (tab for tab in tabs.children if isinstance(tab, gr.Tab)):
        tab.select(None, None, None, js=FIT, **QUIET)
