"""Trained adapters → standard PEFT folders with their record and their card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData
from safetensors.torch import save_file

from tli_core.atomic_files import new_folder, write_text
from tli_core.i18n import ENGLISH, N_, in_language, translate
from tli_core.lists.language_pair import language_pair
from tli_core.measures.before_after import Evaluation
from tli_core.models.adapter_sources import RECORD, WEIGHTS
from tli_core.models.known_bases import known_base
from tli_core.models.registry import source_of
from tli_core.reports.json_csv import write_json
from tli_core.reports.messages import change_sentence
from tli_core.reports.notices import worded
from tli_core.reports.tables import evaluation_table, how_read
from tli_core.training.run import TrainedAdapter

NOTICE = "NOTICE"
LLAMA_NOTICE = (
    "Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved."
)
"""The words that the licence itself prescribes for a file of this name."""


def needs_llama_name(base: str) -> bool:
    """Whether the licence of a base asks that what is made with it has Llama at the beginning of its name."""
    known = known_base(base)
    return known is not None and "llama3.1" in (known.licence, _licence(known.parent))


def _licence(base: str) -> str | None:
    """What an adapter inherits from the base that it was made for, where that is known."""
    known = known_base(base)
    return known.licence or None if known else None


def save_adapter(trained: TrainedAdapter, folder: Path, name: str, evaluations: Sequence[Evaluation] = ()) -> Path:
    """Write a standard PEFT folder with its record and card, and return it.

    Raises:
        ValueError: the folder already holds an adapter of that name.
    """
    target = folder / name
    base = trained.record["base"]
    trained.lora.base_model_name_or_path = source_of(base["model"])
    trained.lora.inference_mode = True
    # PEFT keeps a set, whose order would differ from run to run.
    trained.lora.target_modules = sorted(trained.lora.target_modules or ())
    try:
        with new_folder(target) as part:
            trained.lora.save_pretrained(str(part))
            save_file(trained.state, part / WEIGHTS, metadata={"format": "pt"})
            write_json(trained.record, part / RECORD)
            if needs_llama_name(source_of(base["model"])):
                (part / NOTICE).write_text(f"{LLAMA_NOTICE}\n", encoding="utf-8")
            write_card(part, trained.record, evaluations, name)
    except FileExistsError as error:
        text = N_("{target} is already there: choose another name, or remove it first.")
        raise ValueError(translate(text, target=target)) from error
    return target


@in_language(ENGLISH)
def write_card(
    target: Path, record: Mapping[str, Any], evaluations: Sequence[Evaluation] = (), name: str | None = None
) -> None:
    """The adapter's README.md: what it is, how it was made, what was measured, how to load it.

    Args:
        name: the adapter's; its folder's by default.
    """
    name = name or target.name
    base, config = record["base"], record["config"]
    layer = N_("the output") if config["layer"] in (None, "output") else f"layer {config['layer']}"
    trained_on = "shuffled translations (a control: it must not learn anything)" if config["shuffled"] else "word pairs"
    languages = language_pair(base["languages"])
    data = ModelCardData(
        base_model=source_of(base["model"]),
        license=_licence(source_of(base["model"])),
        library_name="peft",
        language=[languages.source.code, languages.target.code],
        tags=["lora", "tli", languages.source.name.lower(), "cross-lingual-alignment"],
    )
    lines = [
        f"# {name}",
        "",
        f"A LoRA for `{base['model']}`, trained by Targeted Lexical Injection with the `{config['preset']}` preset on "
        f"{record['pairs']} {'–'.join(languages.names)} {trained_on}.",
        "",
        f"The {config['loss']} loss reads {layer}, readout `{config['readout']}`; LoRA of rank {config['rank']} on "
        f"{', '.join(config['targets'])} of the first {record['blocks_trained']} blocks; {record['steps']} steps, "
        f"seed {config['seed']}. `tli.json` has every setting and the curves.",
        "",
    ]
    if evaluations:
        place = evaluations[0].before.names[evaluations[0].layer]
        lines += [f"## Measured at {place}: {how_read(evaluations[0].before.provenance)}", ""]
        lines += [f"- {change_sentence(item)}" for item in evaluations]
        lines += ["", "```", evaluation_table(evaluations), "```", ""]
        warnings = dict.fromkeys(worded(warning) for item in evaluations for warning in item.warnings)
        lines += [*(f"- {warning}" for warning in warnings), *([""] if warnings else [])]
        lines += [f"These figures are about `{base['model']}` with this adapter, and about no other model.", ""]
    lines += [
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{source_of(base["model"])}")',
        f'model.load_adapter("path/to/{name}")  # this folder, or its id on the Hub',
        "```",
        "",
    ]
    if needs_llama_name(source_of(base["model"])):
        lines += [
            "## Licence",
            "",
            f"Built with Llama. {LLAMA_NOTICE} Its text is at https://www.llama.com/llama3_1/license; a model made "
            "with it is to have Llama at the beginning of its name.",
            "",
        ]
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines), ignore_metadata_errors=False)
    write_text(target / "README.md", card.content)
