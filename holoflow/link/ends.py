"""The two ends of a link, as the engine sees them and as each kind of link makes them.

A message goes `Outlet.send` → memory or network → `Consumer.deliver`. Its flow's row in the
ledger says how far each end is: the engine counts `SENT`, `TAKEN`, `SETTLED` and what it drops;
the link counts `ARRIVED`, and books what has been lost on the way: as `full` where its sender
had no room for it, as `crash` where its sender has died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from holoflow.flow.ledger import Row
from holoflow.link.doorbell import Doorbell
from holoflow.plan.plan import PlannedFlow

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

    def wants_room(self, doorbell: Doorbell | None = None) -> None:
        """Have the producer woken when there is room; it looks once more before it sleeps.

        `doorbell`: where it waits, if it does so by itself.
        """

    def close(self) -> None:
        """End the stream of all flows (`CLOSED` is set), behind what has been sent."""

    def suspend(self) -> None:
        """Go away without ending the stream: the fragment is going to be started again."""


class Inlet(Protocol):
    """The receiving end of a flow."""

    def poll(self) -> None:
        """Deliver what has come, as far as there is room. From the stage's thread."""

    def about_to_sleep(self, doorbell: Doorbell | None = None) -> bool:
        """Have the stage woken by what comes from now on; false where something is there.

        `doorbell`: where it waits, if it does so by itself.
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

    def doorbell(self, operator: str) -> Path | None:
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
