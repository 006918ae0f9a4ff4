"""The protocol for watching an app: a hello, then one snapshot per line, all in JSON.

A watcher may ask for a change of a live parameter, and is answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holoflow.core.errors import HoloflowError
from holoflow.stats.snapshot import Sample, Snapshot, from_plain

VERSION = 1
LIMIT = 16 * 1024 * 1024
"""Bytes of the longest line that is sent or read."""
LONGEST_REQUEST = 64 * 1024
"""Bytes of the longest line that a watcher may send."""

Phase: TypeAlias = Literal["starting", "running", "again", "ended"]
"""What a fragment does, as its launcher knows. `starting`: its operators start, or it waits for
other fragments. `again`: its process has ended and will be restarted."""


@dataclass(frozen=True)
class Hello:
    """The first line of a connection."""

    holoflow: int
    """`VERSION` of the protocol."""
    app: str
    run: str
    fragment: str
    pid: int
    began: float
    """When the process became watchable, in seconds since the epoch."""
    history: tuple[Sample, ...] = ()
    """Curves over the run so far."""
    age: float | None = None
    """Seconds since the process last published its state; None before its sources begin."""
    phases: Mapping[str, Phase] | None = None
    """Of a launcher: what its fragments do. It has no statistics of its own, and sends none."""
    waits: str = ""
    """What is waited for if nothing has moved for long; that need not be an error."""
    trouble: str = ""
    """What is wrong although it publishes its state: a call does not return, or no stage can
    continue."""


@dataclass(frozen=True)
class ChangeRequest:
    """A line that a watcher may send: change a live parameter."""

    operator: str
    parameter: str
    value: Any
    """As in an app file, quantities with their unit."""


@dataclass(frozen=True)
class ChangeAnswer:
    """The line that answers a request, between snapshots."""

    wrong: str = ""
    """What is wrong with it; empty if it is carried out."""
    right: str = ""
    """What would be right."""


def read_request(line: bytes) -> ChangeRequest:
    """Return the request in `line`; raises HoloflowError if it is invalid."""
    return from_plain(ChangeRequest, _load(line))


def read_answer(line: bytes) -> ChangeAnswer | None:
    """Return the answer in `line`; None if it is a snapshot."""
    data = _load(line)
    return from_plain(ChangeAnswer, data) if isinstance(data, dict) and "wrong" in data else None


def read_hello(line: bytes) -> Hello:
    """Return the hello in `line`; raises HoloflowError if it is invalid."""
    data = _load(line)
    version = data.get("holoflow") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise HoloflowError("it is not a holoflow app")
    if version != VERSION:
        raise HoloflowError(
            f"it runs with another holoflow (it speaks version {version}, this one {VERSION})",
            "use the same one for both",
        )
    return from_plain(Hello, data)


def read_snapshot(line: bytes, hello: Hello) -> Snapshot:
    """Return the snapshot in `line`; raises HoloflowError if it does not belong to the run."""
    snapshot = from_plain(Snapshot, _load(line))
    if (snapshot.app, snapshot.run) != (hello.app, hello.run):
        raise HoloflowError("it sends the statistics of another run than it says")
    return snapshot


def _load(line: bytes) -> Any:
    """Read JSON whose numbers are finite."""
    try:
        return json.loads(line, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise HoloflowError("it is not a holoflow app") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) >= 1 << 63:
        raise ValueError(text)
    return value
