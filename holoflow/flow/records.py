"""Raw records of a run: every call of every operator, for exports that look at single frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Call(NamedTuple):
    """One call of an operator; times in nanoseconds of the host's monotonic clock."""

    operator: str
    fragment: str
    worker: str
    """Thread that made the call, as in `WorkerBooks.name`."""
    source: str
    """Source of the frame; of a join, of the message that leads it."""
    sequence: int
    """Number of the frame at its source."""
    arrived: int
    """When the message that leads the call was sent; of a source, when it had the frame."""
    start: int
    """Of a source: when it was asked for the frame."""
    end: int
    takes: tuple[tuple[str, int], ...]
    """Messages that the call used: `FlowBooks.name` and a number, unique within the run, that
    the sender's `gives` has too."""
    gives: tuple[tuple[str, int], ...]
    """Messages that the call sent, one entry for each flow behind the output port."""


@dataclass(frozen=True)
class Records:
    """Calls on the newest frames of a run, in the order of their end."""

    app: str
    run: str
    epoch: int
    """Nanoseconds to add to a time of the monotonic clock to get that since 1970."""
    calls: tuple[Call, ...]
