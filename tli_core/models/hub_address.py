"""What people write for a place on the Hub: owner/name, with a revision or a folder, or the address of its page."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from tli_core.i18n import N_, translate

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")


@dataclass(frozen=True)
class HubAddress:
    """A repository, a branch, tag or commit of it (None: its main branch), and a folder in it (empty: its root)."""

    repo: str
    revision: str | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """What people would call what is there: the folder, or else the repository without its owner."""
        return self.folder.rpartition("/")[2] or self.repo.partition("/")[2]

    def __str__(self) -> str:
        path = f"{self.repo}/{self.folder}" if self.folder else self.repo
        return f"{path}@{self.revision}" if self.revision else path


def hub_address(text: str) -> HubAddress:
    """The place that a text names: owner/name, owner/name@revision, owner/name/folder, or an address copied from there.

    Raises:
        ValueError: it names none.
    """
    given = text.strip()
    path, revision = (
        _of_page(given) if "://" in given or given.startswith(("huggingface.co/", "hf.co/")) else (given, "")
    )
    if not revision:
        path, _, revision = path.partition("@")
    parts = path.strip("/").split("/")
    good = len(parts) >= 2 and all(_PART.fullmatch(part) for part in parts) and len(path) <= 300
    if not good or (revision and (not _REVISION.fullmatch(revision) or ".." in revision)) or given.endswith("@"):
        text = N_(
            "{given} is no Hub id: write it as owner/name, owner/name@revision, or paste the address of its page."
        )
        raise ValueError(translate(text, given=repr(given[:80])))
    return HubAddress("/".join(parts[:2]), revision or None, "/".join(parts[2:]))


def is_hub_address(text: str) -> bool:
    """Whether a text names a place on the Hub."""
    try:
        hub_address(text)
    except ValueError:
        return False
    return True


def _of_page(given: str) -> tuple[str, str]:
    """The path and the revision in the address of a page: …/owner/name/tree/revision/folder."""
    parts = [
        unquote(part) for part in urlsplit(given if "://" in given else f"https://{given}").path.split("/") if part
    ]
    parts = parts[1:] if parts[:1] == ["models"] else parts
    if len(parts) < 4 or parts[2] not in ("tree", "blob", "resolve", "commit"):
        return "/".join(parts[:2]), ""
    folder = parts[4:-1] if parts[2] in ("blob", "resolve") else parts[4:]
    return "/".join([*parts[:2], *folder]), parts[3]
