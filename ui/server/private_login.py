"""One name and one password for a page that only some people may open."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable

VARIABLE = "LUGHA_LOGIN"
"""In the environment, not among the arguments: those can be read by everybody on the machine."""

SECONDS_A_WRONG_TRY = 1.0
SHORTEST = 8

Login = Callable[[str, str], Awaitable[bool]]
"""Whether a name and a password are the right ones, as Gradio's `auth` asks."""


def private_login() -> Login | None:
    """The login that LUGHA_LOGIN asks for; None where the page is open.

    Raises:
        ValueError: it is not `name:password`, or the password is short.
    """
    right = os.environ.get(VARIABLE, "")
    if not right:
        return None
    name, _, password = right.partition(":")
    if not name or len(password) < SHORTEST:
        raise ValueError(f"{VARIABLE} must be name:password, the password of at least {SHORTEST} characters.")
    trying = asyncio.Lock()

    # A function and no object with `__call__`: Gradio would not wait for that, and take what it returns for a yes.
    async def is_right(name: str, password: str) -> bool:
        given = f"{name}:{password}".encode("utf-8", "replace")
        async with trying:  # one wrong try a second, of all who try
            if secrets.compare_digest(right.encode(), given):
                return True
            await asyncio.sleep(SECONDS_A_WRONG_TRY)
            return False

    return is_right
