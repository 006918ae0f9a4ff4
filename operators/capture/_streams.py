"""Defects of network streams: HTTP streams in chunks, and gaps in MPEG transport streams.

FFmpeg takes a connection that is closed between two chunks for the end of the stream, although
only an empty chunk is. It notices gaps in a transport stream and marks packets; but when it
splits them into frames, the mark is attached to the frame before the damaged one, or is lost.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from holoflow.core.errors import HoloflowError

if TYPE_CHECKING:
    import requests

_PLAYLISTS = ("mpegurl", "dash+xml")
"""Parts of the media types of playlists, whose entries FFmpeg fetches by itself."""


class Chunked:
    """A file object for FFmpeg that reads a response in chunks."""

    def __init__(self, response: requests.Response, name: str) -> None:
        """Read `response`, which messages call `name`."""
        self.error: HoloflowError | None = None
        """Why the stream broke off; None unless it did."""
        self._response = response
        self._name = name
        self._chunks: Iterator[bytes] = response.raw.stream(decode_content=False)
        self._left = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as they arrive; none after the end or an error."""
        import urllib3

        try:
            while not self._left and self.error is None:
                self._left = next(self._chunks)
        except StopIteration:
            return b""
        except urllib3.exceptions.ReadTimeoutError:
            self.error = HoloflowError(f"no more data arrived from {self._name}")
        except (urllib3.exceptions.HTTPError, OSError):
            self.error = HoloflowError(f"the connection broke off: {self._name}")
        data, self._left = self._left[:size], self._left[size:]
        return data

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def chunked(url: str, name: str, timeout: float) -> Chunked | None:
    """Return the response of `url` if it comes in chunks; None if not, or without a response."""
    import requests  # slow to import, and only needed for streams

    try:
        response = requests.get(url, stream=True, timeout=timeout)
    except (requests.RequestException, ValueError):
        return None
    kind = response.headers.get("Content-Type", "").lower()
    if (
        response.ok
        and "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        and not any(playlist in kind for playlist in _PLAYLISTS)
    ):
        return Chunked(response, name)
    response.close()
    return None


def is_transport(container: Any) -> bool:
    """Whether a container opened by PyAV is an MPEG transport stream."""
    return bool(container.format.name == "mpegts")


def hurt_of_file(packets: Iterator[Any], uncut: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each of `packets`, and whether a part of it is lost.

    Args:
        packets: Packets of a stream, split into frames.
        uncut: Packets of the same stream and file, not split into frames.
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
    """Yield each of `packets`, and whether it or its predecessor is marked: a part may be lost.

    For the first packet this is unknown.
    """
    before = False
    for packet in packets:
        yield packet, packet.is_corrupt or before
        before = packet.is_corrupt


class _Marks:
    """Positions in a file at which something is lost."""

    def __init__(self, uncut: Iterator[Any]) -> None:
        self._uncut = uncut
        self._marked: deque[int] = deque()
        self._read = 0
        """Position up to which the file has been checked."""

    def between(self, begin: int, end: int | None) -> bool:
        """Whether something is lost of a frame that begins from `begin` on and before `end`."""
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
