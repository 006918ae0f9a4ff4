"""The two ends of a link: the interface between the engine and each kind of link.

A message travels `Outlet.send` → memory or network → `Consumer.deliver`. Its flow's counter block
records the progress of each end: the engine counts `SENT`, `TAKEN`, `SETTLED` and what it drops;
the link counts `ARRIVED`, and counts messages lost on the way as dropped: by `full` if its sender
had no room for them, by `crash` if its sender has died.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy.typing as npt

from holoflow.plan.plan import PlannedFlow
from holoflow.stats.counters import CounterBlock

LOOK: Final = 0.1
"""Seconds after which a waiting thread checks again by itself: a notification may be lost."""
WAIT: Final = struct.pack("@ll", 0, int(LOOK * 1e6))
"""The same as a `timeval` for socket options."""


class Notifier:
    """A socket at which one thread waits and others notify; with a path, also other processes.

    A notification that comes before the wait is not lost: the datagram stays in the socket until
    it is received. When the socket is full, the waiter is certain to wake anyway.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the socket, replacing one left at `path` by an earlier process.

        Raises:
            OSError: The socket cannot be opened.
        """
        self._path = path
        self._files: select.epoll | None = None
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sending = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sending.setblocking(False)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
            self._listening.bind("" if path is None else str(path))
            self._sending.connect(self._listening.getsockname())
        except OSError:
            self.close()
            raise
        # Not settimeout, which would cost another system call per receive.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)

    def wait(self) -> None:
        """Wait for a notification, for at most `LOOK` seconds."""
        flags = 0
        if self._files is not None:
            own = self._listening.fileno()
            if all(file != own for file, _ in self._files.poll(LOOK)):
                return
            flags = socket.MSG_DONTWAIT
        try:  # noqa: SIM105 - suppress is slow, and this runs for every frame
            self._listening.recv(64, flags)
        except OSError:
            pass

    def watch(self, file: int) -> None:
        """Make `wait` return also while `file` is readable. From any thread."""
        if self._files is None:
            files = select.epoll()
            files.register(self._listening, select.EPOLLIN)
            self._files = files
        self._files.register(file, select.EPOLLIN)

    def forget(self, file: int) -> None:
        """Undo `watch` for `file`. From any thread."""
        if self._files is not None:
            self._files.unregister(file)

    def notify(self) -> None:
        """Wake the waiting thread, or make the next `wait` return at once."""
        with contextlib.suppress(OSError):  # full: notifications are pending already
            self._sending.send(b"")

    def close(self) -> None:
        """Close the socket; no thread may be waiting."""
        if self._files is not None:
            self._files.close()
        self._listening.close()
        self._sending.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


Buffer: TypeAlias = Any
"""An object with the buffer protocol and contiguous bytes; when sent it must have `nbytes`, as
arrays and memory views do."""


@dataclass(frozen=True, eq=False)
class LinkedFlow:
    """A flow between two fragments."""

    number: int
    """Its position in the plan, equal in all processes and on all hosts."""
    flow: PlannedFlow
    source: str
    """Fragment of the producer."""
    target: str
    """Fragment of the consumer."""
    counters: CounterBlock
    """Its counter block, shared by the links of one host. If the ends are on different hosts,
    each host has its own, and the link mirrors what the other end writes."""


class Producer(Protocol):
    """The sending stage, as a link sees it."""

    def wake(self) -> None:
        """Check again whether there is room. From any thread."""


class Consumer(Protocol):
    """The queue of the receiving stage, as a link sees it."""

    def deliver(self, number: int, head: Buffer, buffers: Sequence[Buffer]) -> None:
        """Put a message into the queue; drop it or another, according to the flow's policy.

        A message that cannot be decoded is counted as dropped by `error` and logged. `ARRIVED`
        of the counter block is `number` already.

        Args:
            number: Number of the message in its flow.
            head: Encoded header and structure of the payload.
            buffers: Its arrays and bytes, which belong to the message from now on.
        """

    def close(self) -> None:
        """End the stream: nothing more will be delivered."""

    def wake(self) -> None:
        """Schedule the receiving stage, which will poll. From any thread."""


class Outlet(Protocol):
    """The sending end of one or more flows from one output port.

    `send` never blocks: the engine sends to a blocking flow only while its counter block says
    that there is room. All calls come from the stage's thread, one at a time.
    """

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message to its flows.

        Args:
            numbers: The message's number in each flow; 0 to leave a flow out.
            head: Encoded header and structure of the payload.
            buffers: Its arrays and bytes.
        """

    def mark(self) -> None:
        """Notify the consumers that `WATERMARK` has changed without a message."""

    def flush(self) -> None:
        """Send what is held back to be sent with later messages: for now there are none."""

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array for an output, in the link's memory if it has any."""

    def wants_room(self, notifier: Notifier | None = None) -> None:
        """Have the producer woken when there is room; it checks once more before it sleeps.

        `notifier` is where it waits, if it waits at a notifier of its own.
        """

    def close(self) -> None:
        """End the stream of all flows (`CLOSED` is set), after what has been sent."""

    def suspend(self) -> None:
        """Leave without ending the stream: the fragment will be started again."""


class Inlet(Protocol):
    """The receiving end of a flow."""

    def poll(self) -> None:
        """Deliver what has arrived, as far as there is room. From the stage's thread."""

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by later messages; return False if something is there already.

        `notifier` is where it waits, if it waits at a notifier of its own.
        """

    def took(self) -> None:
        """Notify the producer that `TAKEN` or a drop has made room."""

    def suspend(self) -> None:
        """Leave: the fragment will be started again."""

    def abandon(self) -> None:
        """Receive nothing more, permanently, and notify the producer (`GONE` is set)."""


class Transport(Protocol):
    """One kind of link in one process."""

    @property
    def refusals(self) -> Mapping[str, int]:
        """Number of refused requests of unknown peers, by cause."""

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> Outlet:
        """Open the sending end of `flows`, which all leave one output port."""

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> Inlet:
        """Open the receiving end of `flow`."""

    def notifier(self, operator: str) -> Path | None:
        """Return where other processes notify the stage of `operator`; None if they do not."""

    def accept(self) -> None:
        """Let the other ends join: this process is ready."""

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return (offset, uncertainty) in nanoseconds of the clock at the other end of `flow`.

        The offset is to be added to the other end's monotonic times; (0, 0) on one host.
        """

    def waits_for(self) -> str:
        """Return in words which peers have not joined yet; empty if all have."""

    def drain(self) -> None:
        """Wait for peers that are away temporarily: the run was asked to end."""

    def close(self, patience: float) -> None:
        """Release everything; what was sent has `patience` seconds to arrive."""
