"""Who may import whom: machines that train have neither gradio nor plotly."""

import subprocess
import sys

from tli_core.catalogue import ROOT


def test_measuring_and_training_import_neither_gradio_nor_plotly():
    modules = "alignment, cards, dry_run, evaluation, generation, lint, pilot, reports, seeds, tables, training"
    found = "print(sorted({'gradio', 'plotly', 'umap'} & set(sys.modules)))"
    check = f"import sys; from tli_core import {modules}; {found}"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
