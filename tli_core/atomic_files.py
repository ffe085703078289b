"""Atomic writes: a file or folder is complete or absent, even if the process is killed or the disk is full."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file over an earlier one; a reader finds the earlier one or this one, never a part."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file over an earlier one, as `write_text` does."""
    with replacing(path) as part:
        part.write_bytes(content)


def make_place(path: Path) -> None:
    """Make the folder of a file that is written later, and see now that it can be written.

    Raises:
        OSError: it cannot: its name is too long or a folder's, or the folder is not ours or cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from error
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = _part_of(path)
    part.touch()
    part.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write a file under; it takes the place of `path` once it is on the disk."""
    part = _part_of(path)
    try:
        yield part
        _to_disk(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A hidden folder to fill; it gets the name `target` once all of it is on the disk, and goes if it fails.

    Raises:
        FileExistsError: `target` is there already.
    """
    if target.exists():
        raise FileExistsError(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(target)
    part.mkdir()
    try:
        yield part
        for file in part.iterdir():
            _to_disk(file)
        _to_disk(part)
        part.rename(target)
        _to_disk(target.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _part_of(path: Path) -> Path:
    """A hidden name beside `path` that nobody else has."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def _to_disk(path: Path) -> None:
    """Have a file's bytes, or a folder's list of names, written to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and does not need this
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
