"""Records of single calls, for exports that need individual frames, and how they are kept."""

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
    """Thread that made the call, as in `WorkerStats.name`."""
    source: str
    """Source of the frame; for a join, of the leading message."""
    sequence: int
    """Number of the frame at its source."""
    arrived: int
    """When the leading message was sent; for a source, when it had the frame."""
    start: int
    """For a source: when it was asked for the frame."""
    end: int
    takes: tuple[tuple[str, int], ...]
    """Messages that the call used: `FlowStats.name` and a number, unique within the run, which
    also occurs in the sender's `gives`."""
    gives: tuple[tuple[str, int], ...]
    """Messages that the call sent, one entry for each flow from its output port."""


@dataclass(frozen=True)
class Records:
    """Calls for the newest frames of a run, in the order in which they ended."""

    app: str
    run: str
    epoch: int
    """Nanoseconds from 1970 to the zero of the monotonic clock; add it to a time in `calls`."""
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
    """Keeps calls. Any thread may `add` one; `trim` and `records` are called by one thread."""

    def __init__(self, frames: int) -> None:
        """Keep the calls for the newest `frames` of each source."""
        self._frames = frames
        self._calls: deque[OpenCall] = deque()
        self._newest: dict[str, int] = {}
        self.number = itertools.count(1).__next__
        """Return a number for a message, unique within the run. From any thread."""

    def add(self, call: OpenCall) -> None:
        """Keep `call`."""
        self._calls.append(call)
        if call.sequence > self._newest.get(call.source, -1):
            self._newest[call.source] = call.sequence

    def _old(self, call: OpenCall) -> bool:
        return call.sequence <= self._newest[call.source] - self._frames

    def trim(self) -> None:
        """Discard calls for frames that are no longer among the newest."""
        while self._calls and self._old(self._calls[0]):
            self._calls.popleft()

    def records(
        self, app: str, run: str, epoch: int, fragments: dict[str, str], workers: dict[int, str]
    ) -> Records:
        """Return the calls that are kept.

        Args:
            app: Name of the app.
            run: Identifies the run.
            epoch: See `Records.epoch`.
            fragments: Name of the fragment of each operator.
            workers: Name of each worker, by the identifier of its thread.
        """
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
