"""Which source the frames of each flow come from, and how the inputs of joins are paired."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from holoflow.app.cycles import components
from holoflow.app.graph import Flow, Node
from holoflow.core.ports import Ports, base, position
from holoflow.holoscan.classes import is_python

Pairing: TypeAlias = Literal["frame", "time", "arrival"]
"""How messages at the inputs of a join are matched for one call."""


class Origins:
    """Traces the frames of an app from their sources.

    The frames of an operator's outputs are those of its leading input. An operator that is called
    for each message of any input passes on the frames of all inputs if they come from one source;
    otherwise its frames are its own. A Holoscan operator passes on the frames of its first input.
    """

    def __init__(self, nodes: Mapping[str, Node], flows: Sequence[Flow]) -> None:
        """Trace the `flows` between the operators `nodes`, which form no cycle but back edges."""
        self._nodes = nodes
        self._triggers: dict[str, list[Flow]] = {name: [] for name in nodes}
        for flow in flows:
            if flow.source.operator in nodes and self._is_trigger(flow):
                self._triggers[flow.target.operator].append(flow)
        for name, triggers in self._triggers.items():
            triggers.sort(key=self._place(name))
        self._origins: dict[str, str | None] = {}
        self._keeps: set[str] = set()
        """Operators up to which no operator changes the times of their frames."""
        self._several: set[str] = set()
        """Operators that may send several messages for a frame of their origin."""
        for name in self._from_the_sources():
            self._trace(name)

    def _is_trigger(self, flow: Flow) -> bool:
        name = flow.target.operator
        if flow.back_edge or name not in self._nodes:
            return False
        ports = self.ports(name)
        return ports is None or not ports.input(flow.target.port).latest

    def _from_the_sources(self) -> list[str]:
        """Return all operators, each behind those whose messages trigger it."""
        names = list(self._nodes)
        number = {name: i for i, name in enumerate(names)}
        feeding = [[number[f.source.operator] for f in self._triggers[name]] for name in names]
        return [names[i] for component in components(feeding) for i in component]

    def _trace(self, name: str) -> None:
        """Note what is known of an operator's frames, from what is known of those it gets."""
        ports = self.ports(name)
        self._origins[name] = self._find_origin(name, ports)
        feeding = {flow.source.operator for flow in self._leading(name)}
        if feeding <= self._keeps and (ports is None or ports.source or not ports.stamped):
            self._keeps.add(name)
        # One of Holoscan's in Python may send several: it is seen when its call is over.
        multiplies = (
            is_python(self._nodes[name].cls)
            if ports is None
            else ports.generator or self.in_order(name)
        )
        if multiplies or any(f.source.operator in self._several for f in self._decisive(name)):
            self._several.add(name)

    def _find_origin(self, name: str, ports: Ports | None) -> str | None:
        if self.merges(name):
            return self._common(name) or name
        leader = self.leader(name)
        if leader is None:
            return name if ports is None or ports.source else None
        return self.origin(leader.source.operator)

    def _place(self, name: str) -> Callable[[Flow], tuple[int, int]]:
        given, ports = self._nodes[name].holoscan_operator, self.ports(name)
        inputs = (given.inputs if given else ()) if ports is None else ports.inputs
        order = {port: i for i, port in enumerate(inputs)}
        return lambda flow: (
            order.get(base(flow.target.port), len(order)),
            position(flow.target.port),
        )

    def ports(self, name: str) -> Ports | None:
        """Return the ports of an operator; None for a Holoscan operator."""
        node = self._nodes[name]
        return node.cls.ports() if node.holoscan_operator is None else None  # type: ignore[attr-defined]

    def node(self, name: str) -> Node:
        """Return the operator called `name`."""
        return self._nodes[name]

    def triggers(self, name: str) -> Sequence[Flow]:
        """Return the flows whose messages trigger an operator, in the order of its inputs."""
        return self._triggers[name]

    def leader(self, name: str) -> Flow | None:
        """Return the flow whose headers are passed on in every call; None if there is none."""
        node, triggers = self._nodes[name], self.triggers(name)
        if node.sync is not None and node.sync != "arrival":
            return next((f for f in triggers if f.target.port == node.sync.leader), None)
        return triggers[0] if triggers and not self.merges(name) else None

    def merges(self, name: str) -> bool:
        """Whether an operator is called for each message of any of several inputs."""
        ports = self.ports(name)
        return ports is not None and ports.trigger == "any" and len(self.triggers(name)) > 1

    def origin(self, name: str) -> str | None:
        """Return the operator whose frames operator `name` passes on; None if not known.

        It is a source, or an operator that merges the frames of several.
        """
        return self._origins.get(name)

    def _common(self, name: str) -> str | None:
        """Return the common origin of an operator's triggers; None if there are several."""
        origins = {self.origin(flow.source.operator) for flow in self.triggers(name)}
        return origins.pop() if len(origins) == 1 else None

    def in_order(self, name: str) -> bool:
        """Whether an operator merges messages in the order of their frames."""
        return self.merges(name) and self._common(name) is not None

    def pairing(self, name: str) -> Pairing | None:
        """Return how an operator pairs its inputs; None if it does not join any."""
        triggers, sync = self.triggers(name), self._nodes[name].sync
        if (
            len(triggers) < 2
            or self._nodes[name].holoscan_operator is not None
            or self.merges(name)
        ):
            return None
        if sync is not None:
            return "arrival" if sync == "arrival" else "time"
        return "arrival" if self._common(name) is None else "frame"

    def by_frame(self) -> set[Flow]:
        """Return the flows into joins by frame, and into merges in the order of frames."""
        names = [n for n in self._nodes if self.pairing(n) == "frame" or self.in_order(n)]
        return {flow for name in names for flow in self.triggers(name)}

    def watermarked(self) -> set[Flow]:
        """Return the flows whose progress an operator downstream needs to know.

        These are all flows that lead to joins by frame, to merges in the order of frames, and to
        joins by time: there, to the leader and to those partners that have the leader's frames
        with unchanged times.
        """
        wanted = list(self.by_frame())
        for name in self._nodes:
            if self.pairing(name) == "time":
                wanted += self._of_the_leader(name)
        found: set[Flow] = set()
        while wanted:
            flow = wanted.pop()
            if flow not in found:
                found.add(flow)
                wanted += self._decisive(flow.source.operator)
        return found

    def _of_the_leader(self, name: str) -> list[Flow]:
        leader = self.leader(name)
        if leader is None or not self._keeps_times(leader):
            return []
        origin = self.origin(leader.source.operator)
        partners = [
            flow
            for flow in self.triggers(name)
            if flow is not leader
            and origin is not None
            and not self.merges(origin)
            and self.origin(flow.source.operator) == origin
            and self._keeps_times(flow)
        ]
        return [leader, *partners] if partners else []

    def _keeps_times(self, flow: Flow) -> bool:
        """Whether no operator on the path from the origin changes the times of its frames."""
        return flow.source.operator in self._keeps

    def several(self, flow: Flow) -> bool:
        """Whether `flow` may carry several messages of one frame."""
        return flow.source.operator in self._several

    def _leading(self, name: str) -> Sequence[Flow]:
        """Return the flows whose frames an operator passes on."""
        if self.in_order(name):
            return self.triggers(name)
        leader = self.leader(name)
        return [] if leader is None else [leader]

    def _decisive(self, name: str) -> Sequence[Flow]:
        """Return the flows that decide which frames an operator sends."""
        return self.triggers(name) if self.pairing(name) == "frame" else self._leading(name)

    def upstream(self, flow: Flow) -> set[Flow]:
        """Return `flow` and all flows whose messages trigger, directly or not, what it carries."""
        found: set[Flow] = set()
        wanted = [flow]
        while wanted:
            flow = wanted.pop()
            if flow not in found:
                found.add(flow)
                wanted += self.triggers(flow.source.operator)
        return found
