"""Links that reopen a view: what was set is in the address, and is checked again when it comes back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

import gradio as gr

from tli_core.i18n import ENGLISH, N_, reader_language, translate
from tli_core.lists.language_pair import DEFAULT, language_pairs
from ui.widgets.errors import remark

MAX_LINK = 1800
"""Characters: longer addresses break in mail and chat."""

_OPEN = """() => document.querySelector(
  "#tabs > .tab-wrapper .tab-container:not(.visually-hidden) > [aria-selected=true]")?.dataset.tabId"""

# An address with a query; the language and the theme that the page was asked for in stay.
_ADDRESS = """(query) => {
  const now = new URLSearchParams(window.location.search), own = new URLSearchParams(query);
  const kept = ["lang", "__theme"].filter((of) => now.has(of) && !own.has(of));
  return "?" + query + kept.map((of) => "&" + of + "=" + now.get(of)).join("");
}"""


def address_of(tab: str) -> str:
    """JavaScript that keeps the link to a tab's view, and has the address name that view while the tab is open.

    What the browser knows of a view is its link. A view without one takes that of the view before it out, so that
    nobody sends that one. An answer that comes after another tab was opened leaves that tab's address alone.
    """
    return f"""(link) => {{
  const query = (link || "").match(/[(][?]([^)]*)[)]/)?.[1] || "tab={tab}";
  (window.tabLinks ??= {{}})["{tab}"] = query;
  if (({_OPEN})() === "{tab}") window.history.replaceState(window.history.state, "", ({_ADDRESS})(query));
}}"""


# Makes every tab that is opened an entry of the browser's history, so that Back leads to the tab before, and has the
# address name the tab's view. Gradio tells of a tab that is opened only once its parts are loaded, by when the next may
# be open: so the page itself is watched. A tab for which there is no room is in the menu, without ID.
HISTORY = f"""() => {{
  const bar = document.querySelector("#tabs > .tab-wrapper");  // not what the tabs hold, which changes all the time
  const shown = () => [...bar.querySelectorAll(".tab-container:not(.visually-hidden) > [data-tab-id]")];
  const open = {_OPEN};
  const label = (tab) => shown().find((button) => button.dataset.tabId === tab).textContent.trim();
  const entry = () => ({{tab: open(), label: label(open())}});
  let last = open(), back = false;
  if (last) window.history.replaceState(entry(), "");
  new MutationObserver(() => {{
    const now = open();
    if (!now || now === last) return;
    const first = !last, asked = new URLSearchParams(window.location.search).get("tab");
    last = now;
    if (first || back || asked === now) window.history.replaceState(entry(), "");
    else window.history.pushState(entry(), "", ({_ADDRESS})(window.tabLinks?.[now] || "tab=" + now));
    back = false;
  }}).observe(bar, {{subtree: true, attributes: true, attributeFilter: ["aria-selected"], childList: true}});
  window.addEventListener("popstate", ({{state}}) => {{
    if (!state?.tab || state.tab === last) return;
    const button = shown().find((one) => one.dataset.tabId === state.tab)
      || [...bar.querySelectorAll(".overflow-dropdown button")].find((one) => one.textContent.trim() === state.label);
    back = Boolean(button);
    button?.click();
  }});
}}"""


def view_link(tab: str, **state: str | int) -> str:
    """A sentence with the link to a view, in the language of whoever shares it, or one that says that there is none."""
    language = {} if reader_language() == ENGLISH else {"lang": reader_language()}
    query = urlencode({"tab": tab, **state, **language})
    if len(query) > MAX_LINK:
        return translate("This view is too long for a link.")
    return translate("[A link to this view](?{query}): it opens the page as it is now.", query=query)


def not_here(adapter: str) -> str:
    """What to say where a link asks for an adapter that this visitor does not have."""
    return translate("The link's adapter, {name}, is not here for you: choose another.", name=adapter[:64])


def asked_choice(query: Mapping[str, str], key: str, known: Collection[str], start: str) -> str:
    """What a link asks for under a key; what the page starts with where it asks for nothing, or for what is not there.

    The visitor is told of the latter: the sender saw another view.
    """
    asked = query.get(key, start)
    # A model of which the first blocks alone are loaded has no output, and a link that names none asks for nothing.
    if asked in known or asked == start:
        return asked
    text = N_("The link asks for {asked!r} as its {key}, which is not here: this is {start!r} instead.")
    remark(translate(text, asked=asked[:40], key=key, start=start))
    return start


def asked_languages(query: Mapping[str, str]) -> str:
    """The key of the two languages that a link asks for."""
    return asked_choice(query, "languages", language_pairs(), DEFAULT)


def asked_tab(request: gr.Request, known: Collection[str]) -> str | None:
    """The tab that the address names; None where it names none.

    Raises:
        ValueError: it names one that is not known.
    """
    asked = request.query_params.get("tab")
    if asked is not None and asked not in known:
        text = N_("The link asks for a tab that is not here, {asked!r}: choose one above. Known are {known}.")
        raise ValueError(translate(text, asked=asked[:40], known=", ".join(known)))
    return asked


def asked_for(request: gr.Request, tab: str) -> dict[str, str] | None:
    """What the address asks of a tab; None where it asks nothing of it but to be opened."""
    query = dict(request.query_params)
    asks = query.keys() - {"tab", "lang", "__theme"}
    return query if query.get("tab") == tab and asks else None
