"""Files as people have them are read right, and so on machines that measure and train, which may lack Babel."""

import sys
from pathlib import Path

import pytest

from tests.lists.files_people_have import FILES
from tli_core.lists.formats import headers, read_pairs


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_right(name: str, tmp_path: Path):
    listed = FILES[name]
    path = tmp_path / f"list.{listed.ending}"
    path.write_bytes(listed.data)
    assert tuple(pair[:2] for pair in read_pairs(path)) == listed.pairs


def test_without_babel_they_are_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    for cache in (headers._all_languages, headers._language_names, headers._name_words):
        cache.cache_clear()
    for name, listed in FILES.items():
        path = tmp_path / f"list.{listed.ending}"
        path.write_bytes(listed.data)
        assert tuple(pair[:2] for pair in read_pairs(path)) == listed.pairs, name
    headers._all_languages.cache_clear()
