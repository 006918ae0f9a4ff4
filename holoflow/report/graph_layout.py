"""Where operators and flows are drawn: the dashboard and the report share one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from holoflow.app.graph import Endpoint, Fragment, Scheduler
from holoflow.plan.draw.layout import Layout, lay_out
from holoflow.plan.plan import PlannedFlow, PlannedProcess, PlannedStage
from holoflow.stats.snapshot import FlowStats, OperatorStats, Snapshot

Point: TypeAlias = tuple[float, float]
Span: TypeAlias = tuple[float, float]
"""Begin and end along one axis."""

WIDTH, HEIGHT = 150, 56
"""Pixels of an operator's box."""
LABEL = 112
"""Pixels that a flow's numbers need beside their line."""
LINE = 13
"""Pixels from one line of such numbers to the next, above one another."""
DIRECT = 32
"""Pixels between boxes that call each other directly."""
FRAME = 8
"""Pixels from a box to the frame of its stage."""
BAND = 30
"""Pixels between fragments, for their frames and names."""
MARGIN = 12
BEND = 0.35
"""Part of the way between two columns at which lines turn: numbers stand beside what is left."""
LANE = 18
"""Pixels for a flow that passes by boxes."""


def describe_graph(snapshot: Snapshot) -> dict[str, Any]:
    """Return operators and flows as the page draws them: plain data, in pixels.

    There are two pictures, a wide one and a tall one; operators and flows are in the order of
    the snapshot.
    """
    operators, flows = snapshot.operators, drawn_flows(snapshot)
    names = [stats.name for stats in operators]
    processes = _processes(operators)
    stage_of = {name: s for p in processes for s in p.stages for name in s.operators}
    planned = [
        PlannedFlow(
            Endpoint(*_ends(stats.source)), Endpoint(*_ends(stats.target)), stats.queue, "block",
            fused=stage_of[stats.producer] is stage_of[stats.consumer],
            latest=stats.latest, back_edge=stats.back_edge, link="none",
        )
        for stats in flows
    ]  # fmt: skip
    layout = lay_out(names, processes, planned)
    return {
        "operators": [
            {"name": b.name, "type": b.type, "heavy": b.heavy, "source": b.source, "batch": b.batch}
            for b in operators
        ],
        "flows": [
            {
                "name": stats.name, "queue": stats.queue, "when_full": stats.when_full,
                "latest": stats.latest, "link": stats.link, "back": stats.back_edge,
                "fused": plan.fused,
            }
            for stats, plan in zip(flows, planned, strict=True)
        ],
        "wide": _Picture(names, processes, planned, layout, tall=False).plain(),
        "tall": _Picture(names, processes, planned, layout, tall=True).plain(),
    }  # fmt: skip


def drawn_flows(snapshot: Snapshot) -> list[FlowStats]:
    """Return the flows of which both operators are in the snapshot."""
    names = {stats.name for stats in snapshot.operators}
    return [b for b in snapshot.flows if b.producer in names and b.consumer in names]


def _ends(name: str) -> tuple[str, str]:
    operator, _, port = name.rpartition(".")
    return operator, port


def _processes(operators: Sequence[OperatorStats]) -> list[PlannedProcess]:
    """Return the fragments with their stages, as a plan has them."""
    stages: dict[str, dict[str, list[str]]] = {}
    for stats in operators:
        inside = stages.setdefault(stats.fragment, {})
        inside.setdefault(stats.stage or stats.name, []).append(stats.name)
    return [
        PlannedProcess(
            fragment,
            tuple(PlannedStage(_in_order(name, members)) for name, members in inside.items()),
            Scheduler(),
            Fragment(fragment, tuple(name for members in inside.values() for name in members)),
        )
        for fragment, inside in stages.items()
    ]


def _in_order(stage: str, members: list[str]) -> tuple[str, ...]:
    """Return the operators of a stage in the order in which they call each other."""
    named = stage.split("+")
    return tuple(named if sorted(named) == sorted(members) else members)


