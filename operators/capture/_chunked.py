"""HTTP streams of unknown length, which come in chunks.

FFmpeg takes a connection that is closed between two chunks for the end of the stream; that is
said by an empty chunk.
"""

from __future__ import annotations

from collections.abc import Iterator

import requests
import urllib3

from holoflow.core.errors import HoloflowError

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
