"""The links of one process: which kind carries which of its flows, and their counters."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import get_args

from holoflow.app.plugins import payload_types
from holoflow.core.operator import Operator
from holoflow.link.ends import Consumer, Inlet, LinkedFlow, Notifier, Outlet, Producer, Transport
from holoflow.link.ucx import UcxTransport
from holoflow.link.wire import Types
from holoflow.plan.plan import LinkKind, Plan, PlannedFlow
from holoflow.stats.counters import (
    ARRIVED,
    CLOSED,
    GONE,
    SENT,
    SETTLED,
    TAKEN,
    CounterBlock,
    Counters,
    waiting,
)

_log = logging.getLogger("holoflow.link")

LOOK = 0.02
"""Seconds between checks whether what was sent has arrived."""
PATIENCE = 2.0
"""Seconds that links have to disconnect once everything that was sent has arrived."""


class Links:
    """All ends of links in the process of one fragment."""

    def __init__(
        self, plan: Plan, counters: Counters, transports: Mapping[LinkKind, Transport]
    ) -> None:
        """Carry the flows between fragments.

        Args:
            plan: The plan of the whole app.
            counters: The counters of the whole app.
            transports: What carries flows, by kind of link.
        """
        self._transports = dict(transports)
        self._counters = counters
        self._numbers = dict(zip(plan.app.operators, range(len(plan.app.operators)), strict=True))
        # All types are known before a link opens, so that no message can cause an import.
        added, problems = payload_types()
        for problem in problems:
            _log.warning("%s", problem)
        self.types = Types.of([*port_types(plan), *added])
        """Payload types that may arrive over a link."""
        fragments = {
            name: process.fragment
            for process in plan.processes
            for name in process.placement.operators
        }
        self._hosts = {process.fragment: process.placement.host for process in plan.processes}
        self._blocks = dict(zip(plan.flows, counters.blocks, strict=True))
        self._linked = {
            flow: LinkedFlow(
                number,
                flow,
                fragments[flow.source.operator],
                fragments[flow.target.operator],
                self._blocks[flow],
            )
            for number, flow in enumerate(plan.flows)
        }
        self._sent: list[LinkedFlow] = []
        self._notifiers: list[Notifier] = []
        self._ends: dict[int, list[Producer | Consumer]] = {}

    @property
    def ucx(self) -> UcxTransport | None:
        """The transport whose operators the engine adds to its own, if there is one."""
        transport = self._transports.get("ucx")
        return transport if isinstance(transport, UcxTransport) else None

    def counters(self, flow: PlannedFlow) -> CounterBlock:
        """Return the counter block of `flow`."""
        return self._blocks[flow]

    def under_way(self, operators: Collection[str]) -> bool:
        """Whether a message waits for, or is being processed by, one of `operators` on this host.

        Messages in processes of other hosts, and between them, are not known here.
        """
        return any(
            waiting(block) > 0 or block[TAKEN] > block[SETTLED]
            for flow, block in self._blocks.items()
            if flow.target.operator in operators and not flow.fused
        )

    def number(self, operator: str) -> CounterBlock:
        """Return the counter with the number of the next frame of `operator`."""
        at = self._numbers[operator]
        return self._counters.frame_numbers[at : at + 1]

    def groups(self, flows: Iterable[PlannedFlow]) -> list[list[LinkedFlow]]:
        """Group `flows`, which all leave one port, by the outlet that carries them."""
        groups: dict[object, list[LinkedFlow]] = {}
        for flow in flows:
            # Shared memory holds a message once for all flows; otherwise each has a connection.
            key = flow.link if flow.link == "shared_memory" else flow
            groups.setdefault(key, []).append(self._linked[flow])
        return list(groups.values())

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> Outlet:
        """Open the sending end of `flows`."""
        for linked in flows:
            linked.counters[CLOSED] = 0
            self._ends.setdefault(linked.number, []).append(producer)
        self._sent.extend(flows)
        return self._transports[flows[0].flow.link].outlet(flows, producer)

    def inlet(self, flow: PlannedFlow, consumer: Consumer) -> Inlet:
        """Open the receiving end of `flow`."""
        linked = self._linked[flow]
        linked.counters[GONE] = 0
        self._ends.setdefault(linked.number, []).append(consumer)
        return self._transports[flow.link].inlet(linked, consumer)

    def shift(self, flow: PlannedFlow) -> tuple[int, int]:
        """Return what to add to the times of the sender of `flow`, and its uncertainty, in ns."""
        return self._transports[flow.link].shift(self._linked[flow])

    def source(self, flow: PlannedFlow) -> str:
        """Return in words, to follow an operator's name, where messages of `flow` come from."""
        return self._place(self._linked[flow].source)

    def target(self, flow: PlannedFlow) -> str:
        """Return in words, to follow an operator's name, where messages of `flow` go to."""
        return self._place(self._linked[flow].target)

    def _place(self, fragment: str) -> str:
        host = self._hosts[fragment]
        return f" of fragment {fragment}" + (f" on host {host}" if host is not None else "")

    def waits_for(self) -> str:
        """Return in words which peers have not joined yet; empty if all have."""
        return "; ".join(filter(None, (link.waits_for() for link in self._transports.values())))

    def notifier(self, operator: str) -> Notifier | None:
        """Open a notifier for the stage that starts with `operator`; None if that fails."""
        paths = [transport.notifier(operator) for transport in self._transports.values()]
        try:
            made = Notifier(next((path for path in paths if path is not None), None))
        except OSError:  # no descriptors left: the stage works without one
            return None
        self._notifiers.append(made)
        return made

    def refusals(self) -> dict[str, int]:
        """Return the number of refused requests of unknown peers, by cause."""
        counts: Counter[str] = Counter()
        for transport in self._transports.values():
            counts.update(transport.refusals)
        return dict(counts)

    def look_again(self, numbers: Iterable[int]) -> None:
        """Wake the stages at the ends of flows, given by position, to check their counters."""
        for number in numbers:
            for end in self._ends.get(number, ()):
                end.wake()

    def accept(self) -> None:
        """Let the other ends join: the operators have been started."""
        for transport in self._transports.values():
            transport.accept()

    def drain(self) -> None:
        """Wait for hosts that are away temporarily: the run was asked to end."""
        for transport in self._transports.values():
            transport.drain()

    def flush(self, give_up: Callable[[], bool]) -> None:
        """Wait until everything that was sent has been received, or until `give_up`."""
        while any(not _done(linked) for linked in self._sent) and not give_up():
            time.sleep(LOOK)

    def unsent(self) -> dict[str, str]:
        """Return, by operator with messages not all received yet, what it is waiting for."""
        return {
            linked.flow.source.operator: f"{linked.flow.target} to take what it has sent"
            for linked in self._sent
            if not _done(linked)
        }

    def close(self) -> None:
        """Release everything."""
        for transport in self._transports.values():
            transport.close(PATIENCE)
        for notifier in self._notifiers:
            notifier.close()


def _done(linked: LinkedFlow) -> bool:
    """Whether the sender of a flow is not needed any more."""
    block = linked.counters
    if block[GONE]:
        return True
    if linked.flow.link == "shared_memory" and not block[CLOSED]:
        # The sender will be started again, and what it has sent stays in memory. Do not wait
        # for the receiver: it may have died itself, and be waiting for the sender to restart.
        return True
    if linked.flow.lossless:
        return waiting(block) <= 0
    return block[ARRIVED] >= block[SENT]


def port_types(plan: Plan) -> list[type]:
    """Return the classes in the port annotations of the app's operators."""
    found: list[type] = []
    for node in plan.app.operators.values():
        if issubclass(node.cls, Operator):
            ports = node.cls.ports()
            declared = [port.type for port in ports.inputs.values()]
            declared += [port.type for port in ports.outputs.values()]
            for hint in (*declared, ports.open_inputs):
                found.extend(_classes(hint))
    return found


def _classes(declared: object) -> list[type]:
    """Return the classes in an annotation: Blob for `list[Blob] | None`."""
    if isinstance(declared, type) and not get_args(declared):
        return [declared]
    return [cls for inner in get_args(declared) for cls in _classes(inner)]
