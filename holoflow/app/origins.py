"""Which source the frames of each flow come from, and how the inputs of joins are paired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from holoflow.app.graph import Flow, Node
from holoflow.core.ports import Ports, base, position

Pairing: TypeAlias = Literal["frame", "time", "arrival"]
"""How messages at the inputs of a join are matched for one call."""

Follow: TypeAlias = Callable[[str], Iterable[Flow]]
"""Which of the flows into an operator to follow upstream."""


class Origins:
    """Traces the frames of an app from their sources.

    The frames of an operator's outputs are those of its leading input. An operator that is called
    for each message of any input passes on the frames of all inputs if they come from one source;
    otherwise its frames are its own. Nothing is known about what Holoscan operators send.
    """

    def __init__(self, nodes: Mapping[str, Node], flows: Sequence[Flow]) -> None:
        """Trace the `flows` between the operators `nodes`, which form no cycle but back edges."""
        self._nodes = nodes
        self._inputs: dict[str, list[Flow]] = {name: [] for name in nodes}
        for flow in flows:
            if flow.target.operator in nodes and flow.source.operator in nodes:
                self._inputs[flow.target.operator].append(flow)
        for name, inputs in self._inputs.items():
            inputs.sort(key=self._place(name))
        self._origins: dict[str, str | None] = {}

    def _place(self, name: str) -> Callable[[Flow], tuple[int, int]]:
        ports = self.ports(name)
        if ports is None:
            return lambda _: (0, 0)
        order = {port: i for i, port in enumerate(ports.inputs)}
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

    def triggers(self, name: str) -> list[Flow]:
        """Return the flows whose messages trigger an operator, in the order of its inputs."""
        ports = self.ports(name)
        return [
            flow
            for flow in self._inputs[name]
            if not flow.back_edge and (ports is None or not ports.input(flow.target.port).latest)
        ]

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
        path = []
        origin: str | None = None
        while name not in self._origins:
            path.append(name)
            self._origins[name] = None  # a cycle has been reported
            ports, leader = self.ports(name), self.leader(name)
            if self.merges(name):
                origin = self._common(name) or name
                break
            if ports is None or leader is None:
                origin = name if ports is not None and ports.source else None
                break
            name = leader.source.operator
        else:
            origin = self._origins[name]
        self._origins.update(dict.fromkeys(path, origin))
        return origin

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
        on_path = {f.source.operator for f in self._upstream([flow], self._leading)}
        return not any(
            ports.stamped and not ports.source
            for ports in map(self.ports, on_path)
            if ports is not None
        )

    def several(self, flow: Flow) -> bool:
        """Whether `flow` may carry several messages of one frame."""
        on_path = {f.source.operator for f in self._upstream([flow], self._decisive)}
        return any(
            ports.generator or self.in_order(name)
            for name in on_path
            if (ports := self.ports(name)) is not None
        )

    def _leading(self, name: str) -> list[Flow]:
        """Return the flows whose frames an operator passes on."""
        if self.in_order(name):
            return self.triggers(name)
        leader = self.leader(name)
        return [] if leader is None else [leader]

    def _decisive(self, name: str) -> list[Flow]:
        """Return the flows that decide which frames an operator sends."""
        return self.triggers(name) if self.pairing(name) == "frame" else self._leading(name)

    def upstream(self, flow: Flow) -> set[Flow]:
        """Return `flow` and all flows whose messages trigger, directly or not, what it carries."""
        return self._upstream([flow], self.triggers)

    def _upstream(self, flows: list[Flow], follow: Follow) -> set[Flow]:
        found: set[Flow] = set()
        wanted = list(flows)
        while wanted:
            flow = wanted.pop()
            if flow not in found:
                found.add(flow)
                wanted += follow(flow.source.operator)
        return found
