"""Tracks on their way to another process: their ways as plain values, their times, and back.

The ways of a flow's frames are mostly the same from message to message, and their times never
are: so they are told apart, and who reads the same ways again need not look at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from holoflow.errors import HoloflowError
from holoflow.flow.paths import MOST, Hop, Node, PathTree, Tracks

Ways: TypeAlias = list[list[list[Any]]]
"""For each way its stops from the source on: kind of step, operator, port, whether the port is
part of the path's name."""

Nodes: TypeAlias = tuple["list[Node]", ...]
"""For each way the nodes at its stops, from the source on."""

LONGEST = 256
"""Hops of a way that are read."""

MOST_NODES = 100_000
"""Nodes of a tree beyond which no new ways are read: a peer must not fill the memory."""

_KINDS = ("work", "serialise", "link")
_LATEST = 1 << 62
"""No time lies as far from 0 (ns)."""


def to_ways(tracks: Tracks) -> Ways:
    """Return the ways of `tracks` as lists of strings, which msgpack and JSON know."""
    ways = []
    for hop in tracks:
        stops = [node.stop for node in hop[1].way()]
        ways.append([[stop.kind, stop.operator, stop.port, stop.by_port] for stop in stops])
    return ways


def to_times(tracks: Tracks) -> list[int]:
    """Return start and end of each hop (ns) in the order of `to_ways`.

    The first hop of a way began with the capture.
    """
    times: list[int] = []
    for last in tracks:
        backwards: list[int] = []
        at: Hop | None = last
        while at is not None:
            at, _, start, end, _ = at
            backwards += (end, start)
        times += backwards[::-1]
    return times


def to_nodes(ways: Any, tree: PathTree) -> Nodes:
    """Return what `to_ways` gave in another process as nodes of `tree`.

    Raises HoloflowError for anything that it does not give.
    """
    if not isinstance(ways, list) or len(ways) > MOST:
        raise HoloflowError(f"not tracks: a list of up to {MOST} ways is expected")
    return tuple([_read_way(way, tree) for way in ways])


def _read_way(way: Any, tree: PathTree) -> list[Node]:
    if tree.size > MOST_NODES:
        raise HoloflowError(f"tracks lead over more than {MOST_NODES} different ways")
    if not isinstance(way, list) or not 0 < len(way) <= LONGEST:
        raise HoloflowError(f"not tracks: a way has 1 to {LONGEST} hops")
    nodes: list[Node] = []
    for stop in way:
        if not isinstance(stop, list) or len(stop) != 4:
            raise HoloflowError("not tracks: a stop has four values")
        kind, operator, port, by_port = stop
        if not (
            kind in _KINDS
            and isinstance(operator, str)
            and isinstance(port, str)
            and isinstance(by_port, bool)
        ):
            raise HoloflowError(f"not tracks: {stop!r:.100} is no stop")
        if nodes:
            nodes.append(nodes[-1].follow(tree.stop(kind, operator, port, by_port=by_port)))
        else:
            nodes.append(tree.root(operator))
    return nodes


def to_tracks(
    nodes: Nodes, times: Sequence[int], *, shift: int = 0, uncertainty: int = 0
) -> Tracks:
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
    tracks = []
    for way in nodes:
        last: Hop | None = None
        captured = 0
        for node, start, end in zip(way, left, left, strict=False):  # the way ends first
            if last is None:
                captured = start + shift
            if uncertainty > node.uncertainty:
                node.uncertainty = uncertainty
            last = (last, node, start + shift, end + shift, captured)
        assert last is not None  # noqa: S101 - for the type checker
        tracks.append(last)
    return tuple(tracks)
