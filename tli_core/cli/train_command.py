"""The command line that runs the fine-tune configured on the page."""

import shlex

from tli_core.lists.language_pair import DEFAULT
from tli_core.training.config import TrainingConfig
from tli_core.training.presets import changed_settings


def train_command(
    config: TrainingConfig,
    model: str,
    name: str,
    pairs_file: str | None = None,
    languages: str = DEFAULT,
    with_control: bool = False,
) -> str:
    """The command line of a fine-tune, one option a line where there are several.

    Args:
        pairs_file: the file that holds the pairs; None for the shipped training list.
        languages: the key of the pair of languages.
        with_control: whether its shuffled control is trained beside it.
    """
    options = [f"--model {shlex.quote(model)}", f"--preset {config.preset}"]
    if languages != DEFAULT:
        options.append(f"--languages {languages}")
    if pairs_file:
        options.append(f"--pairs {shlex.quote(pairs_file)}")
    for setting, value in changed_settings(config).items():
        option = f"--{setting.replace('_', '-')}"
        if setting == "shuffled":
            options.append(option)
        elif setting == "targets":
            options.append(f"{option} {' '.join(value)}")
        else:
            options.append(f"{option} {value}")
    if with_control:
        options.append("--with-control")
    return " \\\n  ".join(["python -m tli_core train", *options, f"--name {shlex.quote(name)}"])
