"""Where the boxes, groups, edges and labels of a graph are, in pixels: a pure function.

Edges lead to the right (`wide`) or downwards (`tall`, for narrow pages). What follows is counted
along that direction and across it, and turned at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from holoflow.plan.draw.graph import LABEL_LINE, LINE, TEXT, Edge, Graph
from holoflow.plan.draw.grid import Slot, arrange

Point: TypeAlias = tuple[float, float]
"""x and y."""
Span: TypeAlias = tuple[float, float]
"""Begin and end along one axis."""

MARGIN = 12.0
STAGE, FRAGMENT = 8.0, 18.0
"""From a box to the frame of its stage, and to that of its fragment."""
DIRECT = 40.0
"""Between columns, for lines to turn, beside the room for labels."""
ROWS = 26.0
"""Between rows."""
BAND = 44.0
"""More between fragments, for their frames and captions."""
LANE = 18.0
"""For an edge that passes by boxes, and between edges that lead back."""


@dataclass(frozen=True)
class Rectangle:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """The way of an edge."""

    path: str
    """As the `d` of an SVG path."""
    end: Point
    label: Point
    """Where its label ends (wide) or begins (tall)."""
    back: bool


@dataclass(frozen=True)
class Layout:
    """Places of all parts of a graph, in the order in which the graph has them."""

    width: float
    height: float
    boxes: Sequence[Rectangle]
    edges: Sequence[Route]
    stages: Sequence[Rectangle]
    fragments: Sequence[Rectangle]
    captions: Sequence[Point]
    """Where the captions of the fragments begin."""
    tall: bool


def lay_out(graph: Graph, *, tall: bool = False) -> Layout:
    """Return the layout of `graph`; no two boxes, and no box and line, are in one place."""
    return _Layout(graph, tall).layout()


class _Layout:
    def __init__(self, graph: Graph, tall: bool) -> None:
        self.graph, self.tall = graph, tall
        self.grid = arrange(graph)
        self.inputs: list[list[int]] = [[] for _ in graph.boxes]
        for number, edge in enumerate(graph.edges):
            self.inputs[edge.target].append(number)
        for numbers in self.inputs:
            numbers.sort(key=self._side_of)
        self.sizes = [self._size(number) for number in range(len(graph.boxes))]
        self.outside = [number for number in range(len(graph.edges)) if number in self.grid.back]
        self.columns = self._columns()
        self.rows = self._rows()

    def layout(self) -> Layout:
        boxes = [self._frame([number], 0.0) for number in range(len(self.graph.boxes))]
        stages = [self._frame(stage, STAGE) for stage in self.graph.stages]
        fragments = [self._frame(group.boxes, FRAGMENT) for group in self.graph.fragments]
        edges = [self._route(number) for number in range(len(self.graph.edges))]
        captions = [
            (f.x + 6, f.y + f.height + LABEL_LINE if self.tall else f.y - 6) for f in fragments
        ]
        right = [frame.x + frame.width for frame in [*boxes, *stages, *fragments]]
        low = [frame.y + frame.height for frame in [*boxes, *stages, *fragments]]
        for (x, y), group in zip(captions, self.graph.fragments, strict=True):
            right.append(x + TEXT * len(group.caption))
            low.append(y)
        if self.tall:
            for edge, route in zip(self.graph.edges, edges, strict=True):
                right.append(route.label[0] + edge.label_width)
        across = self._outside_of_all() + LANE * len(self.outside) if self.outside else 0.0
        across = max(across, *(span[1] for span in self.rows.values()), 0.0)
        along = max((span[1] for span in self.columns), default=0.0)
        along += DIRECT / 2 if self.outside else 0.0
        (right if self.tall else low).append(across)
        (low if self.tall else right).append(along)
        return Layout(
            max(right, default=0.0) + MARGIN, max(low, default=0.0) + MARGIN, boxes, edges,
            stages, fragments, captions, self.tall,
        )  # fmt: skip

    def _side_of(self, number: int) -> tuple[bool, int, int, int]:
        """Sort the inputs of a box as their lines come in, so that few of them cross."""
        passes = self.grid.passes.get(number)
        slot = passes[-1] if passes else self.grid.boxes[self.graph.edges[number].source]
        return number in self.grid.back, slot.band, slot.row, -slot.column

    def _size(self, box: int) -> tuple[float, float]:
        """Return the size of a box along and across, with room for its inputs side by side."""
        width, height = self.graph.boxes[box].size
        if self.tall:
            return height, max(width, LABEL_LINE * (len(self.inputs[box]) + 1))
        return width, max(height, LABEL_LINE * (len(self.inputs[box]) + 1))

    def _labelled(self, box: int) -> list[int]:
        """Return the inputs of a box that have labels, as their lines come in."""
        return [n for n in self.inputs[box] if self.graph.edges[n].label_width]

    def _straight(self, box: int) -> float:
        """Return how far the inputs of a box come in straight: as far as their labels reach."""
        labelled = self._labelled(box)
        if self.tall or not labelled:
            return 9 + LABEL_LINE * len(labelled)
        return 14 + max(self.graph.edges[n].label_width for n in labelled)

    def _columns(self) -> list[Span]:
        """Return the place of every column, with room before it for the labels of its inputs."""
        count = max((slot.column for slot in self.grid.boxes), default=-1) + 1
        straight, lengths, crowd = [0.0] * count, [0.0] * count, [0] * count
        for number, slot in enumerate(self.grid.boxes):
            lengths[slot.column] = max(lengths[slot.column], self.sizes[number][0])
            straight[slot.column] = max(straight[slot.column], self._straight(number))
            crowd[slot.column] += len(self.inputs[number])
        self.straight = straight
        frames = (FRAGMENT + LABEL_LINE if self.tall else FRAGMENT - STAGE) * 2
        between = DIRECT + (frames if self.graph.fragments else 0.0)
        columns: list[Span] = []
        at = MARGIN + (FRAGMENT if self.graph.fragments else STAGE)
        for column in range(count):
            gap = between + straight[column] + 3 * min(crowd[column], 12)
            at += gap if column else self._room_before_first(gap)
            columns.append((at, at + lengths[column]))
            at += lengths[column]
        return columns

    def _room_before_first(self, gap: float) -> float:
        """Return room for edges that lead back to the first column; there are none without."""
        first = any(
            self.grid.boxes[self.graph.edges[number].target].column == 0 for number in self.outside
        )
        return gap if first else 0.0

    def _rows(self) -> dict[tuple[int, int], Span]:
        """Return the place of every row: as broad as the broadest box in it."""
        broad: dict[tuple[int, int], float] = {}
        for slots in self.grid.passes.values():
            broad.setdefault((slots[0].band, slots[0].row), LANE)
        for number, slot in enumerate(self.grid.boxes):
            key = (slot.band, slot.row)
            broad[key] = max(broad.get(key, 0.0), self.sizes[number][1])
        rows: dict[tuple[int, int], Span] = {}
        at, band = MARGIN + STAGE, None
        for key in sorted(broad):
            if self.graph.fragments and key[0] != band:
                at += BAND if band is not None else FRAGMENT - STAGE + (0 if self.tall else LINE)
                if self.tall and band is not None:
                    at = max(at, self._caption_end(rows, band) + MARGIN)
            band = key[0]
            rows[key] = (at, at + broad[key])
            at += broad[key] + (ROWS if broad[key] > LANE else 8)
        return rows

    def _caption_end(self, rows: dict[tuple[int, int], Span], band: int) -> float:
        """Return where the caption of a fragment ends across a tall graph."""
        begin = min(span[0] for key, span in rows.items() if key[0] == band)
        return begin + TEXT * len(self.graph.fragments[band].caption) + FRAGMENT

    def _spans(self, box: int) -> tuple[Span, Span]:
        slot = self.grid.boxes[box]
        along, across = self.columns[slot.column][0], self.rows[slot.band, slot.row][0]
        size = self.sizes[box]
        return (along, along + size[0]), (across, across + size[1])

    def _point(self, along: float, across: float) -> Point:
        return (across, along) if self.tall else (along, across)

    def _frame(self, boxes: Sequence[int], margin: float) -> Rectangle:
        spans = [self._spans(box) for box in boxes]
        x, y = self._point(min(s[0][0] for s in spans), min(s[1][0] for s in spans))
        right, low = self._point(max(s[0][1] for s in spans), max(s[1][1] for s in spans))
        return Rectangle(x - margin, y - margin, right - x + 2 * margin, low - y + 2 * margin)

    def _begin(self, edge: Edge) -> Point:
        """Return along and across where an edge leaves its source."""
        along, across = self._spans(edge.source)
        port = self.graph.boxes[edge.source].port(edge.source_port, out=True)
        if port is not None and not self.tall:
            return along[1], across[0] + port
        return along[1], sum(across) / 2

    def _end(self, number: int) -> Point:
        """Return along and across where an edge meets its target: inputs share the side."""
        edge = self.graph.edges[number]
        along, across = self._spans(edge.target)
        port = self.graph.boxes[edge.target].port(edge.target_port, out=False)
        if port is not None and not self.tall:
            return along[0], across[0] + port
        inputs = self.inputs[edge.target]
        share = (inputs.index(number) + 1) / (len(inputs) + 1)
        return along[0], across[0] + share * (across[1] - across[0])

    def _route(self, number: int) -> Route:
        edge = self.graph.edges[number]
        begin, end = self._begin(edge), self._end(number)
        back = number in self.grid.back
        path = self._way_back(number, begin, end) if back else self._way(number, begin, end)
        labelled = self._labelled(edge.target)
        if not self.tall:
            label = (end[0] - 9, end[1] - 4)
        else:
            below = len(labelled) - labelled.index(number) - 1 if number in labelled else 0
            label = (end[1] + 5, end[0] - 9 - LABEL_LINE * below)
        return Route(path, self._point(*end), label, back)

    def _way(self, number: int, begin: Point, end: Point) -> str:
        """Return the path of an edge: straight beside boxes and labels, turning in between."""
        edge = self.graph.edges[number]
        after = self.columns[self.grid.boxes[edge.source].column][1]
        before = end[0] - self.straight[self.grid.boxes[edge.target].column]
        turns = [(after, begin[1]), (before, end[1])]
        slots: list[Slot] = self.grid.passes.get(number, [])
        if slots:
            lane = sum(self.rows[slots[0].band, slots[0].row]) / 2
            first, last = slots[0].column, slots[-1].column
            enters = self.columns[first][0] - self.straight[first]
            turns[1:1] = [(enters, lane), (self.columns[last][1], lane)]
        path = f"M{self._xy(begin)}"
        for (a0, b0), (a1, b1) in zip(turns[::2], turns[1::2], strict=True):
            middle = (a0 + a1) / 2
            path += (
                f"L{self._xy((a0, b0))}C{self._xy((middle, b0))} {self._xy((middle, b1))} "
                f"{self._xy((a1, b1))}"
            )
        return f"{path}L{self._xy(end)}"

    def _way_back(self, number: int, begin: Point, end: Point) -> str:
        """Return the path of an edge that leads back, beside all boxes in a lane of its own."""
        edge = self.graph.edges[number]
        lane = self._outside_of_all() + LANE * (self.outside.index(number) + 0.5)
        after = self.columns[self.grid.boxes[edge.source].column][1]
        before = end[0] - self.straight[self.grid.boxes[edge.target].column]
        bend = DIRECT / 2
        points = [
            begin, (after, begin[1]),
            (after + bend, begin[1]), (after + bend, lane), (after, lane),
            (before, lane), (before - bend, lane), (before - bend, end[1]), (before, end[1]), end,
        ]  # fmt: skip
        a, b, c, d, e, f, g, h, i, j = map(self._xy, points)
        return f"M{a}L{b}C{c} {d} {e}L{f}C{g} {h} {i}L{j}"

    def _outside_of_all(self) -> float:
        """Return where lanes for edges that lead back begin, across the graph."""
        end = max((span[1] for span in self.rows.values()), default=0.0)
        return end + (FRAGMENT if self.graph.fragments else STAGE) + 6

    def _xy(self, point: Point) -> str:
        x, y = self._point(*point)
        return f"{x:.1f} {y:.1f}"
