"""What goes with a figure into a paper: a caption that says how to read it, and BibTeX for what it rests on."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from tli_core.i18n import N_, translate
from tli_core.models.layers import layer_words
from tli_core.models.registry import KNOWN_MODELS, ROOT
from tli_core.reports.chart import Chart, Kind

DASHES = {"solid": N_("solid"), "dot": N_("dotted"), "dashdot": N_("dash-dotted"), "dash": N_("dashed")}

TOOL = """@software{{lugha_lens,
  title   = {{Lugha Lens}},
  author  = {{{{Lugha Lens contributors}}}},
  version = {{{version}}},
  year    = {{2026}},
}}"""
PAPER = """@misc{ngugi2025tli,
  title         = {Targeted Lexical Injection: Unlocking Latent Cross-Lingual Alignment in {Lugha-Llama} via Early-Layer
                   {LoRA} Fine-Tuning},
  author        = {Ngugi, Stanley},
  year          = {2025},
  eprint        = {2506.15415},
  archivePrefix = {arXiv},
}"""
LUGHA_LLAMA = """@misc{buzaaba2025lugha,
  title         = {Lugha-Llama: Adapting Large Language Models for African Languages},
  author        = {Buzaaba, Happy and Wettig, Alexander and Adelani, David Ifeoluwa and Fellbaum, Christiane},
  year          = {2025},
  eprint        = {2504.06536},
  archivePrefix = {arXiv},
}"""
OTHER = """@misc{{{key},
  title        = {{{name}}},
  howpublished = {{Hugging Face Hub, {name}}},
}}"""


def own_version() -> str:
    """The version of this project: of the installed package, or of the checkout that nobody installed."""
    try:
        return version("lugha-lens")
    except PackageNotFoundError:
        found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
        return found[1] if found else ""


def caption_text(chart: Chart) -> str:
    """A caption: what the figure is, of what, and what its lines and bands are."""
    told = [translate("{title}. {heading}.", title=chart.title, heading=chart.heading)]
    if len(chart.labels) > 1:
        told.append(translate("Compared: {labels}.", labels="; ".join(chart.labels.values())))
    for measure in dict.fromkeys(panel.measure for panel in chart.panels):
        of = [panel for panel in chart.panels if panel.measure == measure]
        shown = [line for panel in of for line in panel.lines if line.visible]
        banded = {line.kind for line in shown if line.banded and line.bounds is not None}
        lines = "; ".join(_told(kind, kind in banded) for kind in dict.fromkeys(line.kind for line in shown))
        told.append(" ".join(filter(None, (f"{measure}:", of[0].about, translate("Lines: {lines}.", lines=lines)))))
    if chart.layer is not None:
        name = chart.axis.names[chart.layer] if chart.axis.names else ""
        told.append(translate("The long dashes mark {layer}.", layer=layer_words(name)))
    if any(not line.banded for panel in chart.panels for line in panel.lines):
        text = N_("Error bars: 95 % intervals at that layer, set beside each other to its right.")
        told.append(translate(text))
    lengths = {len(line.x) for panel in chart.panels for line in panel.lines if line.entry is not None}
    if chart.axis.names and len(lengths) > 1:
        told.append(translate("Models differ in their number of layers: each one's output is where its line ends."))
    return " ".join(filter(None, [*told, chart.data, drawn_with()])) + "\n"


def drawn_with() -> str:
    """What a caption ends with."""
    return translate("Drawn with Lugha Lens {version}.", version=own_version())


def _told(kind: Kind, banded: bool) -> str:
    """A kind of line, and what lies in its band where one is drawn."""
    line = f"{translate(DASHES[kind.dash])}, {translate(kind.told)}"
    return translate("{line} (band: {band})", line=line, band=translate(kind.band)) if banded else line


def citations(models: Iterable[str]) -> str:
    """BibTeX of this tool, of the published method, and of models, by what they were asked for."""
    entries = [TOOL.format(version=own_version()), PAPER]
    # A revision is behind an @.
    for name in dict.fromkeys(KNOWN_MODELS.get(name, name).partition("@")[0] for name in models):
        if name.startswith("Lugha-Llama/"):
            entries.append(LUGHA_LLAMA)
        # A model that ships is part of the tool, and a folder of somebody's machine is nobody else's to find.
        elif re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            entries.append(OTHER.format(key=re.sub(r"\W+", "-", name).lower(), name=name))
    return "\n\n".join(dict.fromkeys(entries)) + "\n"
