"""Spans and paths: where a message's frame has been, and when; carried between processes.

A message carries a trace context: a tuple of spans, one for each path on which its frame came here.
A span is a tuple of the span before it, its path node, its start, its end, and the time at which
the frame was captured, all in nanoseconds of the host's monotonic clock. Spans are immutable, so
the branches of a fan-out share those they have in common. The time between the end of a span and
the start of the next one is waiting: no time is counted twice, and none is left out.

The paths of a flow's frames are mostly the same from message to message, but their times never
are. They are therefore transmitted separately, as path descriptors and times, and a receiver need
not read the same descriptors again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from holoflow.core.errors import HoloflowError
from holoflow.stats.operator_stats import MOST_CALLS as MOST_HOPS
from holoflow.stats.path_stats import PathMeter
from holoflow.stats.snapshot import StepKind

Span: TypeAlias = "tuple[Any, PathNode, int, int, int]"
"""(previous span or None, node, start, end, captured), times in ns."""
TraceContext: TypeAlias = tuple[Span, ...]
"""Last spans of a message; first that of the path which arrived last at the joins on it. Empty
without tracking."""

MOST_PATHS = 16
"""Paths of one message that are followed: joins of fan-outs can multiply them without limit."""


class PathStep:
    """A call of an operator, or the crossing of a link to it, as a step of paths.

    Compared by identity.
    """

    __slots__ = ("back_edge", "by_port", "kind", "operator", "port")

    def __init__(
        self, kind: StepKind, operator: str, port: str, *, back_edge: bool = False,
        by_port: bool = False,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.operator = operator
        self.port = port
        self.back_edge = back_edge
        self.by_port = by_port


class PathNode:
    """A step together with the path that leads to it: a node of the tree of all paths."""

    __slots__ = ("_meter", "before", "following", "source", "step", "tree", "uncertainty")

    def __init__(self, tree: PathTree, step: PathStep, before: PathNode | None) -> None:
        """Make the node of `step` after the node `before`, which is None for a source."""
        self.source: str = before.source if before is not None else step.operator
        self.tree = tree
        self.step = step
        self.before = before
        self.following: dict[PathStep, PathNode] = {}
        self.uncertainty = 0
        """Possible error of the offset to the clock of the previous host, in ns."""
        self._meter: PathMeter | None = None

    def follow(self, step: PathStep) -> PathNode:
        """Return the node of `step` after this one. From any thread."""
        found = self.following.get(step)
        if found is None:
            # `setdefault` is atomic: of two threads that make the node at once, both get the same.
            found = self.following.setdefault(step, PathNode(self.tree, step, self))
            self.tree.size += 1
        return found

    def path(self) -> list[PathNode]:
        """Return the nodes from the source to this one."""
        nodes = [self]
        while nodes[-1].before is not None:
            nodes.append(nodes[-1].before)
        return nodes[::-1]

    @property
    def meter(self) -> PathMeter:
        """Measures the frames that end here."""
        if self._meter is None:
            self._meter = self.tree.meters.setdefault(self, PathMeter(self.path()))
        return self._meter


class PathTree:
    """All path nodes of a process; nodes are added when a frame first takes their path."""

    def __init__(self) -> None:
        self.meters: dict[PathNode, PathMeter] = {}
        """Meters of paths that frames have taken to the end, by last node."""
        self.size = 0
        """Number of nodes, without those of sources."""
        self.unfollowed = 0
        """Largest number of paths of one message that were not followed."""
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
        """Return the step of that kind at `port` of `operator`, always the same object.

        Args:
            kind: What happens in the step.
            operator: Name of the operator that is called, or receives.
            port: Its input port; empty for a source.
            back_edge: Whether the flow to that port is a back edge.
            by_port: Whether the port is part of the names of paths.
        """
        key = (kind, operator, port)
        found = self._steps.get(key)
        if found is None:
            made = PathStep(kind, operator, port, back_edge=back_edge, by_port=by_port)
            found = self._steps.setdefault(key, made)
        return found

    def begin(self, source: str, captured: int, sent: int) -> TraceContext:
        """Return the trace context of a frame captured and sent by `source` at these times (ns)."""
        return ((None, self.root(source), captured, sent, captured),)

    def chain(self, steps: Sequence[PathStep]) -> PathMeter:
        """Return the meter of the path over `steps`, of which the first is the source."""
        node = self.root(steps[0].operator)
        for step in steps[1:]:
            node = node.follow(step)
        return node.meter

    def limit(self, trace: TraceContext) -> TraceContext:
        """Return the spans of `trace` that are followed, at most `MOST_PATHS`."""
        if len(trace) > MOST_PATHS:
            self.unfollowed = max(self.unfollowed, len(trace) - MOST_PATHS)
        return trace[:MOST_PATHS]


def extend(trace: TraceContext, step: PathStep, start: int, end: int) -> TraceContext:
    """Return `trace` with a span for `step` added to each path, from `start` to `end` (ns).

    This runs for every call of an operator, and most messages have one path.
    """
    if len(trace) == 1:
        span_ = trace[0]
        node = span_[1]
        return ((span_, node.following.get(step) or node.follow(step), start, end, span_[4]),)
    return tuple([(span_, span_[1].follow(step), start, end, span_[4]) for span_ in trace])


def close(trace: TraceContext) -> None:
    """Count the frame as having reached the end of its paths. From any thread."""
    for index, span_ in enumerate(trace):
        meter = span_[1].meter
        meter.spans.append(span_)
        meter.critical += not index
        if len(meter.spans) > MOST_HOPS:
            meter.fold()


def passed(span_: Span, operator: str) -> int | None:
    """Return when the frame began at `operator` (ns); None if it did not pass it.

    At its source it begins with the capture, elsewhere with the start of the call.
    """
    found = None
    at: Span | None = span_
    while at is not None:
        if at[1].step.operator == operator and at[1].step.kind == "work":
            found = at[2]
        at = at[0]
    return found


PathDescriptors: TypeAlias = list[list[list[Any]]]
"""For each path its steps from the source on: kind, operator, port, whether the port is part of the
path's name."""

