"""Raw records of calls, for exports that look at single frames, and how they are kept."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple


class CallRecord(NamedTuple):
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
    calls: tuple[CallRecord, ...]


Message = tuple[str, int]
"""Name of a flow and the number of a message on it."""


@dataclass
class OpenCall:
    """A call whose messages are still being sent."""

    operator: str
    worker: int
    source: str
    sequence: int
    arrived: int
    start: int
    end: int
    takes: tuple[Message, ...]
    gives: list[Message] = field(default_factory=list)


class Recorder:
    """Holds calls. They are added by any thread, `trim` and `records` are called by one."""

    def __init__(self, frames: int) -> None:
        """Keep those on the newest `frames` of each source."""
        self._frames = frames
        self._calls: deque[OpenCall] = deque()
        self._newest: dict[str, int] = {}
        self.number = itertools.count(1).__next__
        """Return a number for a message."""

    def add(self, call: OpenCall) -> None:
        """Keep `call`."""
        self._calls.append(call)
        if call.sequence > self._newest.get(call.source, -1):
            self._newest[call.source] = call.sequence

    def _old(self, call: OpenCall) -> bool:
        return call.sequence <= self._newest[call.source] - self._frames

    def trim(self) -> None:
        """Let go of calls on frames that are no longer among the newest."""
        while self._calls and self._old(self._calls[0]):
            self._calls.popleft()

    def records(
        self, app: str, run: str, epoch: int, fragments: dict[str, str], workers: dict[int, str]
    ) -> Records:
        """Return what is kept; `fragments` by operator, `workers` by thread."""
        calls = [
            CallRecord(
                call.operator, fragments[call.operator], workers.get(call.worker, ""),
                call.source, call.sequence, call.arrived, call.start, call.end,
                call.takes, tuple(call.gives),
            )
            for call in self._calls
            if not self._old(call)
        ]  # fmt: skip
        return Records(app, run, epoch, tuple(sorted(calls, key=lambda call: call.end)))
