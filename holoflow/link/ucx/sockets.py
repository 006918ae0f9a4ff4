"""The sockets that lines are made of: local ones on one host, TCP between hosts."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

RETRY: Final = 0.05
"""Seconds between two attempts to reach a peer that is not there yet."""


def listen(at: str | tuple[str, int]) -> socket.socket:
    """Return a socket that listens at a path or an address; raises OSError."""
    if isinstance(at, str):
        door = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(at)
    else:
        door = socket.socket(socket.AF_INET)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(at)
        door.listen(4)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door


def reach(at: str | tuple[str, int]) -> socket.socket | None:
    """Return a socket that is connected with who listens there; None where nobody does."""
    connection = socket.socket(socket.AF_UNIX if isinstance(at, str) else socket.AF_INET)
    connection.settimeout(RETRY if isinstance(at, str) else 1.0)
    try:
        connection.connect(at)
    except OSError:
        connection.close()
        return None
    return connection


def notice_silence(connection: socket.socket) -> None:
    """Have a peer noticed that does not answer any more: its host has gone, or the cable."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000)
