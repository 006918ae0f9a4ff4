"""Which operators share a stage."""

from __future__ import annotations

from collections import Counter

from holoflow.app.graph import App, Flow, Node
from holoflow.operator import Operator
from holoflow.plan.plan import Stage


def may_fuse(app: App, flow: Flow, fan_out: Counter[str], fan_in: Counter[str]) -> bool:
    """Whether the two ends of `flow` may share a stage.

    They may where the flow is the only way out of its producer, connected or not, and the only
    way into its consumer, where it blocks and has no queue of its own, and where neither end is
    heavy, gathers batches, is Holoscan's own, or was told not to. An operator that sends several
    messages for one begins a stage, so that a full queue behind it can hold it up.
    """
    source, target = app.operators[flow.source.operator], app.operators[flow.target.operator]
    if not (app.fuse and _fusible(source) and _fusible(target)):
        return False
    if flow.queue is not None or (flow.when_full or app.when_full) != "block" or flow.back_edge:
        return False
    if fan_out[source.name] != 1 or fan_in[target.name] != 1:
        return False
    if fragment_of(app, source.name) != fragment_of(app, target.name):
        return False
    given, taken = source.cls.ports(), target.cls.ports()  # type: ignore[attr-defined]
    return not (given.several or taken.generator or taken.input(flow.target.port).latest)


def _fusible(node: Node) -> bool:
    if node.native is not None or node.fuse is False or not issubclass(node.cls, Operator):
        return False
    return not node.cls.heavy and node.cls.batching is Operator.batching


def fragment_of(app: App, operator: str) -> str:
    """Name of the fragment that `operator` is in; the app's own where there are none."""
    return next((f.name for f in app.fragments.values() if operator in f.operators), app.name)


def make_stages(app: App) -> tuple[Stage, ...]:
    """Partition the operators into stages, in the order of the file."""
    fan_out = Counter(flow.source.operator for flow in app.flows)
    fan_in = Counter(flow.target.operator for flow in app.flows)
    follower = {
        flow.source.operator: flow.target.operator
        for flow in app.flows
        if may_fuse(app, flow, fan_out, fan_in)
    }
    followers = set(follower.values())
    stages = []
    for name in app.operators:
        if name not in followers:
            chain = [name]
            while chain[-1] in follower:
                chain.append(follower[chain[-1]])
            stages.append(Stage(tuple(chain)))
    placed = {name for stage in stages for name in stage.operators}
    # A ring of flows that all could be fused has no head; it stays unfused.
    stages.extend(Stage((name,)) for name in app.operators if name not in placed)
    return tuple(stages)
