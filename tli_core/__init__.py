"""Measure and train cross-lingual alignment between two languages inside a language model.

The names in `__all__` are the stated public API, with examples in docs/python-api.md. Each is imported when it is first
used, because importing PyTorch and PEFT takes about ten seconds and would delay the first page load.
"""

from typing import TYPE_CHECKING, Any

from tli_core._lazy import submodules

if TYPE_CHECKING:
    from tli_core.encoding.lens import Lens
    from tli_core.lists.formats import ImportChoices, import_file, parse_pairs, read_pairs
    from tli_core.lists.lexicon import shipped
    from tli_core.lists.pairs import WordPair
    from tli_core.measures.alignment import measure
    from tli_core.measures.before_after import evaluate_lists
    from tli_core.measures.registry import MEASURES
    from tli_core.measures.result import LayerAlignment
    from tli_core.measures.verdicts import change, verdict
    from tli_core.models.loaded_model import LoadedModel, load_model
    from tli_core.models.registry import find_adapter
    from tli_core.reports.model_card import save_adapter
    from tli_core.reports.notices import worded
    from tli_core.training.config import TrainingConfig
    from tli_core.training.loop import train_adapter, train_together
    from tli_core.training.presets import PRESETS, configured
    from tli_core.training.run import RunPlan, TrainedAdapter

__all__ = [
    "MEASURES",
    "PRESETS",
    "ImportChoices",
    "LayerAlignment",
    "Lens",
    "LoadedModel",
    "RunPlan",
    "TrainedAdapter",
    "TrainingConfig",
    "WordPair",
    "change",
    "configured",
    "evaluate_lists",
    "find_adapter",
    "import_file",
    "load_model",
    "measure",
    "parse_pairs",
    "read_pairs",
    "save_adapter",
    "shipped",
    "train_adapter",
    "train_together",
    "verdict",
    "worded",
]

_HOMES = {
    "encoding.lens": ("Lens",),
    "lists.formats": ("ImportChoices", "import_file", "parse_pairs", "read_pairs"),
    "lists.lexicon": ("shipped",),
    "lists.pairs": ("WordPair",),
    "measures.alignment": ("measure",),
    "measures.before_after": ("evaluate_lists",),
    "measures.registry": ("MEASURES",),
    "measures.result": ("LayerAlignment",),
    "measures.verdicts": ("change", "verdict"),
    "models.loaded_model": ("LoadedModel", "load_model"),
    "models.registry": ("find_adapter",),
    "reports.model_card": ("save_adapter",),
    "reports.notices": ("worded",),
    "training.config": ("TrainingConfig",),
    "training.loop": ("train_adapter", "train_together"),
    "training.presets": ("PRESETS", "configured"),
    "training.run": ("RunPlan", "TrainedAdapter"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_submodule = submodules(__name__)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        package, _, module = _HOME_OF[name].partition(".")
        return getattr(getattr(_submodule(package), module), name)
    return _submodule(name)
