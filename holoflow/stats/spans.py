"""Spans and paths: where a message's frame has been, and when; carried between processes.

A message carries a tuple of hops, one for each way on which its frame came here. A hop is a
tuple of the hop before, the node it stands at, its start, its end, and when the frame was
captured, all in nanoseconds of the host's monotonic clock. Hops never change, so that the
branches of a fan-out share those they have in common. What lies between the end of a hop and
the start of the next is waiting: no time is counted twice or not at all.

The ways of a flow's frames are mostly the same from message to message, and their times never
are: so they are told apart, and who reads the same ways again need not look at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from holoflow.core.errors import HoloflowError
from holoflow.stats.operator_stats import MOST_CALLS as MOST_HOPS
from holoflow.stats.path_stats import PathMeter
from holoflow.stats.snapshot import StepKind

Span: TypeAlias = "tuple[Any, PathNode, int, int, int]"
"""(hop before or None, node, start, end, captured)."""
TraceContext: TypeAlias = tuple[Span, ...]
"""Of a message: the way that came last at the joins on it is the first of them. Empty where
nobody tracks."""

MOST_PATHS = 16
"""Ways of one message that are followed: joins of fan-outs can multiply them without end."""


class PathStep:
    """An operator's input, or a link's crossing to it, as a step of paths. Compared by identity."""

    __slots__ = ("back_edge", "by_port", "kind", "operator", "port")

    def __init__(
        self, kind: StepKind, operator: str, port: str, *, back_edge: bool = False,
        by_port: bool = False,
    ) -> None:  # fmt: skip
        """Name it."""
        self.kind = kind
        self.operator = operator
        self.port = port
        self.back_edge = back_edge
        self.by_port = by_port


class PathNode:
    """A step, and the way on which it is reached."""

    __slots__ = ("_meter", "before", "following", "source", "step", "tree", "uncertainty")

    def __init__(self, tree: PathTree, step: PathStep, before: PathNode | None) -> None:
        """Stand at `step` after `before`; None of a source."""
        self.source: str = before.source if before is not None else step.operator
        self.tree = tree
        self.step = step
        self.before = before
        self.following: dict[PathStep, PathNode] = {}
        self.uncertainty = 0
        """Nanoseconds by which the clock of the host before may have been misjudged."""
        self._meter: PathMeter | None = None

    def follow(self, step: PathStep) -> PathNode:
        """Return the node at `step` that comes after this one."""
        found = self.following.get(step)
        if found is None:
            # Of two threads that make it at once, both get the one that is kept.
            found = self.following.setdefault(step, PathNode(self.tree, step, self))
            self.tree.size += 1
        return found

    def way(self) -> list[PathNode]:
        """Return the nodes from the source to this one."""
        nodes = [self]
        while nodes[-1].before is not None:
            nodes.append(nodes[-1].before)
        return nodes[::-1]

    @property
    def meter(self) -> PathMeter:
        """The account of the frames that end here."""
        if self._meter is None:
            self._meter = self.tree.meters.setdefault(self, PathMeter(self.way()))
        return self._meter


class PathTree:
    """All nodes of a run, grown as frames first come by."""

    def __init__(self) -> None:
        """Begin without any."""
        self.meters: dict[PathNode, PathMeter] = {}
        """Of the paths that frames have gone to their end."""
        self.size = 0
        """How many nodes there are, but for the sources."""
        self.unfollowed = 0
        """Most ways of one message that were not followed."""
        self._roots: dict[str, PathNode] = {}
        self._steps: dict[tuple[StepKind, str, str], PathStep] = {}

    def root(self, source: str) -> PathNode:
        """Return the node at which frames of `source` begin."""
        found = self._roots.get(source)
        if found is None:
            found = self._roots.setdefault(
                source, PathNode(self, self.step("work", source, ""), None)
            )
        return found

    def step(
        self, kind: StepKind, operator: str, port: str, *, back_edge: bool = False,
        by_port: bool = False,
    ) -> PathStep:  # fmt: skip
        """Return the one step of that kind at `port` of `operator`."""
        key = (kind, operator, port)
        found = self._steps.get(key)
        if found is None:
            made = PathStep(kind, operator, port, back_edge=back_edge, by_port=by_port)
            found = self._steps.setdefault(key, made)
        return found

    def begin(self, source: str, captured: int, sent: int) -> TraceContext:
        """Return the tracks of a frame that `source` had in hand and sent at these times."""
        return ((None, self.root(source), captured, sent, captured),)

    def chain(self, steps: Sequence[PathStep]) -> PathMeter:
        """Return the account of the path that leads over `steps`, the first being the source."""
        node = self.root(steps[0].operator)
        for step in steps[1:]:
            node = node.follow(step)
        return node.meter

    def limit(self, trace: TraceContext) -> TraceContext:
        """Return no more of `trace` than are followed."""
        if len(trace) > MOST_PATHS:
            self.unfollowed = max(self.unfollowed, len(trace) - MOST_PATHS)
        return trace[:MOST_PATHS]


def extend(trace: TraceContext, step: PathStep, start: int, end: int) -> TraceContext:
    """Return `trace` with a hop at `step` added to each."""
    if len(trace) == 1:
        span_ = trace[0]
        node = span_[1]
        return ((span_, node.following.get(step) or node.follow(step), start, end, span_[4]),)
    return tuple([(span_, span_[1].follow(step), start, end, span_[4]) for span_ in trace])


def close(trace: TraceContext) -> None:
    """Book the frame as having come to the end of its ways."""
    for index, span_ in enumerate(trace):
        meter = span_[1].meter
        meter.spans.append(span_)
        meter.critical += not index
        if len(meter.spans) > MOST_HOPS:
            meter.fold()


def passed(span_: Span, operator: str) -> int | None:
    """Return when the frame began at `operator`, None where it did not come by.

    At its source it began with the capture, elsewhere with the start of the call.
    """
    found = None
    at: Span | None = span_
    while at is not None:
        if at[1].step.operator == operator and at[1].step.kind == "work":
            found = at[2]
        at = at[0]
    return found


Ways: TypeAlias = list[list[list[Any]]]
"""For each way its steps from the source on: kind of step, operator, port, whether the port is
part of the path's name."""

