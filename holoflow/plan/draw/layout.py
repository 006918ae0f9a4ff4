"""Where the boxes of a picture stand: columns by distance from the sources, rows by neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from holoflow.plan.draw.facts import placed_stages
from holoflow.plan.plan import PlannedFlow, Process, Stage


@dataclass(frozen=True)
class Slot:
    """A place in the grid; rows are counted within the band of a fragment."""

    column: int
    band: int
    row: int


@dataclass
class Layout:
    """Places of operators, and of the flows that pass by columns on their way."""

    operators: dict[str, Slot] = field(default_factory=dict)
    passes: dict[PlannedFlow, list[Slot]] = field(default_factory=dict)
    """For each flow that spans more than one column: its place in each column between."""


def lay_out(
    operators: Iterable[str], processes: Sequence[Process], flows: Sequence[PlannedFlow]
) -> Layout:
    """Place every one of `operators`, named in the order of the app.

    An operator stands one column right of the last that feeds it (longest-path layering, after
    Sugiyama, Tagawa and Toda 1981), in the free row nearest to those that feed it. A fused stage
    is a straight run; fragments are bands above one another.
    """
    placed = [stage for _, stage in placed_stages(operators, processes, flows)]
    columns = _columns(placed, flows)
    bands = {
        name: number
        for number, process in enumerate(processes)
        for stage in process.stages
        for name in stage.operators
    }
    layout = Layout()
    taken: set[Slot] = set()
    inputs: dict[str, list[PlannedFlow]] = {name: [] for name in columns}
    for flow in flows:
        if not flow.back_edge:
            inputs[flow.target.operator].append(flow)
    for stage in sorted(placed, key=lambda stage: columns[stage.operators[0]]):
        head = stage.operators[0]
        band = bands[head]
        run = [columns[name] for name in stage.operators]
        near = [layout.operators[flow.source.operator] for flow in inputs[head]]
        rows = [slot.row for slot in near if slot.band == band]
        row = _free_row(taken, run, band, sum(rows) / len(rows) if rows else 0.0)
        for name in stage.operators:
            layout.operators[name] = slot = Slot(columns[name], band, row)
            taken.add(slot)
        for flow in inputs[head]:
            layout.passes[flow] = list(_pass(layout, taken, flow))
    return layout


def _columns(placed: Sequence[Stage], flows: Sequence[PlannedFlow]) -> dict[str, int]:
    """Return the length of the longest way from a source, back edges aside."""
    columns = {name: 0 for stage in placed for name in stage.operators}
    for name in columns:
        before = [
            columns[flow.source.operator] + 1
            for flow in flows
            if flow.target.operator == name and not flow.back_edge
        ]
        columns[name] = max(before, default=0)
    return columns


def _free_row(taken: set[Slot], run: list[int], band: int, wanted: float) -> int:
    """Return the row nearest to `wanted` in which every column of `run` is free."""
    rows = sorted(range(int(wanted) + len(taken) + 2), key=lambda row: (abs(row - wanted), row))
    return next(row for row in rows if all(Slot(c, band, row) not in taken for c in run))


def _pass(layout: Layout, taken: set[Slot], flow: PlannedFlow) -> Iterator[Slot]:
    """Yield, and take, a slot in each column between the ends of `flow`."""
    source = layout.operators[flow.source.operator]
    target = layout.operators[flow.target.operator]
    row = source.row
    for column in range(source.column + 1, target.column):
        row = _free_row(taken, [column], source.band, row)
        slot = Slot(column, source.band, row)
        taken.add(slot)
        yield slot
