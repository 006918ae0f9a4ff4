"""Keeps the raw calls on the newest frames of a run, where somebody has asked for them."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field

from holoflow.flow.records import Call, Records

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
            Call(
                call.operator, fragments[call.operator], workers.get(call.worker, ""),
                call.source, call.sequence, call.arrived, call.start, call.end,
                call.takes, tuple(call.gives),
            )
            for call in self._calls
            if not self._old(call)
        ]  # fmt: skip
        return Records(app, run, epoch, tuple(sorted(calls, key=lambda call: call.end)))