Nodes: TypeAlias = tuple["list[PathNode]", ...]
"""For each way the nodes at its steps, from the source on."""

LONGEST = 256
"""Hops of a way that are read."""

MOST_NODES = 100_000
"""Nodes of a tree beyond which no new ways are read: a peer must not fill the memory."""

_KINDS = ("work", "serialise", "link")
_LATEST = 1 << 62
"""No time lies as far from 0 (ns)."""


def to_ways(trace: TraceContext) -> Ways:
    """Return the ways of `trace` as lists of strings, which msgpack and JSON know."""
    ways = []
    for span_ in trace:
        steps = [node.step for node in span_[1].way()]
        ways.append([[step.kind, step.operator, step.port, step.by_port] for step in steps])
    return ways


def to_times(trace: TraceContext) -> list[int]:
    """Return start and end of each hop (ns) in the order of `to_ways`.

    The first hop of a way began with the capture.
    """
    times: list[int] = []
    for last in trace:
        backwards: list[int] = []
        at: Span | None = last
        while at is not None:
            at, _, start, end, _ = at
            backwards += (end, start)
        times += backwards[::-1]
    return times


def to_nodes(ways: Any, tree: PathTree) -> Nodes:
    """Return what `to_ways` gave in another process as nodes of `tree`.

    Raises HoloflowError for anything that it does not give.
    """
    if not isinstance(ways, list) or len(ways) > MOST_PATHS:
        raise HoloflowError(f"not tracks: a list of up to {MOST_PATHS} ways is expected")
    return tuple([_read_way(way, tree) for way in ways])


def _read_way(way: Any, tree: PathTree) -> list[PathNode]:
    if tree.size > MOST_NODES:
        raise HoloflowError(f"tracks lead over more than {MOST_NODES} different ways")
    if not isinstance(way, list) or not 0 < len(way) <= LONGEST:
        raise HoloflowError(f"not tracks: a way has 1 to {LONGEST} hops")
    nodes: list[PathNode] = []
    for step in way:
        if not isinstance(step, list) or len(step) != 4:
            raise HoloflowError("not tracks: a step has four values")
        kind, operator, port, by_port = step
        if not (
            kind in _KINDS
            and isinstance(operator, str)
            and isinstance(port, str)
            and isinstance(by_port, bool)
        ):
            raise HoloflowError(f"not tracks: {step!r:.100} is no step")
        if nodes:
            nodes.append(nodes[-1].follow(tree.step(kind, operator, port, by_port=by_port)))
        else:
            nodes.append(tree.root(operator))
    return nodes


def to_trace(
    nodes: Nodes, times: Sequence[int], *, shift: int = 0, uncertainty: int = 0
) -> TraceContext:
    """Return tracks that stand at `nodes`, with what `to_times` gave in another process.

    `shift` (ns) is added to every time: the offset of this host's monotonic clock from the
    sender's, 0 on one host; `uncertainty` (ns) is how far it may be wrong, and is noted with
    the paths. Raises HoloflowError where the times are not those of so many hops.
    """
    if len(times) != 2 * sum(map(len, nodes)):
        raise HoloflowError(f"not tracks: {len(times)} times for other hops")
    if times and not -_LATEST < min(times) <= max(times) < _LATEST:
        raise HoloflowError("not tracks: a time beyond all measure")
    left = iter(times)
    trace = []
    for way in nodes:
        last: Span | None = None
        captured = 0
        for node, start, end in zip(way, left, left, strict=False):  # the way ends first
            if last is None:
                captured = start + shift
            if uncertainty > node.uncertainty:
                node.uncertainty = uncertainty
            last = (last, node, start + shift, end + shift, captured)
        assert last is not None  # noqa: S101 - for the type checker
        trace.append(last)
    return tuple(trace)
