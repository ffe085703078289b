"""A Space as the guide makes it: front matter that the Hub takes, what the guide's commands send, and its settings."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from huggingface_hub import SpaceHardware

import ui.page
import ui.serve
from tests.hub import TOKEN, serve
from tli_core.models.registry import ROOT
from ui.server.hosting import OWN_MACHINE, hosting
from ui.server.jobs import Jobs
from ui.server.visitors import Models

GUIDE = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def front_matter() -> dict:
    return yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def listed() -> list[str]:
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in found.split("\0") if name and (ROOT / name).exists()]


def test_the_front_matter_is_complete(front_matter):
    assert front_matter["sdk"] == "gradio" and front_matter["app_file"] == "app.py"
    assert (ROOT / front_matter["app_file"]).is_file()
    assert front_matter["sdk_version"].split(".")[0] == version("gradio").split(".")[0]
    assert isinstance(front_matter["python_version"], str) and len(front_matter["short_description"]) <= 60
    # Enough to make a repository of a visitor's and fill it, and nothing of theirs that was there before.
    assert front_matter["hf_oauth"] is True and front_matter["hf_oauth_scopes"] == ["contribute-repos"]
    assert front_matter["suggested_hardware"] in {hardware.value for hardware in SpaceHardware}
    assert {"title", "emoji", "colorFrom", "colorTo", "license", "models", "tags"} <= set(front_matter)
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "spaces" not in requirements and "torch>=2.8,<3" in requirements, "the Hub adds its own bounds"


def test_no_file_is_over_ten_megabytes_and_none_is_a_pickle():
    files = [ROOT / name for name in listed()]
    assert files and all(file.stat().st_size < 10_000_000 for file in files)
    assert not [file for file in files if file.suffix in (".bin", ".pt", ".pkl", ".pickle", ".ckpt")]


def test_the_guides_commands_send_every_file_and_binaries_apart(tmp_path):
    """Run as they stand in the guide, from a clone that also has what is not to be sent."""
    commands = re.search(r"```bash\n(.*?)```", GUIDE, re.S)[1]
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(work)], check=True)
    (work / "runs").mkdir()
    (work / "runs" / "private.txt").write_text("a visitor's run")
    with serve(tmp_path, "your-name/lugha-lens", kind="spaces") as hub:
        env = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
        env |= {"HF_HUB_DISABLE_XET": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-ec", commands], cwd=work, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    sent = subprocess.run(["git", "ls-files", "-z"], cwd=work, capture_output=True, text=True, check=True).stdout
    assert set(hub.committed) - {".gitattributes"} == {name for name in sent.split("\0") if name}
    assert hub.created[0]["sdk"] == "gradio" and hub.created[0]["type"] == "space"
    binary = {name for name in hub.committed if name.endswith((".safetensors", ".png"))}
    assert binary and not binary & hub.in_commits
    assert all(hub.committed[name] == (work / name).read_bytes() for name in binary)


def test_a_space_is_hosted_by_itself_and_offers_a_copy_and_says_what_that_takes(monkeypatch, tmp_path):
    assert hosting() is OWN_MACHINE and not OWN_MACHINE.hosted
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "someone/lugha-lens")
    here = hosting()
    assert here.hosted and here.at_work == 1 and not here.login
    models = Models(("lugha-mini",))
    config = ui.page.build(models, Jobs(models, tmp_path, here)).config
    parts = {part["props"].get("elem_id"): part["props"] for part in config["components"]}
    assert parts["duplicate"]["visible"] is True and "one at a time" in parts["shared"]["value"]
    assert "give it ZeroGPU" in parts["copy-note"]["value"]
    clicks = [event["js"] for event in config["dependencies"] if event.get("js")]
    assert any(isinstance(js, str) and re.search(r"spaces/someone/lugha-lens\?duplicate=true", js) for js in clicks)


def test_every_flag_has_its_variable_as_no_arguments_reach_a_space(monkeypatch):
    for name, value in {"MODEL": "lugha-mini, owner/name", "PORT": "7999", "RUNS": "/data/runs", "HOSTED": "1"}.items():
        monkeypatch.setenv(f"LUGHA_{name}", value)
    told = ui.serve.settings([])
    assert told.model == ["lugha-mini", "owner/name"] and told.port == 7999 and told.hosted
    assert told.runs == Path("/data/runs") and not told.mcp
    monkeypatch.setenv("SPACE_ID", "someone/lugha-lens")
    assert ui.serve.settings([]).mcp, "a Space has what it needs for it"
    monkeypatch.setenv("LUGHA_MCP", "0")
    assert not ui.serve.settings([]).mcp
    assert ui.serve.settings(["--model", "lugha-llama", "--runs", "here"]).model == ["lugha-llama"]
    monkeypatch.setenv("LUGHA_PORT", "many")
    with pytest.raises(SystemExit):
        ui.serve.settings([])
    flags = {action.dest for action in ui.serve.parser()._actions} - {"help"}
    assert all(f"LUGHA_{flag.upper()}" in GUIDE for flag in flags), flags
