"""A page is built before PyTorch is there."""

import subprocess
import sys

from tli_core.catalogue import ROOT


def test_the_page_is_built_without_pytorch(tmp_path):
    check = (
        "import sys; from pathlib import Path; import app; from ui.jobs import Jobs; from ui.visitors import Models\n"
        f"models = Models(app.OFFERED); app.build(models, Jobs(models, Path({str(tmp_path)!r})))\n"
        "print(sorted({'torch', 'transformers', 'peft', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
