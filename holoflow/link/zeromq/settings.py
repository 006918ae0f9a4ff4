"""What a zeromq link is told from outside: who is where, which app it serves, and its times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from holoflow.link.wire import TOTAL
from holoflow.plan.plan import PlannedFlow

MOST: Final = TOTAL + (1 << 20)
"""Bytes of one part of a message, by default: a peer that sends a larger one is cut off. No
message of ours has as many, even if what compresses it makes it a little larger."""

WINDOW: Final = 4 << 20
"""Bytes of a flow that drops which may be under way at a time, where its queue is less."""


@dataclass(frozen=True)
class Address:
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
    ledger: str
    """Names the ledger: one for each run and host. Ends with the same one share its rows."""
    difference: Callable[[str], str] = field(default=lambda _digest: "", compare=False)
    """Says what differs where another end has that digest; empty where it is not known."""


@dataclass(frozen=True)
class Timing:
    """Seconds; the same on both ends."""

    beat: float = 1.0
    """Between two signs of life."""
    silence: float = 5.0
    """Without a sign of life, after which a peer is taken to be away."""
    retry: float = 0.05
    """Until a lost connection is first tried again; doubled each time up to `beat`."""
    refused: float = 5.0
    """Until one who was refused tries again."""
    orphaned: float = 30.0
    """Until a stream is ended whose sender said that it ends, and then went away for good."""
    away: float = 10.0
    """For which a host that is away is waited for, once the run was asked to end."""


def blocks(flow: PlannedFlow) -> bool:
    """Whether the sender of `flow` waits for room, so that nothing is dropped on the way."""
    return flow.when_full == "block" and not flow.latest
