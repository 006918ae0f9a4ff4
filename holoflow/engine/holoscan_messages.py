"""What goes between Holoscan's own operators and the queues around them, and whose it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from holoflow.core.message import Header
from holoflow.engine.queue import Message
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.records import OpenCall
from holoflow.stats.snapshot import FlowStats
from holoflow.stats.spans import PathStep, TraceContext

if TYPE_CHECKING:
    from holoflow.engine.holoscan_calls import HoloscanCalls
    from holoflow.engine.holoscan_ports import Feeder

KEPT = 256
"""Newest calls of a C++ operator that are kept for what it sends."""


class Fed:
    """A message that was emitted to an operator."""

    __slots__ = ("at", "call", "feeder", "message")

    def __init__(self, feeder: Feeder, message: Message, at: int) -> None:
        """Note that `feeder` emits `message` now, at the time `at` (ns)."""
        self.feeder = feeder
        self.message = message
        self.at = at
        self.call: HoloscanCall | None = None
        """The call that has received it, if it has ended."""


class HoloscanCall:
    """A call: the frame that it worked on, and what is known of what it sends."""

    __slots__ = ("header", "record", "taken", "trace")

    def __init__(self, header: Header | None = None) -> None:
        """Make a call for the frame of `header`, which may become known later."""
        self.header = header
        self.taken: list[Fed] = []
        self.trace: TraceContext = ()
        self.record: OpenCall | None = None


class DirectFlow:
    """A flow between two operators in C++, which Holoscan alone carries."""

    def __init__(
        self, flow: PlannedFlow, step: PathStep, source: HoloscanCalls, target: HoloscanCalls
    ) -> None:
        """Note the calls of `source` for those of `target`, which are a `step` of paths."""
        self.flow = flow
        self._source = source
        self.name = f"{flow.source} -> {flow.target}"
        self.step = step
        self.target = target
        self._calls: deque[HoloscanCall] = deque(maxlen=KEPT)
        self._owed = 0
        """Calls behind it that came before what they have received was noted."""

    def put(self, call: HoloscanCall) -> None:
        """Note that `call` has ended, the sender's."""
        if self._owed:
            self._owed -= 1
        else:
            self._calls.append(call)

    def take(self, header: Header | None) -> HoloscanCall | None:
        """Return the call that has sent what the target has received with `header`."""
        while self._calls:
            call = self._calls.popleft()
            if header is None or call.header is header or call.header == header:
                return call
        self._owed += 1
        return None

    def count(self, calls: int) -> None:
        """Note that its target has made so many `calls`."""
        if self._source.source and not self._source.outputs:
            self._source.meter.frames = max(self._source.meter.frames, calls)

    def stats(self) -> FlowStats:
        """Return its statistics: what its target has received, as Holoscan counts nothing."""
        count = self.target.meter.frames
        return FlowStats(str(self.flow.source), str(self.flow.target), count, count, {})


def leading(feeders: Sequence[Feeder], taken: Iterable[Fed]) -> list[Fed]:
    """Return `taken` in the order of the inputs: the first leads."""
    order = {id(feeder): index for index, feeder in enumerate(feeders)}
    return sorted(taken, key=lambda fed: order[id(fed.feeder)])


def found(metadata: Any, feeders: Sequence[Feeder]) -> Iterator[Fed]:
    """Yield what of `feeders` a call has received, whose Holoscan `metadata` these are."""
    for feeder in feeders:
        fed = metadata.get(feeder.key, None)
        if fed is not None:
            yield fed
