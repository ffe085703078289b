"""What is written is there whole or not at all."""

import pytest

from tli_core.atomic_files import new_folder, replacing, write_text


def test_a_file_that_cannot_be_finished_leaves_the_earlier_one(tmp_path):
    file = tmp_path / "job.json"
    write_text(file, "earlier")
    with pytest.raises(OSError, match="full"), replacing(file) as part:
        part.write_text("hal")
        raise OSError("full")
    assert file.read_text() == "earlier"
    write_text(file, "later")
    assert file.read_text() == "later" and [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_a_folder_has_its_name_only_once_it_is_whole(tmp_path):
    with pytest.raises(OSError, match="full"), new_folder(tmp_path / "mine") as part:
        (part / "a").write_text("a")
        assert not (tmp_path / "mine").exists() and part.name.startswith(".")
        raise OSError("full")
    assert not list(tmp_path.iterdir())
    with new_folder(tmp_path / "mine") as part:
        (part / "a").write_text("a")
    assert (tmp_path / "mine" / "a").read_text() == "a"
    with pytest.raises(FileExistsError), new_folder(tmp_path / "mine"):
        pass
