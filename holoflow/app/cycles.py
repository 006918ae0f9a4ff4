"""Cycles and reachability in the graph: for back edges and budgets."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from holoflow.app.mistakes import Report, short
from holoflow.app.unresolved import UnresolvedOperator
from holoflow.app.wiring import OperatorEdge

Graph: TypeAlias = Sequence[Sequence[int]]
"""Successors of every node."""


def components(graph: Graph) -> list[list[int]]:
    """Return the strongly connected components, each before those that can reach it.

    Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972), without
    recursion.
    """
    order = [-1] * len(graph)
    lowest = [0] * len(graph)
    waiting: list[int] = []
    is_waiting = [False] * len(graph)
    found: list[list[int]] = []
    count = 0
    for root in range(len(graph)):
        if order[root] >= 0:
            continue
        visits = [(root, iter(graph[root]))]
        while visits:
            node, successors = visits[-1]
            if order[node] < 0:
                order[node] = lowest[node] = count
                count += 1
                waiting.append(node)
                is_waiting[node] = True
            for successor in successors:
                if order[successor] < 0:
                    visits.append((successor, iter(graph[successor])))
                    break
                if is_waiting[successor]:
                    lowest[node] = min(lowest[node], order[successor])
            else:
                visits.pop()
                if visits:
                    above = visits[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == order[node]:
                    component = []
                    while is_waiting[node]:
                        component.append(waiting.pop())
                        is_waiting[component[-1]] = False
                    found.append(component)
    return found


def cycles(graph: Graph) -> list[list[int]]:
    """Return one shortest cycle of every component that has one, starting at its first node."""
    found = []
    for component in components(graph):
        start = min(component)
        if len(component) > 1 or start in graph[start]:
            found.append(_shortest_cycle(graph, start, set(component)))
    return found


def _shortest_cycle(graph: Graph, start: int, component: set[int]) -> list[int]:
    came_from: dict[int, int] = {}
    queue = deque([start])
    while start not in came_from:
        node = queue.popleft()
        for successor in graph[node]:
            if successor in component and successor not in came_from:
                came_from[successor] = node
                queue.append(successor)
    cycle: list[int] = []
    node = start
    while not cycle or node != start:
        node = came_from[node]
        cycle.append(node)
    return cycle[::-1]


def reach(graph: Graph, targets: Sequence[int]) -> list[int]:
    """Return for every node which of the `targets` it can reach, as a bit set.

    A node reaches itself. Bit i represents `targets[i]`.
    """
    own = [0] * len(graph)
    for bit, target in enumerate(targets):
        own[target] |= 1 << bit
    found = [0] * len(graph)
    for component in components(graph):
        bits = 0
        for node in component:
            bits |= own[node]
            for successor in graph[node]:
                bits |= found[successor]
        for node in component:
            found[node] = bits
    return found


def check_cycles(
    unresolved_operators: list[UnresolvedOperator], edges: list[OperatorEdge], report: Report
) -> None:
    """Report cycles without a declared back edge, and back edges that close none."""
    number = {unresolved: i for i, unresolved in enumerate(unresolved_operators)}
    forward: list[list[int]] = [[] for _ in unresolved_operators]
    for edge in edges:
        if not edge.back:
            forward[number[edge.source]].append(number[edge.target])
    places = {
        (number[edge.source], number[edge.target]): edge.at for edge in edges if not edge.back
    }
    for cycle in cycles(forward):
        names = [unresolved_operators[i].name for i in cycle[:20]] + ["…"] * (len(cycle) > 20)
        shown = " → ".join([*names, names[0]])
        right = "declare the flow that closes it with back_edge: true"
        report.add(places[cycle[-1], cycle[0]], f"cycle {shown}", right)
    back = [edge for edge in edges if edge.back]
    connected = Reach(unresolved_operators, edges, [edge.source for edge in back])
    clear = not any(unresolved.unclear for unresolved in unresolved_operators)
    for edge in back:
        if not connected.may(edge.target, edge.source):
            wrong = f"this back edge closes no cycle: {short(edge.target.name)} does not reach "
            report.add(edge.at, wrong + short(edge.source.name), "remove back_edge")
        elif clear and not _begins(edge.target):
            wrong = f"only back edges lead to {short(edge.target.name)}, so that nothing begins it"
            report.add(edge.at, wrong, "connect another of its inputs, to which a source leads")


def _begins(unresolved: UnresolvedOperator) -> bool:
    """Whether an operator has an input that is no back edge and triggers it."""
    if unresolved.is_holoscan or unresolved.ports is None:
        return True  # Holoscan's have conditions
    triggers = {name for name in unresolved.connected if not unresolved.ports.input(name).latest}
    return not triggers or bool(triggers - unresolved.back_edges)


class Reach:
    """Which operators the messages of other operators can reach."""

    def __init__(
        self,
        unresolved_operators: list[UnresolvedOperator],
        edges: list[OperatorEdge],
        targets: list[UnresolvedOperator],
    ) -> None:
        """Find which operators can reach each of the `targets` along `edges`."""
        self._number = {unresolved: i for i, unresolved in enumerate(unresolved_operators)}
        self._bits = {target: bit for bit, target in enumerate(dict.fromkeys(targets))}
        graph: list[list[int]] = [[] for _ in range(len(unresolved_operators) + 1)]
        for edge in edges:
            graph[self._number[edge.source]].append(self._number[edge.target])
        # If a mistake hides the connections of an operator, it may be connected to anything.
        graph[-1] = [
            self._number[unresolved] for unresolved in unresolved_operators if unresolved.unclear
        ]
        self._reach = reach(graph, [self._number[target] for target in self._bits])

    def may(self, source: UnresolvedOperator, target: UnresolvedOperator) -> bool:
        """Whether messages of `source` can reach `target`, which is one of the targets."""
        found = self._reach[self._number[source]] | self._reach[-1]
        return bool(found >> self._bits[target] & 1)
