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


def test_threads_that_begin_at_once_find_the_core_whole():
    """As requests in a server's first seconds do: PEFT and transformers import each other on the way."""
    ask = (
        "import threading, tli_core as core\n"
        "names = ('model', 'training', 'evaluation', 'checkpoint', 'figures', 'outputs', 'space') * 2\n"
        "begin, failed = threading.Barrier(len(names)), []\n"
        "def ask(name):\n"
        "    begin.wait()\n"
        "    try:\n"
        "        getattr(core, name)\n"
        "    except ImportError as error:\n"
        "        failed.append((name, str(error)))\n"
        "threads = [threading.Thread(target=ask, args=(name,)) for name in names]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(failed)"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
