"""The ways that frames go: what a message carries of where its frame has been, and when.

A message carries a tuple of hops, one for each way on which its frame came here. A hop is a
tuple of the hop before, the node it stands at, its start, its end, and when the frame was
captured, all in nanoseconds of the host's monotonic clock. Hops never change, so that the
branches of a fan-out share those they have in common. What lies between the end of a hop and
the start of the next is waiting: no time is counted twice or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from holoflow.flow.account import MOST as MOST_HOPS
from holoflow.flow.books import StepKind
from holoflow.flow.path_account import PathAccount

Hop: TypeAlias = "tuple[Any, Node, int, int, int]"
"""(hop before or None, node, start, end, captured)."""
Tracks: TypeAlias = tuple[Hop, ...]
"""Of a message: the way that came last at the joins on it is the first of them. Empty where
nobody tracks."""

MOST = 16
"""Ways of one message that are followed: joins of fan-outs can multiply them without end."""


class Stop:
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


class Node:
    """A stop, and the way on which it is reached."""

    __slots__ = ("_account", "before", "following", "source", "stop", "tree", "uncertainty")

    def __init__(self, tree: PathTree, stop: Stop, before: Node | None) -> None:
        """Stand at `stop` after `before`; None of a source."""
        self.source: str = before.source if before is not None else stop.operator
        self.tree = tree
        self.stop = stop
        self.before = before
        self.following: dict[Stop, Node] = {}
        self.uncertainty = 0
        """Nanoseconds by which the clock of the host before may have been misjudged."""
        self._account: PathAccount | None = None

    def follow(self, stop: Stop) -> Node:
        """Return the node at `stop` that comes after this one."""
        found = self.following.get(stop)
        if found is None:
            # Of two threads that make it at once, both get the one that is kept.
            found = self.following.setdefault(stop, Node(self.tree, stop, self))
            self.tree.size += 1
        return found

    def way(self) -> list[Node]:
        """Return the nodes from the source to this one."""
        nodes = [self]
        while nodes[-1].before is not None:
            nodes.append(nodes[-1].before)
        return nodes[::-1]

    @property
    def account(self) -> PathAccount:
        """The account of the frames that end here."""
        if self._account is None:
            self._account = self.tree.accounts.setdefault(self, PathAccount(self.way()))
        return self._account


class PathTree:
    """All nodes of a run, grown as frames first come by."""

    def __init__(self) -> None:
        """Begin without any."""
        self.accounts: dict[Node, PathAccount] = {}
        """Of the paths that frames have gone to their end."""
        self.size = 0
        """How many nodes there are, but for the sources."""
        self.unfollowed = 0
        """Most ways of one message that were not followed."""
        self._roots: dict[str, Node] = {}
        self._stops: dict[tuple[StepKind, str, str], Stop] = {}

    def root(self, source: str) -> Node:
        """Return the node at which frames of `source` begin."""
        found = self._roots.get(source)
        if found is None:
            found = self._roots.setdefault(source, Node(self, self.stop("work", source, ""), None))
        return found

    def stop(
        self, kind: StepKind, operator: str, port: str, *, back_edge: bool = False,
        by_port: bool = False,
    ) -> Stop:  # fmt: skip
        """Return the one stop of that kind at `port` of `operator`."""
        key = (kind, operator, port)
        found = self._stops.get(key)
        if found is None:
            made = Stop(kind, operator, port, back_edge=back_edge, by_port=by_port)
            found = self._stops.setdefault(key, made)
        return found

    def begin(self, source: str, captured: int, sent: int) -> Tracks:
        """Return the tracks of a frame that `source` had in hand and sent at these times."""
        return ((None, self.root(source), captured, sent, captured),)

    def chain(self, stops: Sequence[Stop]) -> PathAccount:
        """Return the account of the path that leads over `stops`, the first being the source."""
        node = self.root(stops[0].operator)
        for stop in stops[1:]:
            node = node.follow(stop)
        return node.account

    def limit(self, tracks: Tracks) -> Tracks:
        """Return no more of `tracks` than are followed."""
        if len(tracks) > MOST:
            self.unfollowed = max(self.unfollowed, len(tracks) - MOST)
        return tracks[:MOST]


def extend(tracks: Tracks, stop: Stop, start: int, end: int) -> Tracks:
    """Return `tracks` with a hop at `stop` added to each."""
    if len(tracks) == 1:
        hop = tracks[0]
        node = hop[1]
        return ((hop, node.following.get(stop) or node.follow(stop), start, end, hop[4]),)
    return tuple([(hop, hop[1].follow(stop), start, end, hop[4]) for hop in tracks])


def close(tracks: Tracks) -> None:
    """Book the frame as having come to the end of its ways."""
    for index, hop in enumerate(tracks):
        account = hop[1].account
        account.hops.append(hop)
        account.critical += not index
        if len(account.hops) > MOST_HOPS:
            account.fold()


def passed(hop: Hop, operator: str) -> int | None:
    """Return when the frame began at `operator`, None where it did not come by.

    At its source it began with the capture, elsewhere with the start of the call.
    """
    found = None
    at: Hop | None = hop
    while at is not None:
        if at[1].stop.operator == operator and at[1].stop.kind == "work":
            found = at[2]
        at = at[0]
    return found
