"""In which column and row of a grid boxes are, and where edges pass by others.

A box is one column right of the last that feeds it (longest-path layering, after Sugiyama, Tagawa
and Toda 1981). A stage is a straight run in one row; fragments are bands above one another. Within
its band a stage has the free row nearest to its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holoflow.plan.draw.graph import Edge, Graph

ROUNDS = 6
"""Times that stages are moved nearer to their neighbours, at most."""


@dataclass(frozen=True)
class Slot:
    """A place in the grid; rows are counted within the band of a fragment."""

    column: int
    band: int
    row: int


@dataclass
class Grid:
    """The place of every box, and of every edge in the columns that it passes by, in one row."""

    boxes: list[Slot]
    passes: dict[int, list[Slot]] = field(default_factory=dict)
    back: frozenset[int] = frozenset()
    """Edges that lead against the direction of the others: declared so, or closing a cycle."""


@dataclass(eq=False)
class _Run:
    """A stage, or a box that is in none."""

    boxes: list[int]
    band: int
    column: int = 0
    row: int = 0
    inputs: list[_Run] = field(default_factory=list)
    outputs: list[_Run] = field(default_factory=list)


def arrange(graph: Graph) -> Grid:
    """Return a slot for each box of `graph`, no two the same."""
    runs = _runs(graph)
    run_of = {box: run for run in runs for box in run.boxes}
    offset = {box: number for run in runs for number, box in enumerate(run.boxes)}
    back = _back_edges(graph.edges, run_of, offset)
    forward = [edge for number, edge in enumerate(graph.edges) if number not in back]
    for edge in forward:
        source, target = run_of[edge.source], run_of[edge.target]
        if source is not target:
            source.outputs.append(target)
            target.inputs.append(source)
    ordered = _ordered(runs)
    for run in ordered:
        run.column = max(
            (
                run_of[edge.source].column + offset[edge.source] + 1 - offset[edge.target]
                for edge in forward
                if run_of[edge.target] is run and run_of[edge.source] is not run
            ),
            default=0,
        )
        run.column = max(run.column, 0)
    _choose_rows(ordered)
    grid = Grid(
        [Slot(run_of[n].column + offset[n], run_of[n].band, run_of[n].row)
         for n in range(len(graph.boxes))],
        back=back,
    )  # fmt: skip
    _let_pass(grid, graph)
    return grid


def _runs(graph: Graph) -> list[_Run]:
    band_of = {box: band for band, group in enumerate(graph.fragments) for box in group.boxes}
    stage_of = {box: tuple(stage) for stage in graph.stages for box in stage}
    found: dict[tuple[int, ...], _Run] = {}
    for box in range(len(graph.boxes)):
        stage = stage_of.get(box, (box,))
        found.setdefault(stage, _Run(list(stage), band_of.get(box, 0)))
    return list(found.values())


def _back_edges(
    edges: Sequence[Edge], run_of: dict[int, _Run], offset: dict[int, int]
) -> frozenset[int]:
    """Return the numbers of the edges without which the others form no cycle."""
    back = set()
    after: dict[_Run, list[_Run]] = {}
    for number, edge in sorted(enumerate(edges), key=lambda item: item[1].back):
        source, target = run_of[edge.source], run_of[edge.target]
        if source is target:
            closes = offset[edge.target] <= offset[edge.source]
        else:
            closes = _reaches(after, target, source)
        if edge.back or closes:
            back.add(number)
        elif source is not target:
            after.setdefault(source, []).append(target)
    return frozenset(back)


def _reaches(after: dict[_Run, list[_Run]], begin: _Run, end: _Run) -> bool:
    seen, left = set(), [begin]
    while left:
        at = left.pop()
        if at is end:
            return True
        if at not in seen:
            seen.add(at)
            left += after.get(at, ())
    return False


def _ordered(runs: Sequence[_Run]) -> list[_Run]:
    """Return the runs so that each comes after those that feed it."""
    waits_for = {run: len(run.inputs) for run in runs}
    ready = [run for run in runs if not waits_for[run]]
    for run in ready:
        for fed in run.outputs:
            waits_for[fed] -= 1
            if not waits_for[fed]:
                ready.append(fed)
    return ready


def _choose_rows(runs: Sequence[_Run]) -> None:
    """Give every run a row of its own in each of its columns."""
    taken: set[Slot] = set()
    by_column = sorted(runs, key=lambda run: run.column)
    for run in by_column:
        _place(run, taken, forward_only=True)
    for _ in range(ROUNDS):
        before = [run.row for run in by_column]
        for run in by_column:
            taken -= {Slot(run.column + n, run.band, run.row) for n in range(len(run.boxes))}
            _place(run, taken)
        by_column.reverse()
        if before == [run.row for run in reversed(by_column)]:
            break


def _place(run: _Run, taken: set[Slot], *, forward_only: bool = False) -> None:
    """Take the row nearest to the middle between what feeds `run` and what it feeds."""
    sides = [run.inputs] if forward_only else [run.inputs, run.outputs]
    means = [
        sum(rows) / len(rows)
        for side in sides
        if (rows := [other.row for other in set(side) if other.band == run.band])
    ]
    wanted = sum(means) / len(means) if means else float(run.row)
    among = range(int(wanted) + len(taken) + 2)
    slots = _free(taken, run.column, len(run.boxes), run.band, among, wanted)
    run.row = slots[0].row
    taken.update(slots)


def _free(
    taken: set[Slot], column: int, length: int, band: int, rows: range, wanted: float
) -> list[Slot]:
    """Return free slots from `column` on in the one of `rows` that is nearest to `wanted`."""
    for row in sorted(rows, key=lambda row: (abs(row - wanted), row)):
        slots = [Slot(column + n, band, row) for n in range(length)]
        if taken.isdisjoint(slots):
            return slots
    raise AssertionError("there are more rows than slots that are taken")


def _let_pass(grid: Grid, graph: Graph) -> None:
    """Take slots for every edge in the columns between its ends: so no line crosses a box.

    Short edges choose first, so that long ones pass on the outside.
    """
    taken = set(grid.boxes)
    ends = [
        (grid.boxes[edge.source], grid.boxes[edge.target], number)
        for number, edge in enumerate(graph.edges)
        if number not in grid.back
    ]
    for source, target, number in sorted(ends, key=lambda item: item[1].column - item[0].column):
        between = target.column - source.column - 1
        if between > 0:
            last = target.row if target.band == source.band else source.row
            most = len(taken) + 1
            slots = _free(
                taken, source.column + 1, between, source.band,
                range(-most, source.row + last + most), (source.row + last) / 2,
            )  # fmt: skip
            taken.update(slots)
            grid.passes[number] = slots
