"""Settings of a zeromq link: who is where, who encrypts, which app it serves, its times."""

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
"""Bytes of one part of a message, by default: a peer that sends a larger one is cut off. No
message of ours has as many, even if what compresses it makes it a little larger."""

WINDOW: Final = 4 << 20
"""Bytes of a flow that drops which may be under way at a time, where its queue is less."""


@dataclass(frozen=True)
class PeerAddress:
    """Where a fragment is reached."""

    endpoint: str
    """`tcp://10.0.0.1:7421`, or `ipc:///…` on one host."""
    server_key: str | None = None
    """Public key (z85) of the host that listens there; None where nothing is encrypted."""


@dataclass(frozen=True)
class AppIdentity:
    """What both ends of a link must agree on, and where this one keeps its counts."""

    name: str
    digest: str
    """Of the app file and all that it uses: equal on all hosts."""
    counters: str
    """Names the ledger: one for each run and host. Ends with the same one share its rows."""
    difference: Callable[[str], str] = field(default=lambda _digest: "", compare=False)
    """Says what differs where another end has that digest; empty where it is not known."""


@dataclass(frozen=True)
class Timing:
    """Seconds; the same on both ends."""

    heartbeat: float = 1.0
    """Between two signs of life."""
    silence: float = 5.0
    """Without a sign of life, after which a peer is taken to be away."""
    retry: float = 0.05
    """Until a lost connection is first tried again; doubled each time up to `heartbeat`."""
    refused: float = 5.0
    """Until one who was refused tries again."""
    orphaned: float = 30.0
    """Until a stream is ended whose sender said that it ends, and then went away for good."""
    away: float = 10.0
    """For which a host that is away is waited for, once the run was asked to end."""


def blocks(flow: PlannedFlow) -> bool:
    """Whether the sender of `flow` waits for room, so that nothing is dropped on the way."""
    return flow.when_full == "block" and not flow.latest


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
