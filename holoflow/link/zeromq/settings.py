"""Settings of zeromq links: addresses, encryption, the identity of the app, timing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from holoflow.core.errors import HoloflowError
from holoflow.link.wire import TOTAL
from holoflow.plan.plan import PlannedFlow

MOST: Final = TOTAL + (1 << 20)
"""Largest part of a message in bytes, by default: a peer that sends a larger one is disconnected.
Valid messages are smaller, even if compression makes them slightly larger."""

WINDOW: Final = 4 << 20
"""Bytes of a dropping flow that may be in transit at once, if its queue is smaller."""


@dataclass(frozen=True)
class PeerAddress:
    """Where a fragment is reached."""

    endpoint: str
    """`tcp://10.0.0.1:7421`, or `ipc:///…` on one host."""
    server_key: str | None = None
    """Public key (z85) of the host that listens there; None without encryption."""


@dataclass(frozen=True)
class AppIdentity:
    """What both ends of a link must agree on, and the counters that this one uses."""

    name: str
    digest: str
    """Digest of the app file and everything that it uses: equal on all hosts."""
    counters: str
    """Name of the counters: one for each run and host. Ends with the same name share them."""
    difference: Callable[[str], str] = field(default=lambda _digest: "", compare=False)
    """Returns what differs from an end with another digest; empty if not known."""


@dataclass(frozen=True)
class Timing:
    """Intervals in seconds; the same on both ends."""

    heartbeat: float = 1.0
    """Between two heartbeats."""
    silence: float = 5.0
    """Without a heartbeat, until a peer is considered away."""
    retry: float = 0.05
    """Until the first attempt to reconnect; doubled each time up to `heartbeat`."""
    refused: float = 5.0
    """Until a refused sender tries again."""
    orphaned: float = 30.0
    """Until a stream is ended whose sender closed it and then disappeared for good."""
    away: float = 10.0
    """For which an absent host is waited for once the run was asked to end."""


_LONGEST: Final = 107
"""Longest path of a Unix socket in bytes, a limit of the kernel."""


def on_host(folder: Path, fragment: str) -> str:
    """Return where `fragment` is reached by others on its host: a socket in a private `folder`.

    Raises:
        HoloflowError: The path is longer than the system allows.
    """
    path = folder / f"{quote(fragment, safe='')}.zmq"
    if len(str(path).encode()) > _LONGEST:
        raise HoloflowError(
            f"{path} is too long for the name of a socket, which has at most {_LONGEST} bytes",
            f"give the fragment {fragment!r} a shorter name",
        )
    return f"ipc://{path}"


def on_network(host: str, port: int) -> str:
    """Return where a fragment is reached from other hosts."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def encrypted(fragment: str, flows: Sequence[PlannedFlow]) -> bool:
    """Whether `fragment` encrypts the flows from other hosts: all of them or none.

    Args:
        fragment: The receiving fragment.
        flows: The flows that come from other hosts.

    Raises:
        HoloflowError: Some of the flows are to be encrypted and some are not.
    """
    plain = [flow for flow in flows if not flow.encrypt]
    if plain and len(plain) < len(flows):
        other = next(flow for flow in flows if flow.encrypt)
        raise HoloflowError(
            f"{plain[0].source} -> {plain[0].target} is not encrypted and "
            f"{other.source} -> {other.target} is, but both come to the fragment {fragment!r} "
            "from other hosts",
            "write encrypt: false for all of them, or for none",
        )
    return bool(flows) and not plain
