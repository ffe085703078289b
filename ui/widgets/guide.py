"""How to read the page in two minutes, in English and Swahili, on the figures of the bundled adapters."""

import json
from pathlib import Path

import gradio as gr

from tli_core.i18n import N_
from tli_core.models.registry import ADAPTERS

TEXTS = {"English": "guide.en.md", "Kiswahili": "guide.sw.md"}
TRAINED_ON = {
    "mini-corrected": {"English": "trained on right pairs", "Kiswahili": "kilifundishwa kwa jozi sahihi"},
    "mini-shuffled": {"English": "trained on wrong ones", "Kiswahili": "kilifundishwa kwa jozi zisizo sahihi"},
}


def build() -> None:
    """Lay the guide out, closed, a tab a language."""
    records = {
        name: json.loads((ADAPTERS / name / "tli.json").read_text(encoding="utf-8")) for name in TRAINED_ON
    }  # fmt: skip
    title = N_("How to read this, in two minutes · Jinsi ya kusoma ukurasa huu")
    with gr.Accordion(title, open=False, elem_id="guide"), gr.Tabs():
        for language, file in TEXTS.items():
            text = Path(__file__).with_name(file).read_text(encoding="utf-8")
            pairs = records["mini-corrected"]["control_pairs"]
            with gr.Tab(language, id=language):
                gr.Markdown(text.format(pairs=pairs, rows=_rows(records, language)))


def _rows(records: dict[str, dict], language: str) -> str:
    """The held-out figures of the base, and of each adapter at the end of its run, as table rows."""
    checks = {"lugha-mini": records["mini-corrected"]["held_out"][0]}
    checks |= {
        f"{name}, {TRAINED_ON[name][language]}": record["held_out"][-1] for name, record in records.items()
    }  # fmt: skip
    return "\n".join(
        f"| {name} | {check['matched']:.3f} | {check['mismatched']:.3f} | {check['p_at_1']:.3f} |"
        for name, check in checks.items()
    )
