"""Where the page runs: on somebody's own machine, where everything is theirs, or hosted for all, with fair limits."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

from tli_core.i18n import N_

MEGABYTE = 1_000_000
COPY_NOTE = N_(
    "A copy of your own has no such limits. On a free account give it ZeroGPU, of which you may have "
    "two; a Space on a CPU needs a paid plan."
)


@dataclass(frozen=True)
class Hosting:
    """What a visitor may do here.

    folders: whether a path of this machine may be named, and its login to the Hub used. login: whether visitors can log
    in to the Hub. space is the id of the Space, if it is one. The rest are limits on a visitor's runs: pairs, steps,
    seconds, how many at a time, and for how many hours they are kept (None: for good); on bytes: of one run, kept for
    one sender and for all, uploaded from one address in an hour (None: without limit).
    by_address: one address may use this many times a visitor's limits, as a whole school may share an address.
    """

    folders: bool
    login: bool
    space: str | None
    train_pairs: int
    train_steps: int
    train_seconds: int
    runs: int
    at_work: int
    keep_hours: float | None
    run_bytes: int | None = None
    own_bytes: int | None = None
    all_bytes: int | None = None
    upload_bytes: int | None = None
    by_address: int = 3

    @property
    def hosted(self) -> bool:
        """Whether strangers share it."""
        return not self.folders

    @property
    def hub_token(self) -> bool | None:
        """How the Hub is asked, as its library takes it: as whoever runs this machine (None), or as nobody (False)."""
        return None if self.folders else False

    @property
    def sentence(self) -> str:
        """What is so here, for those who share it."""
        return (
            f"Shared with others: a fine-tune may have {self.train_pairs:,} pairs, {self.train_steps:,} steps and "
            f"{self.train_seconds // 60} minutes, one at a time, and is kept for {self.keep_hours:.0f} hours."
        )


OWN_MACHINE = Hosting(
    folders=True, login=False, space=None, train_pairs=5000, train_steps=20_000, train_seconds=3600, runs=100,
    at_work=8, keep_hours=None,
)  # fmt: skip


def hosting(hosted: bool = False) -> Hosting:
    """Where this process runs: on somebody's own machine, unless it is told otherwise or other machines can reach it.

    Args:
        hosted: serve strangers although this is no Space.
    """
    space = os.environ.get("SPACE_ID")
    if not (space or hosted or reached_by_others()):
        return OWN_MACHINE
    return Hosting(
        folders=False, login="OAUTH_CLIENT_ID" in os.environ, space=space, train_pairs=2000, train_steps=1000,
        train_seconds=300, runs=12, at_work=1, keep_hours=24, run_bytes=150 * MEGABYTE, own_bytes=500 * MEGABYTE,
        all_bytes=20_000 * MEGABYTE, upload_bytes=500 * MEGABYTE,
    )  # fmt: skip


def reached_by_others() -> bool:
    """Whether Gradio is told to serve other machines than this one, through a name or through its tunnel."""
    if os.environ.get("GRADIO_SHARE", "").lower() in ("1", "true"):
        return True
    name = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    try:
        return not ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name != "localhost"
