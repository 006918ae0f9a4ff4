"""What a running app says to who watches it: a hello, then one snapshot a line, all in JSON."""

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

Phase: TypeAlias = Literal["starting", "running", "again", "ended"]
"""What a fragment does, as its launcher knows it. `starting`: its operators start, or it waits
for others. `again`: its process has ended, and is started again."""


@dataclass(frozen=True)
class Hello:
    """The first line of a connection."""

    holoflow: int
    """`VERSION` of what follows."""
    app: str
    run: str
    fragment: str
    pid: int
    began: float
    """When the process began to be watchable, in seconds since the epoch."""
    history: tuple[Sample, ...] = ()
    """Curves over the run so far."""
    age: float | None = None
    """Seconds since the process last showed what it does; None where its sources have not begun."""
    phases: Mapping[str, Phase] | None = None
    """Of a launcher: what its fragments do. It has no books of its own, and sends none."""
    waits: str = ""
    """What is waited for, where nothing has moved for long; that need not be amiss."""
    trouble: str = ""
    """Why it does not do well, although it shows what it does: a call that goes on and on, or
    nobody can go on."""


def read_hello(line: bytes) -> Hello:
    """Return the hello in `line`; raises HoloflowError with what is wrong."""
    data = _load(line)
    version = data.get("holoflow") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise HoloflowError("it is no app of holoflow's")
    if version != VERSION:
        raise HoloflowError(
            f"it runs with another holoflow (it speaks version {version}, this one "
            f"{VERSION}); use the same one for both"
        )
    return from_plain(Hello, data)


def read_snapshot(line: bytes, hello: Hello) -> Snapshot:
    """Return the snapshot in `line`; raises HoloflowError where it is none of that run."""
    snapshot = from_plain(Snapshot, _load(line))
    if (snapshot.app, snapshot.run) != (hello.app, hello.run):
        raise HoloflowError("it sends the books of another run than it says")
    return snapshot


def _load(line: bytes) -> Any:
    """Read JSON whose numbers can be reckoned with."""
    try:
        return json.loads(line, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise HoloflowError("it is no app of holoflow's") from None


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
