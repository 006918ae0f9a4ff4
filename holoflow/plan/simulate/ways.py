"""Ways of frames through the operators, numbered."""

from __future__ import annotations

from typing import TypeAlias

MOST = 16
"""Ways of one message that are followed, as in a run."""

Ways: TypeAlias = tuple[tuple[int, float], ...]
"""Of a message: the number of each way, and when its frame was captured."""


class WayBook:
    """Numbers of ways, and the times that frames took on them."""

    def __init__(self) -> None:
        """Know of no way yet."""
        self.names: list[tuple[str, ...]] = [()]
        """Operators of each way."""
        self.times: dict[int, list[tuple[float, float]]] = {}
        """Of each way that has ended at a sink: when a frame was captured, and how long it took."""
        self._following: dict[tuple[int, str], int] = {}

    def follow(self, ways: Ways, operator: str) -> Ways:
        """Return `ways` with one operator more."""
        return tuple((self._next(way, operator), captured) for way, captured in ways)

    def _next(self, way: int, operator: str) -> int:
        key = (way, operator)
        if key not in self._following:
            self._following[key] = len(self.names)
            self.names.append((*self.names[way], operator))
        return self._following[key]

    def close(self, ways: Ways, end: float) -> None:
        """Note that a frame has come to the end of its ways."""
        for way, captured in ways:
            self.times.setdefault(way, []).append((captured, end - captured))
