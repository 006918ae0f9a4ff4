"""The receiving end of a flow."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from holoflow.link.clock import ClockOffset
from holoflow.link.ends import Consumer, LinkedFlow, Notifier
from holoflow.link.ucx.control import Answer, Ask, Closed, ControlFrame, Mark, UcxProgress
from holoflow.link.ucx.frame import UcxFrame, unpack
from holoflow.link.wire import WireError
from holoflow.stats import counters
from holoflow.stats.counters import ARRIVED, CLOSED, SENT, WATERMARK

ASKING: Final = 1_000_000_000
"""Nanoseconds between two requests for the other host's time."""
_log = logging.getLogger("holoflow.link")


class UcxReceiver:
    """Keeps received messages until the stage takes them, and reports progress to the sender."""

    def __init__(self, flow: LinkedFlow, consumer: Consumer, *, near: bool) -> None:
        """Receive the messages of `flow`.

        Args:
            flow: The flow, with its counters.
            consumer: The stage that takes the messages.
            near: Whether the sender is on this host and counts in the same counter block.
        """
        self.flow = flow
        self.near = near
        self.peer = flow.source
        self.clock = ClockOffset()
        self.done = False
        """Whether the stream has ended and the sender knows that this is known."""
        self.wake_operator: Callable[[], None] = lambda: None
        """Set by the engine: makes the receiving operator check `done`."""
        self.send_frame: Callable[[ControlFrame], None] = lambda _frame: None
        """Set by the control connection: sends a frame."""
        self._consumer = consumer
        self._lossy = not flow.flow.lossless
        self._arrived: deque[UcxFrame] = deque()
        self._received = flow.counters[ARRIVED]
        self._listening = self._gone = self._delivered_end = False
        self._last: int | None = None
        self._mark: Mark | None = None
        """The sender's newest watermark, until everything before it has been delivered."""
        self._asked = 0
        self._lock = threading.Lock()

    # -- the receiving operator's side -------------------------------------------------------

    def listen(self) -> None:
        """Report that UCX listens."""
        self._listening = True
        self.report()

    def accept(self, tensors: Any) -> None:
        """Accept a message; an invalid one is logged and dropped."""
        try:
            ucx_frame = unpack(tensors)
            known = self.flow.counters[SENT] if self.near else ucx_frame.number
            if not self._received < ucx_frame.number <= known:
                raise WireError(f"message {ucx_frame.number} does not follow {self._received}")
        except WireError as error:
            _log.error("%s -> %s: %s", self.flow.flow.source, self.flow.flow.target, error)
            return
        with self._lock:
            self._received = ucx_frame.number
            if not self._gone:
                self._arrived.append(ucx_frame)
        self._consumer.wake()
        self.report()

    # -- the engine's side -------------------------------------------------------------------

    def poll(self) -> None:
        """Deliver what has arrived."""
        block = self.flow.counters
        fetched = False
        while (ucx_frame := self._next()) is not None:
            self._arrive(ucx_frame.number - 1)
            block[ARRIVED] = ucx_frame.number
            self._consumer.deliver(ucx_frame.number, ucx_frame.head, ucx_frame.buffers)
            fetched = True
        mark = self._mark
        if mark is not None and not self._arrived and not self._gone:
            self._mark = None
            self._arrive(mark.last)
            if not self.near:
                block[SENT] = max(block[SENT], mark.last)
                block[WATERMARK] = max(block[WATERMARK], mark.watermark)
        if fetched and self._lossy:
            self.report()  # there was no room for more
        if self._last is not None and not self._arrived and not self._gone:
            self._end()

    def _next(self) -> UcxFrame | None:
        with self._lock:
            return self._arrived.popleft() if self._arrived and not self._gone else None

    def _arrive(self, number: int) -> None:
        """Count messages up to `number` that the sender had no room for as dropped."""
        missing = number - self.flow.counters[ARRIVED]
        if missing > 0:
            self.flow.counters[ARRIVED] = number
            counters.drop(self.flow.counters, "full", missing)

    def _end(self) -> None:
        if not self._delivered_end and self._last is not None:
            self._delivered_end = True
            self._arrive(self._last)
            self._consumer.close()
            self._finish()

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:  # noqa: ARG002 - Holoscan calls
        """Whether there is nothing to do; anything that arrives wakes the stage."""
        if self._mark is not None and not self._arrived and not self._gone:
            return False
        return not self._arrived and (self._last is None or self._delivered_end)

    def took(self) -> None:
        """Report to the sender that there is room."""
        self.report()

    def suspend(self) -> None:
        """Leave for good: no process will follow this one."""
        self.abandon()

    def abandon(self) -> None:
        """Receive nothing more; the sender then ends the stream."""
        with self._lock:
            self._gone = True
            self._arrived.clear()
        self.report()
        if self._last is not None:
            self._finish()

    # -- the control connection's side -------------------------------------------------------

    def receive(self, frame: ControlFrame) -> None:
        """Handle a frame from the sender."""
        if isinstance(frame, Answer):
            self.clock.add(*frame, time.monotonic_ns())
        elif isinstance(frame, Mark):
            self._mark = frame
            self._consumer.wake()
        elif isinstance(frame, Closed):
            if not self.near:
                self.flow.counters[SENT], self.flow.counters[CLOSED] = frame.last, 1
            self._last = frame.last
            if self._gone:
                self._finish()
            self._consumer.wake()

    def report(self) -> None:
        """Report the progress of this end to the sender."""
        now = time.monotonic_ns()
        if not self.near and now - self._asked >= ASKING:
            self._asked = now
            self.send_frame(Ask(now))
        self.send_frame(self._state())

    def _state(self) -> UcxProgress:
        received = self._received
        if self._lossy and len(self._arrived) >= self.flow.flow.queue and not self._gone:
            received = -1  # the queue is full: the sender drops messages meanwhile
        own = tuple(self.flow.counters[ARRIVED:])
        return UcxProgress(received, self._listening, self.done, own)

    def _finish(self) -> None:
        self.done = True
        self.send_frame(self._state())
        self.wake_operator()
