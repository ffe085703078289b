"""Who may import whom: machines that train lack gradio and plotly, and a page is built before PyTorch is there."""

import subprocess
import sys

from tli_core.catalogue import ROOT


def test_measuring_and_training_import_neither_gradio_nor_plotly():
    modules = "alignment, cards, dry_run, evaluation, generation, lint, pilot, reports, seeds, tables, training"
    found = "print(sorted({'gradio', 'plotly', 'umap'} & set(sys.modules)))"
    check = f"import sys; from tli_core import {modules}; {found}"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_page_is_built_without_pytorch(tmp_path):
    check = (
        "import sys; from pathlib import Path; import app; from ui.jobs import Jobs; from ui.visitors import Models\n"
        f"models = Models(app.OFFERED); app.build(models, Jobs(models, Path({str(tmp_path)!r})))\n"
        "print(sorted({'torch', 'transformers', 'peft', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
