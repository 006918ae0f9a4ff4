"""The sending end of a flow."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.link.ends import Buffer, LinkedFlow, Notifier, Producer
from holoflow.link.ucx.control import Answer, Ask, Closed, ControlFrame, Mark, UcxProgress
from holoflow.link.ucx.frame import UcxFrame
from holoflow.stats.counters import ARRIVED, GONE, WATERMARK, mirror


class UcxSender:
    """Holds messages until the receiver can take them: only one is in transit at a time.

    This is necessary: if a message reaches Holoscan's receiver before the previous one has been
    passed on, it is sometimes lost, and the connection with it.
    """

    def __init__(self, flow: LinkedFlow, producer: Producer, *, near: bool) -> None:
        """Send the messages of `flow`.

        Args:
            flow: The flow, with its counters.
            producer: The stage that sends the messages.
            near: Whether the receiver is on this host and counts in the same counter block.
        """
        self.flow = flow
        self.near = near
        self.peer = flow.target
        self.done = False
        """Whether the receiver knows that the stream has ended, or wants nothing more."""
        self.wake_operator: Callable[[], None] = lambda: None
        """Set by the engine: makes the sending operator call `next`."""
        self.send_frame: Callable[[ControlFrame], None] = lambda _frame: None
        """Set by the control connection: sends a frame."""
        self._producer = producer
        self._lossy = not flow.flow.lossless
        self._waiting: deque[UcxFrame] = deque()
        self._listening = False
        self._emitted = self._received = self._last = flow.counters[ARRIVED]
        self._closing = self._end_sent = self._marked = False
        self._lock = threading.Lock()

    # -- the engine's side -------------------------------------------------------------------

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Keep a message until it can be sent; in a flow that drops, it may replace another."""
        (number,) = numbers
        if not number:
            return
        with self._lock:
            self._last = number
            if self._closing:
                return
            if self._lossy and len(self._waiting) >= self.flow.flow.queue:
                if self.flow.flow.drops_newest:
                    return  # the receiver counts it as dropped
                self._waiting.popleft()
            self._waiting.append(UcxFrame(number, head, buffers))
        self.wake_operator()

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array; UCX has no memory of its own on the CPU."""
        return np.empty(shape, dtype)

    def mark(self) -> None:
        """Send the watermark to the receiver after what has been sent so far."""
        self._marked = True
        self._send_mark()

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def wants_room(self, notifier: Notifier | None = None) -> None:
        """Do nothing: the control connection wakes the producer whenever there is room."""

    def close(self) -> None:
        """End the stream after what has been sent so far."""
        with self._lock:
            self._closing = True
        self._send_end()

    def suspend(self) -> None:
        """End the stream: no process comes after this one."""
        self.close()

    # -- the sending operator's side ---------------------------------------------------------

    def next(self) -> UcxFrame | None:
        """Return the message that may be sent now, if any."""
        with self._lock:
            free = self._listening and self._received >= self._emitted and not self.done
            if not free or not self._waiting:
                return None
            ucx_frame = self._waiting.popleft()
            self._emitted = ucx_frame.number
            return ucx_frame

    # -- the control connection's side -------------------------------------------------------

    def receive(self, frame: ControlFrame) -> None:
        """Handle a frame from the receiver."""
        if isinstance(frame, Ask):
            now = time.monotonic_ns()
            self.send_frame(Answer(frame.asked, now, time.monotonic_ns()))
        if not isinstance(frame, UcxProgress):
            return
        if not self.near:
            mirror(self.flow.counters, frame.counters)
        with self._lock:
            self._listening = frame.listening
            self._received = max(self._received, frame.received)
            if self.flow.counters[GONE]:
                self._waiting.clear()
                self._closing = True
            self.done = self.done or frame.closed
        self._send_mark()
        self._send_end()
        self._producer.wake()
        self.wake_operator()

    def _send_mark(self) -> None:
        with self._lock:
            arrived = self._received >= self._emitted and not self._waiting and self._listening
            due, self._marked = self._marked and arrived, self._marked and not arrived
            # Read first: it applies to what has been sent until now.
            watermark = self.flow.counters[WATERMARK]
            mark = Mark(self._last, watermark)
        if due:
            self.send_frame(mark)

    def _send_end(self) -> None:
        with self._lock:
            arrived = self._received >= self._emitted and not self._waiting
            due = self._closing and arrived and not self._end_sent
            self._end_sent = self._end_sent or due
        if due:
            self.send_frame(Closed(self._last))
