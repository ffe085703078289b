"""Where the page runs: on somebody's own machine, where everything is theirs, or hosted for all, with fair limits."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Hosting:
    """What a visitor may do here.

    folders: whether a path of this machine may be named. login: whether visitors can log in to the Hub. space is the
    id of the Space, if it is one. The rest are limits on a visitor's runs: pairs, steps, seconds, how many at a time,
    and for how many hours they are kept (None: for good).
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

    @property
    def hosted(self) -> bool:
        """Whether strangers share it."""
        return not self.folders

    @property
    def sentence(self) -> str:
        """What is so here, for those who share it."""
        return (
            f"Shared with others: a fine-tune may have {self.train_pairs:,} pairs, {self.train_steps:,} steps and "
            f"{self.train_seconds // 60} minutes, one at a time, and is kept for {self.keep_hours:.0f} hours. A copy "
            "of your own has no such limits."
        )


OWN_MACHINE = Hosting(
    folders=True, login=False, space=None, train_pairs=5000, train_steps=20_000, train_seconds=3600, runs=100,
    at_work=8, keep_hours=None,
)  # fmt: skip


def hosting(hosted: bool = False) -> Hosting:
    """Where this process runs.

    Args:
        hosted: serve strangers although this is no Space.
    """
    space = os.environ.get("SPACE_ID")
    if not space and not hosted:
        return OWN_MACHINE
    return Hosting(
        folders=False, login="OAUTH_CLIENT_ID" in os.environ, space=space, train_pairs=2000, train_steps=1000,
        train_seconds=300, runs=12, at_work=1, keep_hours=24,
    )  # fmt: skip
