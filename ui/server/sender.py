"""Who sends a request, as names that are safe to use: a digest of the session, a digest of the address."""

from __future__ import annotations

import ipaddress
import os
import secrets
from hashlib import sha256

import gradio as gr
from starlette.requests import Request

_SALT = secrets.token_bytes(16)
"""Of this process: nobody finds an address from its digest, and none is kept."""


def session_of(request: gr.Request) -> str:
    """A name for the session of a request, fit for a file: whatever the browser sends, 32 letters and digits."""
    return sha256(_SALT + str(request.session_hash).encode("utf-8", "replace")).hexdigest()[:32]


def sender_of(request: gr.Request | Request | None) -> str:
    """A name for the address that a request comes from; on a Space the one that its proxies saw.

    A visitor may write what they like into the header, but only in front of what the proxies add.
    """
    address = request.client.host if request is not None and request.client else ""
    if request is not None and os.environ.get("SPACE_ID"):
        passed = request.headers.get("x-forwarded-for", "").split(",")
        address = next(filter(_is_public, map(str.strip, reversed(passed))), address)
    return sha256(_SALT + _network(address).encode()).hexdigest()[:32]


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _network(address: str) -> str:
    """The address, or of IPv6 the network that one household has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), 64), strict=False))
