"""Storage quota: the bytes of visitors' imported adapters and fine-tunes on this server."""

from __future__ import annotations

import threading
from pathlib import Path

from tli_core.i18n import N_, translate
from ui.server.hosting import Hosting


class StorageQuota:
    """The folders stored for visitors, with their senders; deleted folders no longer count."""

    def __init__(self, hosting: Hosting):
        self._own, self._all = hosting.own_bytes, hosting.all_bytes
        self._senders: dict[Path, str] = {}
        self._lock = threading.Lock()

    def add_folder(self, folder: Path, sender: str = "") -> None:
        """Count a folder from now on.

        Args:
            sender: whose it is, as `sender_of` names them; empty where nobody knows any more.
        """
        with self._lock:
            self._senders[folder] = sender

    def check(self, sender: str, more: int) -> None:
        """Refuse more bytes than may be kept.

        Raises:
            ValueError: this sender, or all of them together, keep too much; the message says what to do.
        """
        if self._own is None or self._all is None:
            return
        with self._lock:
            self._senders = {folder: of for folder, of in self._senders.items() if folder.exists()}
            sizes = {folder: _size(folder) for folder in self._senders}
        own = sum(size for folder, size in sizes.items() if self._senders[folder] == sender)
        if own + more > self._own:
            text = N_("What you keep here would pass {most} MB: delete a run under Your runs, or come back tomorrow.")
            raise ValueError(translate(text, most=self._own // 1_000_000))
        if sum(sizes.values()) + more > self._all:
            raise ValueError(translate("This server's disk is full of other visitors' runs: try again in a few hours."))


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; one that goes meanwhile counts nothing."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_size
        except OSError:
            continue
    return found