Nodes: TypeAlias = tuple["list[PathNode]", ...]
"""For each path its nodes from the source on."""

LONGEST = 256
"""Largest number of steps of a path that is read."""

MOST_NODES = 100_000
"""Size of a tree beyond which no new paths are read: a peer must not fill the memory."""

_KINDS = ("work", "serialise", "link")
_LATEST = 1 << 62
"""All times are closer to 0 than this (ns)."""


def to_descriptors(trace: TraceContext) -> PathDescriptors:
    """Return the paths of `trace` as lists that msgpack and JSON can represent."""
    paths = []
    for span_ in trace:
        steps = [node.step for node in span_[1].path()]
        paths.append([[step.kind, step.operator, step.port, step.by_port] for step in steps])
    return paths


def to_times(trace: TraceContext) -> list[int]:
    """Return start and end of each span (ns), in the order of `to_descriptors`.

    The first span of a path begins with the capture.
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


def to_nodes(descriptors: Any, tree: PathTree) -> Nodes:
    """Return the nodes of `tree` for what `to_descriptors` returned in another process.

    Raises:
        HoloflowError: `descriptors` is not valid, or has too many or too long paths.
    """
    if not isinstance(descriptors, list) or len(descriptors) > MOST_PATHS:
        raise HoloflowError(f"invalid paths: expected a list of at most {MOST_PATHS}")
    return tuple([_read_path(path, tree) for path in descriptors])


def _read_path(path: Any, tree: PathTree) -> list[PathNode]:
    if tree.size > MOST_NODES:
        raise HoloflowError(f"more than {MOST_NODES} different paths")
    if not isinstance(path, list) or not 0 < len(path) <= LONGEST:
        raise HoloflowError(f"invalid path: expected 1 to {LONGEST} steps")
    nodes: list[PathNode] = []
    for step in path:
        if not isinstance(step, list) or len(step) != 4:
            raise HoloflowError("invalid path: expected steps of four values")
        kind, operator, port, by_port = step
        if not (
            kind in _KINDS
            and isinstance(operator, str)
            and isinstance(port, str)
            and isinstance(by_port, bool)
        ):
            raise HoloflowError(f"invalid path: {step!r:.100} is not a step")
        if nodes:
            nodes.append(nodes[-1].follow(tree.step(kind, operator, port, by_port=by_port)))
        else:
            nodes.append(tree.root(operator))
    return nodes


def to_trace(
    nodes: Nodes, times: Sequence[int], *, shift: int = 0, uncertainty: int = 0
) -> TraceContext:
    """Return the trace context of a message from another process.

    Args:
        nodes: Nodes of its paths.
        times: What `to_times` returned there.
        shift: Added to every time: the offset (ns) of this host's monotonic clock from the
            sender's; 0 on one host.
        uncertainty: Possible error of `shift` (ns); noted with the paths.

    Raises:
        HoloflowError: The number of times does not match the nodes, or a time is out of range.
    """
    if len(times) != 2 * sum(map(len, nodes)):
        raise HoloflowError(f"invalid trace: {len(times)} times for {sum(map(len, nodes))} spans")
    if times and not -_LATEST < min(times) <= max(times) < _LATEST:
        raise HoloflowError("invalid trace: a time out of range")
    left = iter(times)
    trace = []
    for path in nodes:
        last: Span | None = None
        captured = 0
        for node, start, end in zip(path, left, left, strict=False):  # the path ends first
            if last is None:
                captured = start + shift
            if uncertainty > node.uncertainty:
                node.uncertainty = uncertainty
            last = (last, node, start + shift, end + shift, captured)
        assert last is not None  # noqa: S101 - for the type checker
        trace.append(last)
    return tuple(trace)
