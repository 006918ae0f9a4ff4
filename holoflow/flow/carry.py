"""Tracks on their way to another process: as plain values, and back in its own clock."""

from __future__ import annotations

from typing import Any, TypeAlias

from holoflow.errors import HoloflowError
from holoflow.flow.books import StepKind
from holoflow.flow.paths import MOST, Hop, PathTree, Tracks

Plain: TypeAlias = list[list[list[Any]]]
"""For each way its hops from the source on: kind of step, operator, port, whether the port is
part of the path's name, start and end in nanoseconds. The first began with the capture."""

LONGEST = 256
"""Hops of a way that are read."""

MOST_NODES = 100_000
"""Nodes of a tree beyond which no new ways are read: a peer must not fill the memory."""

_KINDS = ("work", "serialise", "link")


def to_plain(tracks: Tracks) -> Plain:
    """Return `tracks` as lists of strings and integers, which msgpack and JSON know."""
    return [_way(hop) for hop in tracks]


def _way(last: Hop) -> list[list[Any]]:
    hops = []
    at: Hop | None = last
    while at is not None:
        before, node, start, end, _ = at
        stop = node.stop
        hops.append([stop.kind, stop.operator, stop.port, stop.by_port, start, end])
        at = before
    return hops[::-1]


def from_plain(data: Any, tree: PathTree, *, shift: int = 0, uncertainty: int = 0) -> Tracks:
    """Return what `to_plain` gave in another process, as tracks of `tree`.

    `shift` (ns) is added to every time: the offset of this host's monotonic clock from the
    sender's, 0 on one host; `uncertainty` (ns) is how far it may be wrong, and is noted with
    the paths. Raises HoloflowError for anything that `to_plain` does not give.
    """
    if not isinstance(data, list) or len(data) > MOST:
        raise HoloflowError(f"not tracks: a list of up to {MOST} ways is expected")
    return tuple(_read_way(way, tree, shift, uncertainty) for way in data)


def _read_way(way: Any, tree: PathTree, shift: int, uncertainty: int) -> Hop:
    if tree.size > MOST_NODES:
        raise HoloflowError(f"tracks lead over more than {MOST_NODES} different ways")
    if not isinstance(way, list) or not 0 < len(way) <= LONGEST:
        raise HoloflowError(f"not tracks: a way has 1 to {LONGEST} hops")
    last: Hop | None = None
    for hop in way:
        kind, operator, port, by_port, start, end = _read_hop(hop)
        if last is None:
            node = tree.root(operator)
            captured = start + shift
        else:
            node = last[1].follow(tree.stop(kind, operator, port, by_port=by_port))
            captured = last[4]
        node.uncertainty = max(node.uncertainty, uncertainty)
        last = (last, node, start + shift, end + shift, captured)
    assert last is not None  # noqa: S101 - for the type checker
    return last


def _read_hop(hop: Any) -> tuple[StepKind, str, str, bool, int, int]:
    if not isinstance(hop, list) or len(hop) != 6:
        raise HoloflowError("not tracks: a hop has six values")
    kind, operator, port, by_port, start, end = hop
    sound = (
        kind in _KINDS
        and isinstance(operator, str)
        and isinstance(port, str)
        and isinstance(by_port, bool)
        and type(start) is type(end) is int
        and abs(start) < 1 << 62
        and abs(end) < 1 << 62
    )
    if not sound:
        raise HoloflowError(f"not tracks: {hop!r:.100} is no hop")
    return kind, operator, port, by_port, start, end
