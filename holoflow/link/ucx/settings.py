"""How UCX is set up, and where the ends of a flow find one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from holoflow.errors import HoloflowError
from holoflow.plan.addresses import crosses_hosts
from holoflow.plan.plan import Plan

LOOPBACK: Final = "127.0.0.1"
FIRST_PORT: Final = 7700
"""TCP port of the first flow's line between hosts; its messages come to the next one. Each flow
has two ports, at its place in the plan."""

_ALWAYS: Final = {
    # Below their default, larger messages corrupt the heap of the process that they come to.
    "UCX_TCP_TX_SEG_SIZE": "200k",
    "UCX_TCP_RX_SEG_SIZE": "200k",
    "UCX_LOG_LEVEL": "error",
}
_ON_ONE_HOST: Final = {"UCX_NET_DEVICES": "lo", "UCX_TLS": "tcp"}
_BETWEEN_HOSTS: Final = {"UCX_TLS": "^cuda_ipc"}


@dataclass(frozen=True)
class Peers:
    """Where the ends of flows are."""

    folder: Path
    """Private folder of the run on this host: who meets there is on this host."""
    run: str
    """Names the run; both ends have the same."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name or address of the host of each fragment that messages come to from another one."""


@dataclass(frozen=True)
class Place:
    """Where the receiving end of a flow is."""

    line: str | tuple[str, int]
    """Path of a local socket, or address and port."""
    host: str
    port: int
    """TCP port of UCX; 0 leaves it to the receiving end."""


def place(peers: Peers, target: str, number: int, *, near: bool) -> Place:
    """Return where the flow of that number comes to the fragment `target`.

    From the same host (`near`), or from another one; raises HoloflowError where that is unknown.
    """
    if near:
        return Place(str(peers.folder / f"ucx-{number}"), LOOPBACK, 0)
    host = peers.hosts.get(target)
    if host is None:
        raise HoloflowError(f"fragment {target!r} has no host, so that others cannot reach it")
    port = FIRST_PORT + 2 * number
    return Place((host, port), host, port + 1)


def environment(plan: Plan) -> dict[str, str]:
    """Return the variables that UCX is to find in a process before Holoscan is imported.

    What the user has set (the fragment's `environment:`) goes before. On one host everything
    stays on the loopback device; between hosts UCX chooses the fastest device that there is.
    """
    apart = any(flow.link == "ucx" and crosses_hosts(plan, flow) for flow in plan.flows)
    return {**_ALWAYS, **(_BETWEEN_HOSTS if apart else _ON_ONE_HOST)}
