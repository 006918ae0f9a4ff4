"""What a plan allows but may surprise."""

from __future__ import annotations

from collections.abc import Iterable

from holoflow.app.graph import App
from holoflow.plan.plan import PlannedFlow


def find_notices(app: App, flows: tuple[PlannedFlow, ...]) -> tuple[str, ...]:
    """Return a sentence for each surprise that the plan may hold."""
    notices = list(_unsteady_joins(app, flows))
    if len(app.fragments) > 1:
        notices.append(
            f"{app.name}: its {len(app.fragments)} fragments run together in one process"
        )
    return tuple(notices)


def _unsteady_joins(app: App, flows: tuple[PlannedFlow, ...]) -> Iterable[str]:
    """Find joins in arrival order whose inputs may fall out of step, as messages are dropped."""
    lossy = [f for f in flows if f.when_full != "block" and not f.latest]
    dropping = {f.target.operator for f in lossy}
    dropping |= {name for name, node in app.operators.items() if node.on_error == "skip"}
    for name, node in app.operators.items():
        joined = [f for f in flows if f.target.operator == name and not (f.latest or f.back_edge)]
        if len(joined) < 2 or node.sync is not None:
            continue
        ways = [_upstream(flow.source.operator, flows) for flow in joined]
        # What is dropped before the ways part is missing on all of them.
        apart = ways[0].union(*ways) - ways[0].intersection(*ways)
        culprits = [f"the flow from {str(f.source)!r}" for f in lossy if f in joined]
        culprits += [repr(operator) for operator in app.operators if operator in apart & dropping]
        if culprits:
            yield (
                f"{name}: its inputs are joined in arrival order, but messages may be dropped at "
                f"{', '.join(culprits)}, so that they fall out of step; join by time instead: "
                f"sync: {{leader: {joined[0].target.port}, tolerance: 40ms}}"
            )


def _upstream(operator: str, flows: tuple[PlannedFlow, ...]) -> set[str]:
    """All operators that feed `operator`, and itself."""
    found = {operator}
    frontier = [operator]
    while frontier:
        current = frontier.pop()
        for flow in flows:
            if flow.target.operator == current and flow.source.operator not in found:
                found.add(flow.source.operator)
                frontier.append(flow.source.operator)
    return found
