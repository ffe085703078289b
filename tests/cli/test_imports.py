"""A page is built before PyTorch is there, and the core is whole for whoever asks for it first."""

import subprocess
import sys

import pytest

from tli_core.models.registry import ROOT

BUILT = """
import sys
from pathlib import Path
import ui.page
import ui.serve
from ui.server.jobs import Jobs
from ui.server.visitors import Models

models = Models(ui.serve.OFFERED)
ui.page.build(models, Jobs(models, Path(sys.argv[1])))
print(sorted({"torch", "transformers", "peft", "scipy"} & set(sys.modules)))
"""

# As requests in a server's first seconds do: PEFT and transformers import each other on the way.
AT_ONCE = """
import threading
import tli_core as core

names = ("model", "training", "evaluation", "checkpoint", "outputs") * 2
begin, failed = threading.Barrier(len(names)), []

def ask(name):
    begin.wait()
    try:
        getattr(core, name)
    except ImportError as error:
        failed.append((name, str(error)))

threads = [threading.Thread(target=ask, args=(name,)) for name in names]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(failed)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> list[str]:
    """What a new process says of both, one after the other."""
    command = [sys.executable, "-c", BUILT + AT_ONCE, str(tmp_path_factory.mktemp("runs"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_page_is_built_without_pytorch(told):
    assert told[0] == "[]"


def test_threads_that_begin_at_once_find_the_core_whole(told):
    assert told[1] == "[]"
