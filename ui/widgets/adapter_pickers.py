"""The adapter pickers of all tabs: they offer the same adapters and follow the model and a new fine-tune together."""

import time

import gradio as gr

from tli_core.i18n import N_, translate
from ui.server.visitors import BASE, Models, Visitor
from ui.widgets.events import Parts, Updates


class AdapterPickers:
    """One picker a tab, made before the tabs, which render their own: a fine-tune sets them all.

    changed is a state that changes when it does, for what follows: a picker in a tab that was never opened tells
    nothing.
    """

    def __init__(self, models: Models):
        self._model = models.names[0]
        self.alignment = self._made(N_("Adapter, drawn over the base"), "adapter", start_with_base=True)
        self.evaluate = self._made(N_("Adapter to judge"), "evaluate-adapter", with_base=False)
        self.space = self._made(N_("Adapter, beside the base"), "space-adapter")
        self.answers = self._made("Adapter", "compare-adapter")
        self.changed = gr.State(0)

    @property
    def _pickers(self) -> list[gr.Dropdown]:
        return [self.alignment, self.evaluate, self.space, self.answers]

    @property
    def outputs(self) -> Parts:
        """Every picker, and `changed`."""
        return [*self._pickers, self.changed]

    def updates(self, visitor: Visitor, model: str, chosen: str | None = None) -> Updates:
        """What every picker offers for a model; `chosen` is selected everywhere, else the base or what there is."""
        made: Updates = {self.changed: time.time_ns()}
        for picker in self._pickers:
            names = _names(visitor, model, with_base=picker is not self.evaluate)
            made[picker] = gr.Dropdown(choices=adapter_choices(names), value=chosen or next(iter(names), None))
        return made

    def choices(self, visitor: Visitor, model: str) -> Updates:
        """What every picker offers for a model, with what is chosen left as it is."""
        return {
            picker: gr.Dropdown(choices=adapter_choices(_names(visitor, model, with_base=picker is not self.evaluate)))
            for picker in self._pickers
        }

    def _made(self, label: str, elem_id: str, with_base: bool = True, start_with_base: bool = False) -> gr.Dropdown:
        names = _names(Visitor(), self._model, with_base)
        value = BASE if start_with_base else next((name for name in names if name != BASE), None)
        return gr.Dropdown(
            adapter_choices(names), value=value, label=label, min_width=160, render=False, elem_id=elem_id
        )


def _names(visitor: Visitor, model: str, with_base: bool) -> list[str]:
    return [name for name in visitor.adapters(model) if with_base or name != BASE]


def adapter_choices(names: list[str]) -> list[tuple[str, str]]:
    """(label, name) of adapters, the base's label in the reader's language."""
    return [(translate(BASE) if name == BASE else name, name) for name in names]
