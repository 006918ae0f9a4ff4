"""Cycles and reach in a directed graph, in time that grows with its size."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

Graph: TypeAlias = Sequence[Sequence[int]]
"""Successors of every node."""


def components(graph: Graph) -> list[list[int]]:
    """Return the strongly connected components, each before those that lead to it.

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
    """Return one shortest cycle of every component that has one, from its first node on."""
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
    """Return for every node which of the `targets` can be reached from it, as bits of a number.

    A node reaches itself. Bit i stands for `targets[i]`.
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
