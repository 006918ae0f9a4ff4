"""Checks of the graph as a whole: cycles, back edges, what a budget can reach."""

from __future__ import annotations

from holoflow.app.drafts import Draft
from holoflow.app.order import cycles, reach
from holoflow.app.report import Report, short
from holoflow.app.wiring import Edge


def check_cycles(drafts: list[Draft], edges: list[Edge], report: Report) -> None:
    """Report cycles without a declared back edge, and back edges that close none."""
    number = {draft: i for i, draft in enumerate(drafts)}
    forward: list[list[int]] = [[] for _ in drafts]
    for edge in edges:
        if not edge.back:
            forward[number[edge.source]].append(number[edge.target])
    places = {
        (number[edge.source], number[edge.target]): edge.at for edge in edges if not edge.back
    }
    for cycle in cycles(forward):
        names = [drafts[i].name for i in cycle[:20]] + ["…"] * (len(cycle) > 20)
        shown = " → ".join([*names, names[0]])
        right = "declare the flow that closes it with back_edge: true"
        report.add(places[cycle[-1], cycle[0]], f"cycle {shown}", right)
    back = [edge for edge in edges if edge.back]
    connected = Reach(drafts, edges, [edge.source for edge in back])
    for edge in back:
        if not connected.may(edge.target, edge.source):
            wrong = f"this back edge closes no cycle: {short(edge.target.name)} does not lead to "
            report.add(edge.at, wrong + short(edge.source.name), "remove back_edge")


class Reach:
    """Which operators messages of which others may come to."""

    def __init__(self, drafts: list[Draft], edges: list[Edge], targets: list[Draft]) -> None:
        """Follow `edges` to each of the `targets`."""
        self._number = {draft: i for i, draft in enumerate(drafts)}
        self._bits = {target: bit for bit, target in enumerate(dict.fromkeys(targets))}
        graph: list[list[int]] = [[] for _ in range(len(drafts) + 1)]
        for edge in edges:
            graph[self._number[edge.source]].append(self._number[edge.target])
        # Where a mistake hides what an operator is connected to, it may be anything.
        graph[-1] = [self._number[draft] for draft in drafts if draft.unclear]
        self._reach = reach(graph, [self._number[target] for target in self._bits])

    def may(self, source: Draft, target: Draft) -> bool:
        """Whether messages of `source` may come to `target`, one of the targets."""
        found = self._reach[self._number[source]] | self._reach[-1]
        return bool(found >> self._bits[target] & 1)
