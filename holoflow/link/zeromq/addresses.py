"""Where fragments are reached, and which of them encrypt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from holoflow.errors import HoloflowError
from holoflow.plan.plan import PlannedFlow

_LONGEST: Final = 107
"""Bytes of the path of a unix socket, a limit of the kernel's."""


def on_host(folder: Path, fragment: str) -> str:
    """Return where `fragment` is reached by others on its host: a socket in a private `folder`.

    Raises HoloflowError where the path is longer than the system allows.
    """
    path = folder / f"{quote(fragment, safe='')}.zmq"
    if len(str(path).encode()) > _LONGEST:
        raise HoloflowError(
            f"{path} is too long for the name of a socket, which has at most {_LONGEST} bytes; "
            f"give the fragment {fragment!r} a shorter name"
        )
    return f"ipc://{path}"


def on_network(host: str, port: int) -> str:
    """Return where a fragment is reached from other hosts."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def encrypted(fragment: str, flows: Sequence[PlannedFlow]) -> bool:
    """Whether `fragment` encrypts what comes from other hosts: all that, or nothing of it.

    `flows` are those that come from there. Raises HoloflowError where some say so and some not.
    """
    plain = [flow for flow in flows if not flow.encrypt]
    if plain and len(plain) < len(flows):
        other = next(flow for flow in flows if flow.encrypt)
        raise HoloflowError(
            f"{plain[0].source} -> {plain[0].target} is not encrypted and "
            f"{other.source} -> {other.target} is, but both come to the fragment {fragment!r} "
            "from other hosts; write encrypt: false for all of them, or for none"
        )
    return bool(flows) and not plain
