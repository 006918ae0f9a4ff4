"""What comes over a network: HTTP streams in chunks, MPEG transport streams with gaps.

FFmpeg takes a connection that is closed between two chunks for the end of the stream; that is
said by an empty chunk. It sees the gaps in a transport stream, and marks what it reads; but when
it cuts that into frames, the mark goes to the frame before the hurt one, or is lost.
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
"""In the media types of lists of what is elsewhere, which FFmpeg fetches by itself."""


class Chunked:
    """A file that FFmpeg reads from a response in chunks."""

    def __init__(self, response: requests.Response, name: str) -> None:
        """Read `response`; messages call it `name`."""
        self.error: HoloflowError | None = None
        """Why there is no more; None as long as all is well."""
        self._response = response
        self._name = name
        self._chunks: Iterator[bytes] = response.raw.stream(decode_content=False)
        self._left = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes as they come; none after the end, and after an error."""
        import urllib3

        try:
            while not self._left and self.error is None:
                self._left = next(self._chunks)
        except StopIteration:
            return b""
        except urllib3.exceptions.ReadTimeoutError:
            self.error = HoloflowError(f"nothing came any more from {self._name}")
        except (urllib3.exceptions.HTTPError, OSError):
            self.error = HoloflowError(f"the connection broke off: {self._name}")
        data, self._left = self._left[:size], self._left[size:]
        return data

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def chunked(url: str, name: str, timeout: float) -> Chunked | None:
    """Return the answer to `url` where it comes in chunks; else, or without one, None."""
    import requests  # slow to import, and only streams need it

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
