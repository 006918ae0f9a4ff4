"""The graph of a run: how busy its operators were, the critical path, where messages were lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from holoflow.core import text
from holoflow.report import measures
from holoflow.report.axes import label
from holoflow.report.charts import level
from holoflow.report.graph_layout import describe_graph, drawn_flows
from holoflow.report.markup import Html, el, join
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats, Snapshot

_LETTERS = 17
"""That fit into a box."""


def graph(snapshot: Snapshot, critical: PathStats | None) -> Html | None:
    """Return the graph twice: for wide and for narrow pages. None where there is no operator."""
    if not snapshot.operators:
        return None
    snapshot = _drawable(snapshot)
    drawn = describe_graph(snapshot)
    return join(
        *(
            el("div", _picture(snapshot, drawn[form], critical), class_=form, tabindex=0)
            for form in ("wide", "tall")
        )
    )


def _drawable(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with every operator once, and flows that close a cycle as back edges."""
    operators = tuple({stats.name: stats for stats in snapshot.operators}.values())
    stage = {stats.name: (stats.fragment, stats.stage or stats.name) for stats in operators}
    place = {stats.name: number for number, stats in enumerate(operators)}
    flows = {(stats.source, stats.target): stats for stats in snapshot.flows}
    after: dict[Any, set[Any]] = {}
    kept = []
    for stats in sorted(flows.values(), key=lambda item: item.back_edge):
        if stats.producer not in stage or stats.consumer not in stage:
            continue
        source, target = stage[stats.producer], stage[stats.consumer]
        closes = (
            place[stats.consumer] <= place[stats.producer]
            if source == target
            else _reaches(after, target, source)
        )
        if not (closes or stats.back_edge) and source != target:
            after.setdefault(source, set()).add(target)
        kept.append(replace(stats, back_edge=stats.back_edge or closes))
    return replace(snapshot, operators=operators, flows=tuple(kept))


def _reaches(after: dict[Any, set[Any]], begin: Any, end: Any) -> bool:
    seen, left = set(), [begin]
    while left:
        at = left.pop()
        if at == end:
            return True
        if at not in seen:
            seen.add(at)
            left += after.get(at, ())
    return False


def _picture(snapshot: Snapshot, drawn: Any, critical: PathStats | None) -> Html:
    on_path = [step for step in critical.steps if step.kind == "work"] if critical else []
    names = {step.operator for step in on_path}
    crossed = {(one.operator, f"{other.operator}.{other.port}") for one, other in pairwise(on_path)}
    wide, high = drawn["size"]
    title = "Operators and flows"
    if critical is not None:
        title += f"; the critical path is {critical.name}"
    ways = list(zip(drawn_flows(snapshot), drawn["ways"], strict=True))
    return el(
        "svg",
        el("title", title),
        *(_frame(frame, "stage") for frame in drawn["stages"]),
        *(piece for item in drawn["fragments"] for piece in _fragment(item)),
        *(_way(snapshot, flow, way["d"], crossed) for flow, way in ways),
        *(
            _box(snapshot, stats, at, drawn["box"], critical=stats.name in names)
            for stats, at in zip(snapshot.operators, drawn["boxes"], strict=True)
        ),
        *(_said(flow, way["label"], end=wide > high) for flow, way in ways),
        class_="graph", viewBox=f"0 0 {wide:.0f} {high:.0f}", width=wide, height=high,
        role="img", aria_label=title,
    )  # fmt: skip


def _frame(frame: Sequence[float], kind: str) -> Html:
    x, y, width, height = frame
    return el("rect", class_=kind, x=x, y=y, width=width, height=height, rx=10)


def _fragment(item: Any) -> Iterator[Html]:
    yield _frame(item["frame"], "fragment")
    x, y = item["frame"][:2]
    yield label(x + 4, y - 4, f"fragment {item['name']}", anchor="start")


def _way(snapshot: Snapshot, flow: FlowStats, way: str, crossed: set[tuple[str, str]]) -> Html:
    kind = "flow"
    if (flow.producer, flow.target) in crossed:
        kind += " critical"
    if flow.lost:
        kind += " lossy"
    depth = measures.mean_depth(snapshot, flow)
    said = [f"{flow.name}: {flow.sent:,} sent, {flow.delivered:,} delivered"]
    if flow.lost:
        said.append(f"dropped {text.causes(flow.dropped)}")
    if flow.waits.count:
        said.append(
            f"wait p50 {measures.statistic(flow.waits, 'p50')} ms, "
            f"p99 {measures.statistic(flow.waits, 'p99')} ms"
        )
    if depth is not None and flow.queue:
        said.append(f"{depth:.2f} waiting on average, room for {flow.queue:,}")
    return el("path", el("title", "; ".join(said)), class_=kind, d=way)


def _said(flow: FlowStats, at: Sequence[float], *, end: bool) -> Html | None:
    """Return what stands beside a flow: how long its messages waited, and what it lost."""
    words = []
    if flow.lost:
        words.append(f"{flow.lost:,} lost")
    if flow.queue and flow.waits.count:
        words.append(f"{measures.statistic(flow.waits, 'p50')} ms")
    if not words:
        return None
    kind = "beside lost" if flow.lost else "beside"
    return label(at[0], at[1], " · ".join(words), anchor="end" if end else "start", kind=kind)


def _box(
    snapshot: Snapshot, stats: OperatorStats, at: Sequence[float], size: Sequence[float], *,
    critical: bool,
) -> Html:  # fmt: skip
    (x, y), (width, height) = at, size
    use = measures.utilisation(snapshot, stats)
    words = f"{text.percent(use)} busy" if use is not None else "not measured"
    if stats.working.count:
        words += f", {measures.statistic(stats.working, 'p50')} ms"
    length = (width - 16) * min(max(use or 0.0, 0.0), 1.0)
    said = (
        f"{stats.name} ({stats.type}): {text.plural(stats.frames, 'frame')}, "
        f"{text.percent(use)} busy, working p50 {measures.statistic(stats.working, 'p50')} ms, "
        f"p99 {measures.statistic(stats.working, 'p99')} ms"
    )
    return el(
        "g",
        el("title", said),
        el(
            "rect", class_="box critical" if critical else "box", x=x, y=y, width=width,
            height=height, rx=7,
        ),
        label(x + 8, y + 17, text.shortened(stats.name, _LETTERS), anchor="start", kind="name"),
        label(x + 8, y + 33, words, anchor="start", kind="small"),
        el("rect", class_="empty", x=x + 8, y=y + height - 13, width=width - 16, height=5, rx=2),
        el(
            "rect", class_=f"use u{level(use or 0.0)}", x=x + 8, y=y + height - 13, width=length,
            height=5, rx=2,
        ),
    )  # fmt: skip
