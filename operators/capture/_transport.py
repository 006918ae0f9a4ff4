"""Which packets of an MPEG transport stream have lost some of their data on the way.

FFmpeg sees the gaps in what is sent, and marks what it reads; but when it cuts that into frames,
the mark goes to the frame before the hurt one, or is lost.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from typing import Any


def is_transport(container: Any) -> bool:
    """Whether a container that PyAV has opened is an MPEG transport stream."""
    return bool(container.format.name == "mpegts")


def hurt_of_file(packets: Iterator[Any], uncut: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each of `packets`, and whether some of it is lost.

    `packets` are frames; `uncut` is the same stream of the same file, not cut into frames.
    """
    marks = _Marks(uncut)
    begin = 0
    held = None
    for packet in packets:
        following = begin if packet.pos is None else packet.pos
        if held is not None:
            yield held, marks.between(begin, following)
        held, begin = packet, following
    if held is not None:
        yield held, marks.between(begin, None)


def hurt_of_stream(packets: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each of `packets`, and whether some of it may be lost: it, or the one before, says so.

    Of the first one it is not known.
    """
    before = False
    for packet in packets:
        yield packet, packet.is_corrupt or before
        before = packet.is_corrupt


class _Marks:
    """Where in a file something is lost."""

    def __init__(self, uncut: Iterator[Any]) -> None:
        self._uncut = uncut
        self._marked: deque[int] = deque()
        self._read = 0
        """Up to where."""

    def between(self, begin: int, end: int | None) -> bool:
        """Whether something is lost of what begins at `begin`, or later and before `end`."""
        last = sys.maxsize if end is None else max(begin, end - 1)
        while self._read <= last:
            packet = next(self._uncut, None)
            if packet is None:
                self._read = sys.maxsize
                break
            if packet.pos is not None:
                self._read = packet.pos
                if packet.is_corrupt:
                    self._marked.append(packet.pos)
        while self._marked and self._marked[0] < begin:
            self._marked.popleft()
        return bool(self._marked) and self._marked[0] <= last
