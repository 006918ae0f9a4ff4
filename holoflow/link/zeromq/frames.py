"""Encoding and decoding of what is sent on a connection: the parts of each kind of message.

The first byte of the first part is the kind. `docs/reference/link-protocols.md` has the rest.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from holoflow.link.ends import Buffer
from holoflow.link.wire import BUFFERS
from holoflow.stats.counters import CONSUMER_COUNTERS

HELLO: Final = 1
WELCOME: Final = 2
REFUSED: Final = 3
WAIT: Final = 4
PACK: Final = 5
"""Small messages, concatenated in one part."""
BULK: Final = 6
"""One message with its head; its buffers are parts of their own."""
STATE: Final = 7
"""The sender's progress."""
COUNTS: Final = 8
"""The receiver's progress."""

SMALL: Final = 8 << 10
"""Bytes up to which a message is sent in a pack."""
PACKED: Final = 64 << 10
"""Bytes after which a new pack is started."""

LARGEST: Final = 1 << 62
"""All numbers on the wire are below this."""

_ENTRY: Final = struct.Struct("<QI")
_BULK: Final = struct.Struct("<BQI")
_STATE: Final = struct.Struct("<B?qqqqqqq")
_COUNTS: Final = struct.Struct(f"<B?q{CONSUMER_COUNTERS}q")


class Malformed(Exception):  # noqa: N818 - a finding, not a failure of ours
    """A message that violates the protocol."""


class FlowMessage(NamedTuple):
    """A message of a flow, as a link carries it."""

    number: int
    head: bytes | memoryview
    buffers: Sequence[Buffer]
    size: int
    """Bytes of head and buffers."""
    packed: bytes | None = None
    """The whole message as encoded in a pack; then head and buffers are empty."""


@dataclass(frozen=True)
class SenderProgress:
    """Progress of the sender of a flow."""

    begun: int
    """Number at which its process started: earlier messages died with another process."""
    floor: int
    """Number up to which everything that will be sent has been sent on this connection."""
    sent: int
    """Number of the newest message."""
    closed: bool
    """Whether nothing more will be sent."""
    watermark: int = 0
    """Number of frames of the flow's origin of which nothing more will be sent after `sent`."""
    asked: int = 0
    """When the receiver requested this, in ns by its clock."""
    arrived: int = 0
    """When the request arrived, in ns by the sender's clock."""
    replied: int = 0
    """When this was sent, in ns by the sender's clock."""


@dataclass(frozen=True)
class ReceiverProgress:
    """Progress of the receiver of a flow."""

    counters: list[int]
    """The consumer's counters."""
    ended: bool
    """Whether it knows that nothing more will come."""
    asked: int = 0
    """When this was sent, in ns by its clock, if a reply is wanted; else 0."""


def message(number: int, head: bytes, buffers: Sequence[Buffer]) -> FlowMessage:
    """Return a message to be sent; a small one is copied."""
    parts = [head, *map(_bytes, buffers)]
    sizes = list(map(len, parts))
    size = sum(sizes)
    if size > SMALL:
        return FlowMessage(number, head, parts[1:], size)
    packed = b"".join((_ENTRY.pack(number, len(sizes)), _sizes(len(sizes)).pack(*sizes), *parts))
    return FlowMessage(number, b"", (), size, packed)


def pack(entries: Iterable[bytes]) -> bytes:
    """Return the part that carries packed messages."""
    return b"\x05" + b"".join(entries)


def gathered(messages: Iterable[FlowMessage]) -> Iterator[tuple[bytes, Sequence[Buffer]]]:
    """Yield the parts to send for `messages`, in order: a first part, and buffers that follow.

    Successive small messages are packed together.
    """
    small: list[bytes] = []
    size = 0
    for message in messages:
        if message.packed is not None:
            small.append(message.packed)
            size += len(message.packed)
        if small and (message.packed is None or size > PACKED):
            yield pack(small), ()
            small, size = [], 0
        if message.packed is None:
            yield bulk(message), message.buffers
    if small:
        yield pack(small), ()


def unpack(part: bytes) -> Iterator[FlowMessage]:
    """Yield copies of the messages in a pack; raise Malformed if it is invalid."""
    at, end = 1, len(part)
    while at < end:
        try:
            number, count = _ENTRY.unpack_from(part, at)
            if not 1 <= count <= BUFFERS + 1:
                raise Malformed(f"a message of {count} parts")
            at += _ENTRY.size
            sizes = _sizes(count).unpack_from(part, at)
        except struct.error:
            raise Malformed("a truncated pack") from None
        at += 4 * count
        parts = []
        for size in sizes:
            parts.append(part[at : at + size])
            at += size
        if at > end:
            raise Malformed("a truncated pack")
        yield FlowMessage(_number(number), parts[0], parts[1:], sum(sizes))


def bulk(message: FlowMessage) -> bytes:
    """Return the first part of a message whose buffers follow."""
    return _BULK.pack(BULK, message.number, len(message.buffers)) + message.head


def read_bulk(part: bytes, rest: Sequence[Any]) -> FlowMessage:
    """Return the message of a first part and the following ones; raise Malformed if invalid."""
    try:
        _, number, count = _BULK.unpack_from(part)
    except struct.error:
        raise Malformed("a message whose first part is too short") from None
    if len(rest) != count or count > BUFFERS:
        raise Malformed(f"a message of {len(rest)} buffers instead of {count}")
    head = memoryview(part)[_BULK.size :]
    size = head.nbytes + sum(view.nbytes for view in rest)
    return FlowMessage(_number(number), head, rest, size)


def state(values: SenderProgress) -> bytes:
    """Return `values` as a part."""
    v = values
    return _STATE.pack(
        STATE, v.closed, v.begun, v.floor, v.sent, v.watermark, v.asked, v.arrived, v.replied
    )


def read_state(part: bytes) -> SenderProgress:
    """Decode what `state` has encoded; raise Malformed if it is invalid."""
    try:
        _, closed, begun, floor, sent, watermark, asked, arrived, replied = _STATE.unpack(part)
    except struct.error:
        raise Malformed("a state of the wrong size") from None
    if not (0 <= begun <= sent < LARGEST and 0 <= floor <= sent and closed <= (floor == sent)):
        raise Malformed("a state that contradicts itself")
    if not 0 <= watermark < LARGEST:
        raise Malformed("a state with a watermark out of range")
    return SenderProgress(begun, floor, sent, closed, watermark, asked, arrived, replied)


def counts(values: ReceiverProgress) -> bytes:
    """Return `values` as a part."""
    return _COUNTS.pack(COUNTS, values.ended, values.asked, *values.counters)


def read_counts(part: bytes) -> ReceiverProgress:
    """Decode what `counts` has encoded; raise Malformed if it is invalid."""
    try:
        _, ended, asked, *counters = _COUNTS.unpack(part)
    except struct.error:
        raise Malformed("counts of the wrong size") from None
    if any(abs(count) >= LARGEST for count in counters):
        raise Malformed("counts out of range")
    return ReceiverProgress(counters, ended, asked)


def _bytes(buffer: Buffer) -> memoryview | bytes:
    """Return a view whose length is its size in bytes."""
    view = memoryview(buffer)
    return view.cast("B") if view.nbytes else b""  # a shape with a 0 cannot be cast


@functools.lru_cache(BUFFERS + 1)
def _sizes(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def _number(number: int) -> int:
    if not 0 < number < LARGEST:
        raise Malformed(f"a message with the number {number}")
    return number
