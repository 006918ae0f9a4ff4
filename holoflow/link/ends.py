"""The two ends of a link, as the engine sees them and each kind of link makes them.

A message goes `Outlet.send` → memory or network → `Consumer.deliver`. Its flow's row in the
ledger says how far each end is: the engine counts `SENT`, `TAKEN`, `SETTLED` and what it drops;
the link counts `ARRIVED`, and books what has been lost on the way: as `full` where its sender
had no room for it, as `crash` where its sender has died.
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
from holoflow.stats.counters import Row

LOOK: Final = 0.05
"""Seconds after which who waits looks again by itself: a call may have been lost."""
WAIT: Final = struct.pack("@ll", 0, int(LOOK * 1e6))
"""The same as sockets take it."""


class Notifier:
    """A socket that one thread waits at and others ring; with a path, those of other processes."""

    def __init__(self, path: Path | None = None) -> None:
        """Make it; what a former process has left at `path` is replaced. Raises OSError."""
        self._path = path
        self._files: select.epoll | None = None
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ringing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ringing.setblocking(False)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
            self._listening.bind("" if path is None else str(path))
            self._ringing.connect(self._listening.getsockname())
        except OSError:
            self.close()
            raise
        # Not settimeout: that would cost a system call more each time.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)

    def wait(self) -> None:
        """Wait until somebody rings, for `LOOK` seconds at most."""
        flags = 0
        if self._files is not None:
            own = self._listening.fileno()
            if all(file != own for file, _ in self._files.poll(LOOK)):
                return
            flags = socket.MSG_DONTWAIT
        try:  # noqa: SIM105 - suppress is slow, and this is on every frame's way
            self._listening.recv(64, flags)
        except OSError:
            pass

    def watch(self, file: int) -> None:
        """Have waits end also when `file` can be read, as long as it can. From any thread."""
        if self._files is None:
            files = select.epoll()
            files.register(self._listening, select.EPOLLIN)
            self._files = files
        self._files.register(file, select.EPOLLIN)

    def forget(self, file: int) -> None:
        """Have waits not end by what `watch` was told of. From any thread."""
        if self._files is not None:
            self._files.unregister(file)

    def ring(self) -> None:
        """Wake who waits, or have the next wait end at once."""
        with contextlib.suppress(OSError):  # full: it is going to be heard anyway
            self._ringing.send(b"")

    def close(self) -> None:
        """Let go of the socket; nobody may be waiting."""
        if self._files is not None:
            self._files.close()
        self._listening.close()
        self._ringing.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


Buffer: TypeAlias = Any
"""An object with the buffer protocol whose bytes lie in one piece; what is sent has `nbytes`, as
arrays and views of memory have."""


@dataclass(frozen=True, eq=False)
class LinkedFlow:
    """A flow between two fragments."""

    number: int
    """Its place in the plan, equal in all processes and on all hosts."""
    flow: PlannedFlow
    source: str
    """Fragment of the producer."""
    target: str
    """Fragment of the consumer."""
    row: Row
    """Its counts. The links of one host share them; where the ends are on different hosts, each
    host has its own and the link mirrors what the other end writes."""


class Producer(Protocol):
    """The sending stage, as a link sees it."""

    def wake(self) -> None:
        """Look again whether there is room. From any thread."""


class Consumer(Protocol):
    """The queue of the receiving stage, as a link sees it."""

    def deliver(self, number: int, head: Buffer, buffers: Sequence[Buffer]) -> None:
        """Put a message into the queue; drops it there, or another, as the flow says.

        What cannot be decoded is counted as dropped by `error` and logged. The buffers belong
        to the message from now on. The row's `ARRIVED` is `number` already.
        """

    def close(self) -> None:
        """Say that the stream has ended: nothing more will be delivered."""

    def wake(self) -> None:
        """Have the receiving stage looked at: it will poll. From any thread."""


class Outlet(Protocol):
    """The sending end of one or several flows that leave one output port.

    `send` never blocks: the engine sends to a flow that blocks only while its row says that
    there is room. All calls come from the stage's thread, one at a time.
    """

    def send(self, numbers: Sequence[int], head: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a message to its flows; `numbers` has one for each flow, 0 to leave it out."""

    def mark(self) -> None:
        """Have the consumers look at `WATERMARK`: it has moved without a message that tells so."""

    def flush(self) -> None:
        """Send what waits for others to travel with: for now there are none."""

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array for an output, in memory of the link where it has such."""

    def wants_room(self, notifier: Notifier | None = None) -> None:
        """Have the producer woken when there is room; it looks once more before it sleeps.

        `notifier`: where it waits, if it does so by itself.
        """

    def close(self) -> None:
        """End the stream of all flows (`CLOSED` is set), behind what has been sent."""

    def suspend(self) -> None:
        """Go away without ending the stream: the fragment is going to be started again."""


class Inlet(Protocol):
    """The receiving end of a flow."""

    def poll(self) -> None:
        """Deliver what has come, as far as there is room. From the stage's thread."""

    def about_to_sleep(self, notifier: Notifier | None = None) -> bool:
        """Have the stage woken by what comes from now on; false where something is there.

        `notifier`: where it waits, if it does so by itself.
        """

    def took(self) -> None:
        """Let the producer know that `TAKEN` or a drop has made room."""

    def suspend(self) -> None:
        """Go away: the fragment is going to be started again."""

    def abandon(self) -> None:
        """Nothing more will be taken, for good: let the producer know (`GONE` is set)."""


class Transport(Protocol):
    """One kind of link in one process."""

    @property
    def refusals(self) -> Mapping[str, int]:
        """How often what strangers sent was refused, by cause."""

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> Outlet:
        """Make the sending end of `flows`, which all leave one output port."""

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> Inlet:
        """Make the receiving end of `flow`."""

    def notifier(self, operator: str) -> Path | None:
        """Return where other processes ring for the stage of `operator`; None if they do not."""

    def accept(self) -> None:
        """Let the other ends join: this process is ready."""

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return (offset, uncertainty) in nanoseconds of the clock at the other end of `flow`.

        The offset is added to the other's monotonic times; (0, 0) on one host.
        """

    def waits_for(self) -> str:
        """Say which peers have not joined yet; empty where all have."""

    def drain(self) -> None:
        """Wait for peers that are away for a while only: the run was asked to end."""

    def close(self, patience: float) -> None:
        """Let go of everything; what was sent gets `patience` seconds to arrive."""
