"""What is installed from a wheel: the command, the data that ships with it, and nothing that needs the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import tli_core
from tests.ui.test_space_files import listed
from tli_core.models.registry import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of today's files is installed, without what it depends on."""
    source, built, target = (tmp_path_factory.mktemp(name) for name in ("source", "built", "target"))
    for name in listed():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True)
    return target


def run(installed: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess:
    """A command of the installed package, from a folder that is no checkout."""
    program = [sys.executable, "-P", *command] if sys.version_info >= (3, 11) else [sys.executable, *command]
    env = {**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(program, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def test_an_installed_package_measures_from_another_folder(installed, tmp_path):
    (tmp_path / "mine.csv").write_text("maji, water\nmoto, fire\nmti, tree\n")
    measured = run(installed, tmp_path, "-m", "tli_core", "measure", "--pairs", "mine.csv", "--adapter",
                   "mini-corrected", "--out", "found.json")  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["model"]["name"] == "lugha-mini" and found["adapter"]["name"] == "mini-corrected"
    where = run(installed, tmp_path, "-c", "import tli_core; print(tli_core.__file__)").stdout
    assert where.startswith(str(installed)), "the checkout was measured, not what was installed"


def test_the_command_is_the_same_and_the_page_is_there(installed, tmp_path):
    script = installed / "bin" / "lugha-lens"
    name = script if script.exists() else installed / sysconfig.get_path("scripts", vars={"base": ""}) / "lugha-lens"
    assert name.exists()
    told = run(installed, tmp_path, str(name), "--help")
    assert told.returncode == 0 and "app" in told.stdout and "measure" in told.stdout
    page = "import ui.serve, ui.page; print(ui.page.STYLE.is_file(), ui.serve.settings(['--port', '1']).port)"
    assert run(installed, tmp_path, "-c", page).stdout.split() == ["True", "1"]


def test_types_are_told_to_those_who_import_it(installed):
    assert (installed / "tli_core" / "py.typed").is_file() and (installed / "ui" / "py.typed").is_file()
    assert tli_core.__doc__
