"""The graph of a run, for the report and for the live page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from holoflow.core import text
from holoflow.plan.draw.graph import NAME, PAD, TEXT, Box, Edge, Graph, Group, Words
from holoflow.report import measures
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats, Snapshot

LETTERS = 26
"""Characters of a name in a box; longer names are shortened in the middle."""
LEAST_WIDTH = 160.0
"""Width of a box in pixels, in which any of its numbers fit."""
LABEL_ROOM = 112.0
"""Pixels for the numbers of a flow, whatever they are."""
WARM, HOT = 0.7, 0.9
"""Utilisation from which an operator is highlighted; as on the live page."""


def live_graph(snapshot: Snapshot) -> Graph:
    """Return the graph of operators and flows, with space for numbers but without any.

    Boxes are in the order of the snapshot's operators, edges in that of `drawn_flows`.
    """
    numbers = {stats.name: number for number, stats in enumerate(snapshot.operators)}
    names = [text.shortened(text.printable(stats.name), LETTERS) for stats in snapshot.operators]
    longest = max(map(len, names), default=0)
    width = max(LEAST_WIDTH, NAME * longest + TEXT * 5 + 12 + 2 * PAD)
    stages = _stages(snapshot.operators)
    stage_of = {number: stage for stage in stages for number in stage}
    fragments = list(dict.fromkeys(stats.fragment for stats in snapshot.operators))
    edges = []
    for flow in drawn_flows(snapshot):
        source, target = numbers[flow.producer], numbers[flow.consumer]
        fused = stage_of[source] is stage_of[target] and not flow.back_edge
        edges.append(_edge(flow, source, target, fused=fused))
    return Graph(
        "Operators and flows",
        [_box(name, width) for name in names],
        edges,
        [stage for stage in stages if len(stage) > 1],
        [
            Group(
                f"fragment {fragment}",
                [n for n, stats in enumerate(snapshot.operators) if stats.fragment == fragment],
            )
            for fragment in fragments
            if len(fragments) > 1
        ],
    )


def run_graph(snapshot: Snapshot, critical: PathStats | None = None) -> Graph:
    """Return the graph with the numbers of the whole run and the `critical` path highlighted."""
    graph = live_graph(snapshot)
    steps = [step for step in critical.steps if step.kind == "work"] if critical else []
    on_path = {step.operator for step in steps}
    crossed = {(one.operator, f"{other.operator}.{other.port}") for one, other in pairwise(steps)}
    boxes = [
        _with_numbers(box, snapshot, stats, critical=stats.name in on_path)
        for box, stats in zip(graph.boxes, snapshot.operators, strict=True)
    ]
    edges = [
        _with_waits(edge, snapshot, flow, critical=(flow.producer, flow.target) in crossed)
        for edge, flow in zip(graph.edges, drawn_flows(snapshot), strict=True)
    ]
    title = graph.title
    if critical is not None:
        title += f"; the critical path is {critical.name}"
    return replace(graph, title=title, boxes=boxes, edges=edges)


def drawn_flows(snapshot: Snapshot) -> list[FlowStats]:
    """Return the flows whose operators are both in the snapshot."""
    names = {stats.name for stats in snapshot.operators}
    return [b for b in snapshot.flows if b.producer in names and b.consumer in names]


def _stages(operators: Sequence[OperatorStats]) -> list[list[int]]:
    """Return the positions of the operators by stage, in the order of their calls."""
    stages: dict[tuple[str, str], list[int]] = {}
    for number, stats in enumerate(operators):
        stages.setdefault((stats.fragment, stats.stage or stats.name), []).append(number)
    for (_, stage), members in stages.items():
        order = {name: place for place, name in enumerate(stage.split("+"))}
        members.sort(key=lambda number: order.get(operators[number].name, 0))
    return list(stages.values())


def _box(name: str, width: float) -> Box:
    return Box(
        name,
        [(Words("name", name), Words("busy")), (Words("rate"), Words("took"))],
        level=0.0,
        least_width=width,
    )


def _edge(flow: FlowStats, source: int, target: int, *, fused: bool) -> Edge:
    lossy = not fused and not flow.lossless
    return Edge(
        source,
        target,
        back=flow.back_edge,
        label=[Words("depth"), Words("wait"), Words("drops")],
        room=0.0 if fused else LABEL_ROOM,
        marks=["fused"] * fused + ["lossy"] * lossy,
    )


def _with_numbers(box: Box, snapshot: Snapshot, stats: OperatorStats, *, critical: bool) -> Box:
    use = measures.utilisation(snapshot, stats)
    median = measures.statistic(stats.working, "p50")
    name = box.lines[0][0]
    marks = ["critical"] * critical
    if use is not None:
        marks += ["hot"] * (use >= HOT) + ["warm"] * (WARM <= use < HOT)
    busy = f"{text.percent(use)} busy" if use is not None else "not measured"
    return replace(
        box,
        lines=[
            (name, Words("busy", text.percent(use))),
            (
                Words("rate", f"{text.brief(measures.rate_in(snapshot, stats))} /s"),
                Words("took", f"{median} ms" if stats.working.count else median),
            ),
        ],
        level=use or 0.0,
        marks=marks,
        title=(
            f"{stats.name} ({stats.type}): {text.plural(stats.frames, 'frame')}, {busy}, working "
            f"p50 {median} ms, p99 {measures.statistic(stats.working, 'p99')} ms"
        ),
    )


def _with_waits(edge: Edge, snapshot: Snapshot, flow: FlowStats, *, critical: bool) -> Edge:
    depth = measures.mean_depth(snapshot, flow)
    median = measures.statistic(flow.waits, "p50")
    said = [f"{flow.name}: {flow.sent:,} sent, {flow.delivered:,} delivered"]
    if flow.lost:
        said.append(f"dropped {text.causes(flow.dropped)}")
    if flow.waits.count:
        said.append(f"wait p50 {median} ms, p99 {measures.statistic(flow.waits, 'p99')} ms")
    if depth is not None and flow.queue:
        said.append(f"{text.brief(depth)} waiting on average, room for {flow.queue:,}")
    waited = flow.queue and flow.waits.count
    return replace(
        edge,
        label=[
            Words("wait", f"{median} ms" if waited else ""),
            Words("drops", f"{' · ' if waited else ''}{flow.lost:,} lost" if flow.lost else ""),
        ],
        marks=[*edge.marks, *["critical"] * critical, *["lost"] * bool(flow.lost)],
        title="; ".join(said),
    )
