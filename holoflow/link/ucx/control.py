"""The control connection of a ucx flow: for the handshake, the counters and detecting a death.

The receiving end listens, the sending end connects. A frame is one byte for its kind and 64-bit
little-endian integers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from holoflow.core.errors import HoloflowError
from holoflow.stats.counters import CONSUMER_COUNTERS

RETRY: Final = 0.05
"""Seconds between two attempts to reach a peer that is not there yet."""


def listen(at: str | tuple[str, int]) -> socket.socket:
    """Return a non-blocking socket that listens at a path, or at an address and port.

    Raises:
        OSError: It cannot listen there.
    """
    if isinstance(at, str):
        listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(at)
    else:
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(at)
        listener.listen(4)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def reach(at: str | tuple[str, int]) -> socket.socket | None:
    """Return a socket connected to the listener at `at`; None if there is no listener."""
    connection = socket.socket(socket.AF_UNIX if isinstance(at, str) else socket.AF_INET)
    connection.settimeout(RETRY if isinstance(at, str) else 1.0)
    try:
        connection.connect(at)
    except OSError:
        connection.close()
        return None
    return connection


def notice_silence(connection: socket.socket) -> None:
    """Make the system detect a peer that no longer answers: its host or the network is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000)


VERSION: Final = 2

_KIND: Final = struct.Struct("<B")
_HELLO: Final = struct.Struct("<4sIQq32s")
_STATE: Final = struct.Struct(f"<q??{CONSUMER_COUNTERS}q")
_NUMBER: Final = struct.Struct("<q")
_TIMES: Final = struct.Struct("<qqq")
_MARK: Final = struct.Struct("<qq")
_MAGIC: Final = b"hucl"


class ConnectionLostError(HoloflowError):
    """A peer has disappeared in the middle of a stream, or does not belong to this run."""


class UcxHello(NamedTuple):
    """The greeting of each end."""

    number: int
    """Number of the flow."""
    port: int
    """Where UCX listens; 0 from the sending end."""
    run: str


class UcxProgress(NamedTuple):
    """Progress of the receiving end."""

    received: int
    """Number of the newest message after which the next one may come."""
    listening: bool
    """Whether UCX listens."""
    closed: bool
    """Whether it knows that the stream has ended."""
    counters: tuple[int, ...]
    """The consumer's counters."""


class Closed(NamedTuple):
    """The stream has ended."""

    last: int
    """Number of its last message, sent or not."""


class Mark(NamedTuple):
    """The watermark has changed without a message."""

    last: int
    """Number of the newest message, sent or not."""
    watermark: int
    """Number of frames of which nothing more will be sent after `last`."""


class Ask(NamedTuple):
    """The receiving end asks for the time."""

    asked: int
    """When it asked, in ns by its clock."""


class Answer(NamedTuple):
    """The sending end replies with its time."""

    asked: int
    arrived: int
    """When the request arrived, and `left` when the reply left, in ns by its own clock."""
    left: int


ControlFrame: TypeAlias = UcxHello | UcxProgress | Closed | Ask | Answer | Mark


def write(frame: ControlFrame) -> bytes:
    """Return `frame` as bytes."""
    if isinstance(frame, UcxHello):
        run = frame.run.encode()[:32]
        return _KIND.pack(0) + _HELLO.pack(_MAGIC, VERSION, frame.number, frame.port, run)
    if isinstance(frame, UcxProgress):
        flags = frame.listening, frame.closed
        return _KIND.pack(1) + _STATE.pack(frame.received, *flags, *frame.counters)
    if isinstance(frame, Closed):
        return _KIND.pack(2) + _NUMBER.pack(frame.last)
    if isinstance(frame, Ask):
        return _KIND.pack(3) + _NUMBER.pack(frame.asked)
    if isinstance(frame, Mark):
        return _KIND.pack(5) + _MARK.pack(*frame)
    return _KIND.pack(4) + _TIMES.pack(*frame)


_LAYOUTS: Final = (_HELLO, _STATE, _NUMBER, _NUMBER, _TIMES, _MARK)


class Frames:
    """Decodes frames from received bytes, however they are split."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[ControlFrame]:
        """Add received bytes, and yield the frames that are now complete.

        Raises:
            ConnectionLostError: The bytes are invalid.
        """
        self._bytes += data
        while self._bytes:
            kind = self._bytes[0]
            if kind >= len(_LAYOUTS):
                raise ConnectionLostError(
                    "the control connection of a ucx flow has received invalid data"
                )
            layout = _LAYOUTS[kind]
            end = 1 + layout.size
            if len(self._bytes) < end:
                return
            values = layout.unpack(self._bytes[1:end])
            del self._bytes[:end]
            yield _read(kind, values)


def _read(kind: int, values: tuple[int, ...]) -> ControlFrame:
    if kind == 1:
        received, listening, closed, *counters = values
        return UcxProgress(received, bool(listening), bool(closed), tuple(counters))
    if kind == 2:
        return Closed(*values)
    if kind == 3:
        return Ask(*values)
    if kind == 4:
        return Answer(*values)
    if kind == 5:
        return Mark(*values)
    return _read_hello(*values)


def _read_hello(*values: object) -> UcxHello:
    magic, version, number, port, run = values
    assert isinstance(number, int) and isinstance(port, int)  # noqa: PT018, S101 - typing
    assert isinstance(run, bytes)  # noqa: S101 - typing
    if magic != _MAGIC:
        raise ConnectionLostError("the control connection of a ucx flow has received invalid data")
    if version != VERSION:
        raise ConnectionLostError(
            f"the other end uses version {version} of the ucx link, this end version {VERSION}",
            "install the same holoflow on both hosts",
        )
    return UcxHello(number, port, run.rstrip(b"\0").decode(errors="replace"))
