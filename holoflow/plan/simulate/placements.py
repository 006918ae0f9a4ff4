"""Which fragments go to which hosts: all ways where these are few, else a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

Places: TypeAlias = Mapping[str, str]
"""Names of hosts by fragment."""

FEW = 64
"""Ways that are all tried."""


def all_places(fragments: Sequence[str], hosts: int, pinned: Places) -> Iterator[Places]:
    """Yield every way to put `fragments` on at most so many hosts, keeping those `pinned`.

    Hosts are alike, so that only who is together counts. Those that have no name from `pinned`
    are called host-1, host-2 and so on.
    """
    for groups in _groups(len(fragments), hosts):
        named = _named(fragments, groups, pinned)
        if named is not None:
            yield named


def count(fragments: int, hosts: int, most: int) -> int:
    """Return how many ways there are, counted up to `most`."""
    found = 0
    for _ in _groups(fragments, hosts):
        found += 1
        if found >= most:
            break
    return found


def _groups(size: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield the partitions of a set: for each item its group, new groups in order."""
    if not size:
        yield ()
        return
    for before in _groups(size - 1, most):
        known = max(before, default=-1) + 1
        for group in range(min(known + 1, most)):
            yield (*before, group)


def _named(fragments: Sequence[str], groups: Sequence[int], pinned: Places) -> Places | None:
    """Return the hosts of groups; None where that does not go with `pinned`."""
    names: dict[int, str] = {}
    for fragment, group in zip(fragments, groups, strict=True):
        if fragment in pinned and names.setdefault(group, pinned[fragment]) != pinned[fragment]:
            return None
    if len(set(names.values())) < len(names):
        return None
    fresh = fresh_names(set(names.values()))
    for group in groups:
        if group not in names:
            names[group] = next(fresh)
    return {fragment: names[group] for fragment, group in zip(fragments, groups, strict=True)}


def fresh_names(taken: set[str]) -> Iterator[str]:
    """Yield names for hosts that are not `taken`."""
    number = 0
    while True:
        number += 1
        if f"host-{number}" not in taken:
            yield f"host-{number}"


def search(
    fragments: Sequence[str], hosts: int, pinned: Places, better: Callable[[Places, Places], bool]
) -> Places:
    """Return a good way: beginning with one host, fragments move as long as it gets better.

    `better(a, b)` says whether a is better than b.
    """
    names = list(dict.fromkeys(pinned.values()))
    fresh = fresh_names(set(names))
    while len(names) < hosts:
        names.append(next(fresh))
    best: Places = {fragment: pinned.get(fragment, names[0]) for fragment in fragments}
    moved = True
    while moved:
        moved = False
        for fragment in fragments:
            if fragment in pinned:
                continue
            for place in _choices(best, names):
                tried = {**best, fragment: place}
                if place != best[fragment] and better(tried, best):
                    best, moved = tried, True
    return best


def _choices(places: Places, names: Sequence[str]) -> list[str]:
    """Return the hosts that are used, and one that is not: empty ones are alike."""
    used = [name for name in names if name in places.values()]
    empty = [name for name in names if name not in places.values()]
    return [*used, *empty[:1]]