@dataclass
class _Picture:
    """Boxes and lines in pixels. Flows lead along one axis, rows are counted across it."""

    operators: Sequence[str]
    processes: Sequence[PlannedProcess]
    flows: Sequence[PlannedFlow]
    layout: Layout
    tall: bool

    def __post_init__(self) -> None:
        self.long, self.broad = (HEIGHT, WIDTH) if self.tall else (WIDTH, HEIGHT)
        self.inputs: dict[str, list[PlannedFlow]] = {}
        for flow in self.flows:
            self.inputs.setdefault(flow.target.operator, []).append(flow)
        for flows in self.inputs.values():
            flows.sort(key=self._before)
        self.columns = self._columns()
        self.rows = self._rows()
        self.end = max((span[1] for span in self.columns.values()), default=0.0) + MARGIN
        self.side = max((span[1] for span in self.rows.values()), default=0.0) + MARGIN
        if any(flow.back_edge for flow in self.flows):
            self.side += BAND

    def _before(self, flow: PlannedFlow) -> tuple[bool, int, int, int]:
        """Sort the inputs of an operator as their lines come in: so few of them cross."""
        passes = self.layout.passes.get(flow)
        slot = passes[-1] if passes else self.layout.operators[flow.source.operator]
        return flow.back_edge, slot.band, slot.row, slot.column

    def _columns(self) -> dict[int, Span]:
        """Return the place of every column, with room before it for what its inputs say."""
        gaps: dict[int, float] = {}
        for name, slot in self.layout.operators.items():
            queued = sum(not flow.fused for flow in self.inputs.get(name, ()))
            room = 0.0 if not queued else DIRECT + LINE * queued if self.tall else LABEL + 16
            gaps[slot.column] = max(gaps.get(slot.column, DIRECT), room)
        columns, at = {}, float(MARGIN + FRAME)
        for column in range(len(gaps)):
            at += gaps[column] if column else 0
            columns[column] = (at, at + self.long)
            at += self.long
        return columns

    def _rows(self) -> dict[tuple[int, int], Span]:
        """Return the place of every row: as broad as a box where one stands in it."""
        broad: dict[tuple[int, int], float] = {}
        for slots in self.layout.passes.values():
            for slot in slots:
                broad.setdefault((slot.band, slot.row), LANE)
        for slot in self.layout.operators.values():
            broad[slot.band, slot.row] = self.broad
        several = len(self.processes) > 1
        rows: dict[tuple[int, int], Span] = {}
        at, band = float(MARGIN + FRAME), 0
        for key in sorted(broad):
            at += BAND * (key[0] - band) + (BAND if several and not rows else 0)
            band = key[0]
            rows[key] = (at, at + broad[key])
            at += broad[key] + (20 if self.tall else 24)
        return rows

    def _point(self, along: float, across: float) -> Point:
        return (across, along) if self.tall else (along, across)

    def _box(self, name: str) -> tuple[Span, Span]:
        slot = self.layout.operators[name]
        return self.columns[slot.column], self.rows[slot.band, slot.row]

    def plain(self) -> dict[str, Any]:
        """Return it as the page draws it."""
        return {
            "size": self._point(self.end, self.side),
            "box": (WIDTH, HEIGHT),
            "boxes": [
                self._point(*(span[0] for span in self._box(name))) for name in self.operators
            ],
            "ways": [
                {
                    "d": self._way(flow),
                    "end": self._point(*self._entry(flow)),
                    "label": self._label(flow),
                }
                for flow in self.flows
            ],
            "stages": [
                self._frame(stage.operators, FRAME)
                for process in self.processes
                for stage in process.stages
                if len(stage.operators) > 1
            ],
            "fragments": [
                {"name": process.fragment, "frame": self._frame(names, 2 * FRAME)}
                for process in self.processes
                if (names := [name for stage in process.stages for name in stage.operators])
                if len(self.processes) > 1
            ],
        }  # fmt: skip

    def _frame(self, names: Sequence[str], margin: float) -> tuple[float, float, float, float]:
        """Return x, y, width, height of the frame around operators."""
        boxes = [self._box(name) for name in names]
        low = self._point(min(b[0][0] for b in boxes), min(b[1][0] for b in boxes))
        high = self._point(max(b[0][1] for b in boxes), max(b[1][1] for b in boxes))
        return (
            low[0] - margin, low[1] - margin,
            high[0] - low[0] + 2 * margin, high[1] - low[1] + 2 * margin,
        )  # fmt: skip

    def _entry(self, flow: PlannedFlow) -> Span:
        """Return where a flow meets its target: inputs share the side of the box."""
        inputs = self.inputs[flow.target.operator]
        along, across = self._box(flow.target.operator)
        share = (inputs.index(flow) + 1) / (len(inputs) + 1)
        return along[0], across[0] + share * (across[1] - across[0])

    def _way(self, flow: PlannedFlow) -> str:
        along, across = self._box(flow.source.operator)
        begin = (along[1], sum(across) / 2)
        end = self._entry(flow)
        if flow.back_edge:
            return self._way_back(begin, end)
        points = [begin]
        for slot in self.layout.passes.get(flow, []):
            lane = sum(self.rows[slot.band, slot.row]) / 2
            points += [(at, lane) for at in self.columns[slot.column]]
        points.append(end)
        way = f"M{_xy(self._point(*begin))}"
        for (a0, b0), (a1, b1) in pairwise(points):
            middle = a0 + BEND * (a1 - a0)
            bends = (self._point(middle, b0), self._point(middle, b1), self._point(a1, b1))
            way += f"C{' '.join(map(_xy, bends))}"
        return way

    def _way_back(self, begin: Span, end: Span) -> str:
        """Return a way beside all boxes."""
        side, bend = self.side - MARGIN, 28
        points = [
            (begin[0] + bend, begin[1]), (begin[0] + bend, side), (begin[0], side),
            (end[0], side), (end[0], side), (end[0], side),
            (end[0] - bend, side), (end[0] - bend, end[1]), end,
        ]  # fmt: skip
        turned = [_xy(self._point(*point)) for point in points]
        return f"M{_xy(self._point(*begin))}C{' '.join(turned)}"

    def _label(self, flow: PlannedFlow) -> Point:
        """Return where the numbers of a flow end (wide) or begin (tall)."""
        along, across = self._entry(flow)
        if not self.tall:
            return along - 9, across - 4
        queued = [f for f in self.inputs[flow.target.operator] if not f.fused]
        below = len(queued) - queued.index(flow) - 1 if flow in queued else 0
        return across + 5, along - 9 - LINE * below


def _xy(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
