"""The ucx transport: all ucx links of one process."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Consumer, LinkedFlow, Producer
from holoflow.link.ucx.control import LineLostError
from holoflow.link.ucx.frame import LOOPBACK, Peers, Place, environment, place
from holoflow.link.ucx.receiver import UcxReceiver
from holoflow.link.ucx.router import ControlConnection, Router
from holoflow.link.ucx.sender import UcxSender
from holoflow.plan.hosts import crosses_hosts, find_faults
from holoflow.plan.plan import Plan

_LOOK: Final = 0.05
"""Seconds between two looks at whether the run is to end."""


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
        self._board = Router(peers.run)
        self.sendings: list[tuple[UcxSender, ControlConnection]] = []
        self.receivings: list[tuple[UcxReceiver, ControlConnection]] = []
        self._by_number: dict[int, UcxReceiver] = {}

    # -- what the engine's stages see ----------------------------------------------------------

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> UcxSender:
        """Make the sending end of a flow."""
        (flow,) = flows
        sending = UcxSender(flow, producer, near=self._near(flow))
        self.sendings.append((sending, self._board.add(sending, self._place(flow))))
        return sending

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> UcxReceiver:
        """Make the receiving end of `flow`."""
        receiving = UcxReceiver(flow, consumer, near=self._near(flow))
        self.receivings.append((receiving, self._board.add(receiving, self._place(flow))))
        self._by_number[flow.number] = receiving
        return receiving

    def _near(self, flow: LinkedFlow) -> bool:
        return not crosses_hosts(self._plan, flow.flow)

    def _place(self, flow: LinkedFlow) -> Place:
        return place(self._peers, flow.target, flow.number, near=self._near(flow))

    def notifier(self, operator: str) -> None:
        """Return None: no other process notifies a stage, as this one reads the connections."""

    @property
    def refusals(self) -> Mapping[str, int]:
        """None is counted."""
        return {}

    def accept(self) -> None:
        """Have the ends meet."""
        try:
            _choose_ports([line for _, line in self.receivings if not line.port])
            self._board.start()
        except OSError as error:
            raise HoloflowError(f"a ucx flow cannot be listened for: {error}") from error

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:
        """Return the offset of the clock of the sender of `flow`, and how far it may be off."""
        receiving = self._by_number[flow.number]
        offset = receiving.clock.offset
        if receiving.near or offset is None:
            return 0, 0
        uncertainty = receiving.clock.uncertainty
        return offset, 0 if math.isinf(uncertainty) else round(uncertainty)

    def waits_for(self) -> str:
        """Return in words which peers have not connected yet."""
        return ", ".join(sorted({line.end.peer for line in self._board.missing()}))

    def drain(self) -> None:
        """Do nothing: an absent peer ends the run."""

    def close(self, patience: float) -> None:  # noqa: ARG002
        """Close the connections; everything that was sent has arrived by now, or never will."""
        self._board.close()

    # -- what the engine's application sees ----------------------------------------------------

    @property
    def failure(self) -> LineLostError | None:
        """The error of a peer that has disappeared in the middle of a stream, if there is one."""
        return self._board.failure

    @property
    def done(self) -> bool:
        """Whether all streams have ended, on both ends."""
        return all(line.end.done for line in self._board.lines)

    @property
    def unfinished(self) -> str:
        """Name the peers whose streams have not ended."""
        ends = [line.end for line in self._board.lines if not line.end.done]
        return ", ".join(sorted({end.peer for end in ends}))

    def meet(self, cancelled: Callable[[], bool]) -> bool:
        """Wait until all peers are connected; return False if `cancelled`.

        Raises:
            LineLostError: A peer has disappeared again, or does not belong to this run.
        """
        with self._board.changed:
            while self._board.missing() and not cancelled() and self.failure is None:
                self._board.changed.wait(_LOOK)
            if self.failure is not None:
                raise self.failure
            return not self._board.missing()


def _choose_ports(lines: Sequence[ControlConnection]) -> None:
    """Give each of `lines` a free port of the loopback device."""
    probes = [socket.socket(socket.AF_INET) for _ in lines]
    try:
        for line, probe in zip(lines, probes, strict=True):
            probe.bind((LOOPBACK, 0))
            line.port = probe.getsockname()[1]
    finally:
        for probe in probes:
            probe.close()
