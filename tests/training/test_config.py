"""Settings as YAML files and as command lines: what is written is read back, and what cannot be is one sentence."""

import shlex

import pytest

from tli_core.cli.main import parser
from tli_core.cli.train import training_config
from tli_core.cli.train_command import train_command
from tli_core.training.presets import PRESETS, configured, preset_text, read_preset

CHANGED = configured("published", layer=3, epochs=7, learning_rate=3e-5, shuffled=True, targets=("q_proj", "o_proj"),
                     patience=2, seed=5)  # fmt: skip


@pytest.mark.parametrize("config", [*PRESETS.values(), CHANGED])
def test_a_preset_is_read_back_as_it_was_written(config, tmp_path):
    (tmp_path / "mine.yaml").write_text(preset_text(config), encoding="utf-8")
    assert read_preset(tmp_path / "mine.yaml") == config


@pytest.mark.parametrize("config", [*PRESETS.values(), CHANGED])
def test_the_command_makes_the_same_run(config):
    command = shlex.split(train_command(config, "lugha-mini", "my adapter", "my pairs.csv").replace("\\\n", " "))
    arguments = parser().parse_args(command[3:])
    assert training_config(arguments) == config
    assert (arguments.model, arguments.name, str(arguments.pairs)) == ("lugha-mini", "my adapter", "my pairs.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: [1", "not YAML at line 1"),
        ("just words", "holds no settings"),
        ("speed: 3", "no setting 'speed'; there are preset, layer"),
        ("epochs: many", "epochs must be a whole number, got 'many'"),
        ("epochs: true", "epochs must be a whole number"),
        ("learning_rate: fast", "learning_rate must be a number"),
        ("learning_rate: .nan", "Learning rate must be 1e-09 to below 1"),
        ("targets: [lm_head]", "LoRA on: choose from q_proj"),
        ("layer: top", "layer must be a number or output"),
        ("preset: other", "no preset 'other'"),
        ("epochs: 3\nepochs: 5", "epochs is there twice"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_preset_that_cannot_be_used_is_one_sentence(text, message, tmp_path):
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        read_preset(tmp_path / "bad.yaml")


def test_few_knobs_are_enough(tmp_path):
    (tmp_path / "short.yaml").write_text("epochs: 3\nlearning_rate: 1e-4\nlayer: output\n", encoding="utf-8")
    assert read_preset(tmp_path / "short.yaml") == configured("corrected", epochs=3, learning_rate=1e-4)
