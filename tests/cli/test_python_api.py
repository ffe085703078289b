"""The examples of docs/python-api.md run as they stand, and every stated name is there."""

import re

import tli_core
from tli_core.models.registry import ROOT

PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")


def test_the_examples_run_one_after_the_other(capsys):
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(examples) == 4
    known: dict = {}
    for example in examples:
        exec(compile(example, "docs/python-api.md", "exec"), known)
    printed = capsys.readouterr().out
    assert "output aligned" in printed and "improved" in printed


def test_every_stated_name_is_there_and_told_to_type_checkers():
    for name in tli_core.__all__:
        assert getattr(tli_core, name) is not None
    told = set(re.findall(r"`(\w+)(?:\(|`)", PAGE.split("## Measure")[0]))
    assert told & set(tli_core.__all__) >= {"load_model", "measure", "train_adapter", "verdict", "worded"}
