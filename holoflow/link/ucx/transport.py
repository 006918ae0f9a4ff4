"""The ucx transport: all ucx links of one process."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Consumer, LinkedFlow, Producer
from holoflow.link.ucx.control import ConnectionLostError
from holoflow.link.ucx.frame import LOOPBACK, Peers, Place, environment, place
from holoflow.link.ucx.receiver import UcxReceiver
from holoflow.link.ucx.router import ControlConnection, Router
from holoflow.link.ucx.sender import UcxSender
from holoflow.plan.hosts import crosses_hosts, find_faults
from holoflow.plan.plan import Plan

_INTERVAL: Final = 0.05
"""Seconds between two checks whether the run is to end."""


class UcxTransport:
    """Carries flows through Holoscan operators, which the engine adds to its application."""

    def __init__(self, plan: Plan, peers: Peers) -> None:
        """Serve a fragment of `plan`, whose fragments are at `peers`.

        Sets the environment variables for UCX that are not set yet; should be called before
        Holoscan is imported.

        Raises:
            HoloflowError: ucx cannot carry the plan.
        """
        for fault in find_faults(plan):
            raise HoloflowError(fault.wrong, fault.right)
        for name, value in environment(plan).items():
            os.environ.setdefault(name, value)
        self._plan = plan
        self._peers = peers
        self._router = Router(peers.run)
        self.senders: list[tuple[UcxSender, ControlConnection]] = []
        self.receivers: list[tuple[UcxReceiver, ControlConnection]] = []
        self._by_number: dict[int, UcxReceiver] = {}

    # -- what the engine's stages see ----------------------------------------------------------

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> UcxSender:
        """Make the sending end of the one flow in `flows`."""
        (flow,) = flows
        sender = UcxSender(flow, producer, near=self._near(flow))
        self.senders.append((sender, self._router.add(sender, self._place(flow))))
        return sender

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> UcxReceiver:
        """Make the receiving end of `flow`."""
        receiver = UcxReceiver(flow, consumer, near=self._near(flow))
        self.receivers.append((receiver, self._router.add(receiver, self._place(flow))))
        self._by_number[flow.number] = receiver
        return receiver

    def _near(self, flow: LinkedFlow) -> bool:
        return not crosses_hosts(self._plan, flow.flow)

    def _place(self, flow: LinkedFlow) -> Place:
        return place(self._peers, flow.target, flow.number, near=self._near(flow))

    def notifier(self, operator: str) -> None:
        """Return None: no other process notifies a stage, as this one reads the connections."""

    @property
    def refusals(self) -> Mapping[str, int]:
        """No refusals are counted."""
        return {}

    def accept(self) -> None:
        """Start to connect the ends.

        Raises:
            HoloflowError: This process cannot listen for the sender of a flow.
        """
        try:
            _choose_ports([connection for _, connection in self.receivers if not connection.port])
            self._router.start()
        except OSError as error:
            raise HoloflowError(f"cannot listen for a ucx flow: {error}") from error

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return the clock offset of the sender of `flow` and its possible error, both in ns."""
        receiver = self._by_number[flow.number]
        offset = receiver.clock.offset
        if receiver.near or offset is None:
            return 0, 0
        uncertainty = receiver.clock.uncertainty
        return offset, 0 if math.isinf(uncertainty) else round(uncertainty)

    def waits_for(self) -> str:
        """Return in words which peers have not connected yet."""
        return ", ".join(sorted({connection.end.peer for connection in self._router.missing()}))

    def drain(self) -> None:
        """Do nothing: an absent peer ends the run."""

    def close(self, patience: float) -> None:  # noqa: ARG002
        """Close the connections; everything that was sent has arrived by now, or never will."""
        self._router.close()

    # -- what the engine's application sees ----------------------------------------------------

    @property
    def failure(self) -> ConnectionLostError | None:
        """The error of a peer that has disappeared in the middle of a stream, if there is one."""
        return self._router.failure

    @property
    def done(self) -> bool:
        """Whether all streams have ended, on both ends."""
        return all(connection.end.done for connection in self._router.connections)

    @property
    def unfinished(self) -> str:
        """Name the peers whose streams have not ended."""
        ends = [
            connection.end for connection in self._router.connections if not connection.end.done
        ]
        return ", ".join(sorted({end.peer for end in ends}))

    def meet(self, cancelled: Callable[[], bool]) -> bool:
        """Wait until all peers are connected; return False if `cancelled`.

        Raises:
            ConnectionLostError: A peer has disappeared again, or does not belong to this run.
        """
        with self._router.changed:
            while self._router.missing() and not cancelled() and self.failure is None:
                self._router.changed.wait(_INTERVAL)
            if self.failure is not None:
                raise self.failure
            return not self._router.missing()


def _choose_ports(connections: Sequence[ControlConnection]) -> None:
    """Give each of `connections` a free port of the loopback device."""
    probes = [socket.socket(socket.AF_INET) for _ in connections]
    try:
        for connection, probe in zip(connections, probes, strict=True):
            probe.bind((LOOPBACK, 0))
            connection.port = probe.getsockname()[1]
    finally:
        for probe in probes:
            probe.close()
