"""Adapters from a zip file and from the Hub: what is taken, and what is refused with a reason."""

import json
import os
import shutil
import struct
import time
import zipfile
from pathlib import Path

import pytest

from tests.hub import TOKEN, serve, take_for_the_hub
from tli_core.models import adapter_sources
from tli_core.models.adapter_sources import WEIGHTS, check_base, fetch_adapter, read_facts, unpack_adapter
from tli_core.models.hub_address import HubAddress, hub_address
from tli_core.models.registry import ROOT, is_same_base
from tli_core.reports.model_card import save_adapter
from tli_core.reports.publishing import check_repo_name, publish_adapter
from tli_core.training.loop import train_adapter
from tli_core.training.presets import configured

SHIPPED = ROOT / "adapters" / "mini-corrected"


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def adapter_files(folder: str = "mine/") -> dict[str, bytes]:
    return {f"{folder}{path.name}": path.read_bytes() for path in SHIPPED.iterdir()}


@pytest.mark.parametrize("folder", ["mine/", "", "a/b/mine/", "../../mine/"])
def test_an_adapter_is_unpacked_wherever_it_is_in_the_archive_and_nowhere_else(folder, tmp_path):
    into = tmp_path / "into"
    into.mkdir()
    found = unpack_adapter(zipped(tmp_path / "mine.zip", {**adapter_files(folder), "../evil.txt": b"x"}), into)
    assert found == into / "mine"
    assert {path.name for path in found.iterdir()} == {"adapter_config.json", WEIGHTS, "tli.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"into", "mine.zip"}
    assert read_facts(found).rank == "16" and read_facts(found).blocks == "0–11"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b"hello"}, "no adapter_config.json"),
        ({**adapter_files("a/"), **adapter_files("b/")}, "holds 2 adapters"),
        ({"adapter_config.json": b"{}", "adapter_model.bin": b"x"}, "a pickle, which can run code"),
        ({"adapter_config.json": b"{}"}, "no adapter_model.safetensors"),
        ({"adapter_config.json": os.urandom(1_100_000), WEIGHTS: b"x"}, "larger than 1 MB"),
        ({**adapter_files(), f"mine/{WEIGHTS}": bytes(90_000_000)}, "is more than 20 times as large as its zip file"),
    ],
)
def test_what_is_no_adapter_is_refused(files, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        unpack_adapter(zipped(tmp_path / "bad.zip", files), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK no")
    with pytest.raises(ValueError, match=r"bad\.zip cannot be opened as a zip file|packed in an unusual way"):
        unpack_adapter(tmp_path / "bad.zip", tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_zip_is_one_sentence(method, tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", method) as archive:
        for name, data in adapter_files().items():
            archive.writestr(name, data)
    damaged = bytearray((tmp_path / "bad.zip").read_bytes())
    damaged[60:4000] = os.urandom(3940)
    (tmp_path / "bad.zip").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"bad\.zip cannot be opened as a zip file|packed in an unusual way"):
        unpack_adapter(tmp_path / "bad.zip", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_a_list_of_files_without_end_is_not_read(tmp_path):
    files = {f"{'x' * 200}/{number}": b"" for number in range(10_000)}
    with pytest.raises(ValueError, match="lists too many files"):
        unpack_adapter(zipped(tmp_path / "long.zip", files), tmp_path)


@pytest.mark.parametrize("trick", ["zip64", "in the disk numbers"])
def test_no_trick_hides_a_list_without_end(trick, tmp_path):
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{'x' * 60}/{number}"), b"")
    packed = bytearray((tmp_path / "long.zip").read_bytes())
    if trick == "zip64":
        struct.pack_into("<I", packed, len(packed) - 10, 0)  # the short record's size of the list
    else:
        packed = packed[: -20 - 22 - 56] + packed[-22:]
        packed[-18:-14] = b"PK\5\6"
    (tmp_path / "long.zip").write_bytes(packed)
    with pytest.raises(ValueError, match=r"lists too many files|cannot be opened"):
        unpack_adapter(tmp_path / "long.zip", tmp_path)


def test_a_member_without_a_name_is_one_sentence(tmp_path):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"")
    with pytest.raises(ValueError, match=r"odd\.zip cannot be opened as a zip file: \w+"):
        unpack_adapter(tmp_path / "odd.zip", tmp_path)


@pytest.mark.parametrize("name", ["-4bit" * 200_000, "models--" * 100_000, "/" * 1_000_000, "x" * 501, "\ud800"])
def test_a_base_of_a_name_without_end_takes_no_time(name, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": name}))
    began = time.monotonic()
    with pytest.raises(ValueError, match="does not say which base"):
        check_base(tmp_path, "lugha-mini")
    assert not is_same_base(name, "models/lugha-mini") and time.monotonic() - began < 2


def test_the_base_must_be_the_one_it_was_made_for(tmp_path):
    check_base(SHIPPED, "lugha-mini")
    with pytest.raises(ValueError, match="made for models/lugha-mini, not for Lugha-Llama/Lugha-Llama-8B-wura"):
        check_base(SHIPPED, "lugha-llama")
    check_base(SHIPPED, "lugha-llama", confirmed=True)
    for text in ("[]", "{}", '{"base_model_name_or_path": null}', "[" * 99_999):
        (tmp_path / "adapter_config.json").write_text(text)
        with pytest.raises(ValueError, match="does not say which base"):
            check_base(tmp_path, "lugha-mini")
        check_base(tmp_path, "lugha-mini", confirmed=True)


@pytest.mark.parametrize(
    ("named", "same"),
    [
        ("Lugha-Llama/Lugha-Llama-8B-wura", True),
        ("lugha-llama/lugha-llama-8b-WURA", True),
        ("unsloth/Lugha-Llama-8B-wura-bnb-4bit", True),
        ("unsloth/Lugha-Llama-8B-wura-unsloth-bnb-4bit", True),
        ("someone/Lugha-Llama-8B-wura-AWQ", True),
        (r"C:\\Users\\me\\models\\Lugha-Llama-8B-wura", True),
        ("/home/me/Lugha-Llama-8B-wura/", True),
        ("/root/.cache/huggingface/hub/models--Lugha-Llama--Lugha-Llama-8B-wura/snapshots/0a1b", True),
        ("Lugha-Llama/Lugha-Llama-8B-wura@v2", True),
        ("Lugha-Llama/Lugha-Llama-8B-wura_math", False),
        ("meta-llama/Llama-3.1-8B", False),
        ("Lugha-Llama", False),
        ("-bnb-4bit", False),
    ],
)
def test_a_base_is_recognised_by_whatever_name_a_tool_wrote(named, same):
    assert is_same_base(named, "Lugha-Llama/Lugha-Llama-8B-wura") is same


@pytest.mark.parametrize(
    ("text", "repo", "revision", "folder"),
    [
        ("owner/name", "owner/name", None, ""),
        (" owner/name@v1.0 ", "owner/name", "v1.0", ""),
        ("owner/name/run-2@refs/pr/3", "owner/name", "refs/pr/3", "run-2"),
        ("https://huggingface.co/owner/name", "owner/name", None, ""),
        ("https://huggingface.co/owner/name/tree/main/a/b", "owner/name", "main", "a/b"),
        ("huggingface.co/owner/name/blob/v1/a/adapter_config.json?x=1", "owner/name", "v1", "a"),
        ("https://hf.co/owner/name/commit/0123abc", "owner/name", "0123abc", ""),
        ("https://huggingface.co/owner/name/discussions", "owner/name", None, ""),
    ],
)
def test_an_address_on_the_hub_is_read_as_people_paste_it(text, repo, revision, folder):
    assert hub_address(text) == HubAddress(repo, revision, folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "owner/",
        "../up",
        "a/../b",
        "a/b/../c",
        "a/b@",
        "a/b@../c",
        "a/b@x y",
        "a b/c",
        "https://x/",
        "a/b" * 200,
    ],
)
def test_what_is_no_address_on_the_hub_is_refused(text):
    with pytest.raises(ValueError, match="is no Hub id: write it as owner/name"):
        hub_address(text)


def test_an_adapter_comes_from_the_hub_file_by_file(tmp_path, monkeypatch):
    hub = shutil.copytree(SHIPPED, tmp_path / "hub")
    shutil.copytree(SHIPPED, hub / "deep" / "er")
    monkeypatch.setenv("HF_TOKEN", "hf_of_whoever_runs_this")
    with serve(hub, "owner/mine") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        assert fetch_adapter("owner/mine", tmp_path).name == "mine"
        assert fetch_adapter("owner/mine/deep/er@v2", tmp_path).name == "er"
        with pytest.raises(ValueError, match=r"owner/mine/deep has no adapter_config\.json"):
            fetch_adapter("owner/mine/deep", tmp_path)
        with pytest.raises(ValueError, match="There is no owner/other on the Hub, or it needs a login"):
            fetch_adapter("owner/other", tmp_path)
        with pytest.raises(ValueError, match=r"'\.\./up' is no Hub id: write it as owner/name, "):
            fetch_adapter("../up", tmp_path)
    assert (tmp_path / "mine" / WEIGHTS).read_bytes() == (SHIPPED / WEIGHTS).read_bytes()
    assert {path.name for path in (tmp_path / "er").iterdir()} == {"adapter_config.json", WEIGHTS, "tli.json"}
    assert not served.gets["README.md"] and "v2" in served.revisions
    assert not (tmp_path / "home").exists(), "the cache keeps nothing of it"
    assert "Bearer hf_of_whoever_runs_this" in served.tokens
    with pytest.raises(ValueError, match="The Hub cannot be reached from here: go online, or upload"):
        fetch_adapter("owner/mine", tmp_path)


def test_an_adapter_goes_to_the_hub_with_its_card_under_the_visitors_token(tiny, pairs, tmp_path, monkeypatch):
    config = configured("corrected", layer=2, batch_size=10, epochs=1)
    *_, trained = train_adapter(tiny, pairs[:20], config)
    trained.record["base"]["model"] = "lugha-llama"
    folder = save_adapter(trained, tmp_path, "mine")
    (folder / "secret.txt").write_text("not to be published")
    with pytest.raises(ValueError, match="call it owner/Llama-mine"):
        check_repo_name(folder, "owner/mine")
    with pytest.raises(ValueError, match="no Hub id"):
        check_repo_name(folder, "https://somewhere/mine")
    with serve(folder, "owner/Llama-mine") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        address = publish_adapter(folder, "owner/Llama-mine", TOKEN)
        with pytest.raises(ValueError, match="The Hub did not take owner/Llama-mine"):
            publish_adapter(folder, "owner/Llama-mine", "hf_of_nobody")
    assert address == f"{served.endpoint}/owner/Llama-mine"
    assert set(served.committed) == {"adapter_config.json", WEIGHTS, "tli.json", "README.md", "NOTICE"}
    assert served.created[0]["visibility"] == "private"
    card = served.committed["README.md"].decode()
    assert "license: llama3.1" in card and "Built with Llama." in card
    assert "base_model: Lugha-Llama/Lugha-Llama-8B-wura" in card
    assert json.loads(served.committed["tli.json"])["pairs"] == 20


def test_strangers_fetch_as_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_whoever_runs_this")
    with serve(SHIPPED, "owner/mine") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        fetch_adapter("owner/mine", tmp_path, token=False)
    assert served.tokens == {""}


def test_the_folders_name_is_made_of_what_it_was_called():
    names = [adapter_sources.folder_name(name) for name in ("my adapter!", "..", "ü", "a" * 99)]
    assert names == ["my-adapter-", "adapter", "adapter", "a" * 64]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_a_whole_block_at_once_is_refused_unread(method, tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", method) as file:
        file.writestr("mine/adapter_config.json", "{}")
        file.writestr("mine/adapter_model.safetensors", b"\0" * 1_000_000)
    with pytest.raises(ValueError, match="packed in an unusual way: zip the folder again"):
        unpack_adapter(bomb, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.zip"]


def test_an_encrypted_adapter_is_told_what_to_do(tmp_path):
    locked = tmp_path / "locked.zip"
    with zipfile.ZipFile(locked, "w") as file:
        file.writestr("mine/adapter_config.json", "{}")
        file.writestr("mine/adapter_model.safetensors", b"\0")
    # The flag of the first name in the list at the end.
    content = bytearray(locked.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    locked.write_bytes(content)
    with pytest.raises(ValueError, match="without a password"):
        unpack_adapter(locked, tmp_path)
