"""What is pushed to a Space: front matter that the Hub takes, and no file that needs large-file storage."""

import re
import subprocess
from importlib.metadata import version

import pytest
import yaml

import app
from tli_core.catalogue import ROOT
from ui.hosting import OWN_MACHINE, hosting
from ui.jobs import Jobs
from ui.visitors import Models


@pytest.fixture(scope="module")
def front_matter() -> dict:
    return yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_the_front_matter_is_complete(front_matter):
    assert front_matter["sdk"] == "gradio" and front_matter["app_file"] == "app.py"
    assert (ROOT / front_matter["app_file"]).is_file()
    assert front_matter["sdk_version"].split(".")[0] == version("gradio").split(".")[0]
    assert isinstance(front_matter["python_version"], str) and len(front_matter["short_description"]) <= 60
    assert front_matter["hf_oauth"] is True and front_matter["hf_oauth_scopes"] == ["manage-repos"]
    assert {"title", "emoji", "colorFrom", "colorTo", "license", "models", "tags", "suggested_hardware"} <= set(
        front_matter
    )


def test_no_pushed_file_is_over_ten_megabytes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert files and all(file.stat().st_size < 10_000_000 for file in files if file.exists())
    assert not [file for file in files if file.suffix in (".bin", ".pt", ".pkl", ".pickle", ".ckpt")]


def test_a_space_is_hosted_by_itself_and_offers_a_copy(monkeypatch, tmp_path):
    assert hosting() is OWN_MACHINE and not OWN_MACHINE.hosted
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "someone/lugha-lens")
    here = hosting()
    assert here.hosted and here.at_work == 1 and not here.login
    models = Models(("lugha-mini",))
    config = app.build(models, Jobs(models, tmp_path, here)).config
    parts = {part["props"].get("elem_id"): part["props"] for part in config["components"]}
    assert parts["duplicate"]["visible"] is True and "one at a time" in parts["shared"]["value"]
    clicks = [event["js"] for event in config["dependencies"] if event.get("js")]
    assert any(isinstance(js, str) and re.search(r"spaces/someone/lugha-lens\?duplicate=true", js) for js in clicks)
