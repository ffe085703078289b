"""Files as people have them are read right, and what cannot be told is asked or said."""

from pathlib import Path

import pytest

from tests.lists.files_people_have import FILES
from tli_core.lists.formats import read_pairs


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_right(name: str, tmp_path: Path):
    listed = FILES[name]
    path = tmp_path / f"list.{listed.ending}"
    path.write_bytes(listed.data)
    assert tuple(pair[:2] for pair in read_pairs(path)) == listed.pairs


def test_there_are_as_many_as_we_say():
    assert len(FILES) >= 60
