"""What travels on a connection: the parts of each kind of message as bytes, and back.

The first byte of the first part says the kind. `docs/reference/link-protocols.md` has the rest.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from holoflow.link.ends import Buffer
from holoflow.link.wire import BUFFERS
from holoflow.link.zeromq.counts import HALF

HELLO: Final = 1
WELCOME: Final = 2
REFUSED: Final = 3
WAIT: Final = 4
PACK: Final = 5
"""Small messages, one behind the other in one part."""
BULK: Final = 6
"""One message with its head; its buffers are parts of their own."""
STATE: Final = 7
"""How far the sender is."""
COUNTS: Final = 8
"""How far the receiver is."""

SMALL: Final = 8 << 10
"""Bytes of a message up to which it travels in a pack."""
PACKED: Final = 64 << 10
"""Bytes of a pack after which another one is begun."""

LARGEST: Final = 1 << 62
"""No number on the wire is as large."""

_ENTRY: Final = struct.Struct("<QI")
_BULK: Final = struct.Struct("<BQI")
_STATE: Final = struct.Struct("<B?qqqqqqq")
_COUNTS: Final = struct.Struct(f"<B?q{HALF}q")


class Malformed(Exception):  # noqa: N818 - a finding, not a failure of ours
    """A message that none of ours would send."""


class FlowMessage(NamedTuple):
    """A message of a flow, as a link carries it."""

    number: int
    head: bytes | memoryview
    buffers: Sequence[Buffer]
    size: int
    """Bytes of head and buffers."""
    packed: bytes | None = None
    """All of it, as it lies in a pack; then head and buffers are empty."""


@dataclass(frozen=True)
class SenderProgress:
    """How far the sender of a flow is."""

    begun: int
    """Number at which its process began: what came before died with another process."""
    floor: int
    """Number up to which all has been put on this connection that will be."""
    sent: int
    """Number of the newest message."""
    closed: bool
    """Whether nothing more will be sent."""
    watermark: int = 0
    """Of how many frames of the flow's origin nothing more will be sent; of all that was sent up to
    `sent` it speaks."""
    asked: int = 0
    """When the receiver asked for this, by its clock (ns)."""
    heard: int = 0
    """When that came, by the sender's clock."""
    told: int = 0
    """When this was sent, by the sender's clock."""


@dataclass(frozen=True)
class ReceiverProgress:
    """How far the receiver of a flow is."""

    half: list[int]
    """Its half of the row."""
    ended: bool
    """Whether it knows that nothing more will come."""
    asked: int = 0
    """When this was sent, by its clock (ns), if an answer is wanted; else 0."""


def message(number: int, head: bytes, buffers: Sequence[Buffer]) -> FlowMessage:
    """Return a message to be sent: copied where it is small."""
    parts = [head, *map(_bytes, buffers)]
    sizes = list(map(len, parts))
    size = sum(sizes)
    if size > SMALL:
        return FlowMessage(number, head, parts[1:], size)
    packed = b"".join((_ENTRY.pack(number, len(sizes)), _sizes(len(sizes)).pack(*sizes), *parts))
    return FlowMessage(number, b"", (), size, packed)


def pack(entries: Iterable[bytes]) -> bytes:
    """Return the part that carries messages which are packed."""
    return b"\x05" + b"".join(entries)


def unpack(part: bytes) -> Iterator[FlowMessage]:
    """Give the messages of a pack, copied; raises Malformed where it is none."""
    at, end = 1, len(part)
    while at < end:
        try:
            number, count = _ENTRY.unpack_from(part, at)
            if not 1 <= count <= BUFFERS + 1:
                raise Malformed(f"a message of {count} parts")
            at += _ENTRY.size
            sizes = _sizes(count).unpack_from(part, at)
        except struct.error:
            raise Malformed("a pack that breaks off") from None
        at += 4 * count
        parts = []
        for size in sizes:
            parts.append(part[at : at + size])
            at += size
        if at > end:
            raise Malformed("a pack that breaks off")
        yield FlowMessage(_number(number), parts[0], parts[1:], sum(sizes))


def bulk(message: FlowMessage) -> bytes:
    """Return the first part of a message whose buffers follow."""
    return _BULK.pack(BULK, message.number, len(message.buffers)) + message.head


def read_bulk(part: bytes, rest: Sequence[Any]) -> FlowMessage:
    """Return the message of a first part and what followed; raises Malformed."""
    try:
        _, number, count = _BULK.unpack_from(part)
    except struct.error:
        raise Malformed("a message whose first part is too short") from None
    if len(rest) != count or count > BUFFERS:
        raise Malformed(f"a message of {len(rest)} buffers that should be {count}")
    head = memoryview(part)[_BULK.size :]
    size = head.nbytes + sum(view.nbytes for view in rest)
    return FlowMessage(_number(number), head, rest, size)


def state(values: SenderProgress) -> bytes:
    """Return `values` as a part."""
    v = values
    return _STATE.pack(
        STATE, v.closed, v.begun, v.floor, v.sent, v.watermark, v.asked, v.heard, v.told
    )


def read_state(part: bytes) -> SenderProgress:
    """Return what `state` was given; raises Malformed."""
    try:
        _, closed, begun, floor, sent, watermark, asked, heard, told = _STATE.unpack(part)
    except struct.error:
        raise Malformed("a state of the wrong size") from None
    if not (0 <= begun <= sent < LARGEST and 0 <= floor <= sent and closed <= (floor == sent)):
        raise Malformed("a state that contradicts itself")
    if not 0 <= watermark < LARGEST:
        raise Malformed("a state with a watermark beyond all frames")
    return SenderProgress(begun, floor, sent, closed, watermark, asked, heard, told)


def counts(values: ReceiverProgress) -> bytes:
    """Return `values` as a part."""
    return _COUNTS.pack(COUNTS, values.ended, values.asked, *values.half)


def read_counts(part: bytes) -> ReceiverProgress:
    """Return what `counts` was given; raises Malformed."""
    try:
        _, ended, asked, *half = _COUNTS.unpack(part)
    except struct.error:
        raise Malformed("counts of the wrong size") from None
    if any(abs(count) >= LARGEST for count in half):
        raise Malformed("counts beyond all measure")
    return ReceiverProgress(half, ended, asked)


def _bytes(buffer: Buffer) -> memoryview | bytes:
    """Return a view whose length is its size."""
    view = memoryview(buffer)
    return view.cast("B") if view.nbytes else b""  # a shape with a 0 cannot be cast


@functools.lru_cache(BUFFERS + 1)
def _sizes(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def _number(number: int) -> int:
    if not 0 < number < LARGEST:
        raise Malformed(f"a message with the number {number}")
    return number
