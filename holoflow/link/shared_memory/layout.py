"""Layout of a message in a sample of shared memory.

    prefix                 magic, version, sender, message numbers by flow, offset of the tail
    buffers                each at a multiple of 64 bytes
    tail                   offset and size of each buffer, then the head

All integers are little-endian; offsets are relative to the start of the prefix, which is the first
multiple of 64 bytes in the sample. Since the prefix has the same size for all messages of an
outlet, a loaned array can be placed at the first buffer before anything else is known.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from holoflow.core.errors import HoloflowError

MAGIC: Final = b"hfsm"
VERSION: Final = 1
ALIGNMENT: Final = 64
"""Bytes of a cache line: arrays start at multiples of it."""

_PREFIX = struct.Struct("<4sHHqQQQ")
_FLOW = struct.Struct("<qq")
_BUFFER = struct.Struct("<QQ")


def aligned(address: int) -> int:
    """Return `address` rounded up to a multiple of 64."""
    return -(-address // ALIGNMENT) * ALIGNMENT


def prefix_size(flows: int) -> int:
    """Return the offset of the first buffer of a message to `flows` flows."""
    return aligned(_PREFIX.size + flows * _FLOW.size)


def tail_size(buffers: int, head: int) -> int:
    """Return the size in bytes of the tail of a message whose head has `head` bytes."""
    return buffers * _BUFFER.size + head


def place(sizes: Iterable[int], at: int) -> tuple[list[tuple[int, int]], int]:
    """Return (offset, size) of buffers of `sizes` bytes from `at` on, and the tail's offset."""
    places = []
    for size in sizes:
        at = aligned(at)
        places.append((at, size))
        at += size
    return places, aligned(at)


def write(
    memory: memoryview,
    sender: int,
    flows: Sequence[int],
    places: Sequence[tuple[int, int]],
    tail: int,
    head: bytes,
) -> None:
    """Write the prefix and the tail of a message into `memory`.

    Args:
        memory: The sample, from the start of the prefix.
        sender: Identifies the sending process; grows with each start.
        flows: For each flow its number and that of its message, or 0, alternating.
        places: (offset, size) of each buffer.
        tail: Offset of the tail.
        head: Head of the message.
    """
    count = len(flows) // 2
    _whole_prefix(count).pack_into(
        memory, 0, MAGIC, VERSION, count, sender, tail, len(places), len(head), *flows
    )
    for place, size in places:
        _BUFFER.pack_into(memory, tail, place, size)
        tail += _BUFFER.size
    memory[tail : tail + len(head)] = head


@functools.cache
def _whole_prefix(flows: int) -> struct.Struct:
    return struct.Struct(_PREFIX.format + flows * "qq")


class Found(NamedTuple):
    """A message in a sample."""

    sender: int
    number: int
    """Number of the message in its flow; 0 if it is not for this flow."""
    head: bytes
    places: Sequence[tuple[int, int]]
    """(offset, size) of each buffer."""


def read(memory: Any, flow: int) -> Found:
    """Return the message in the bytes of a sample, as seen by the flow numbered `flow`.

    Raises:
        HoloflowError: The bytes are not of this version, or refer beyond the sample.
    """
    view = memoryview(memory)
    length = len(view)
    try:
        magic, version, flows, sender, tail, buffers, size = _PREFIX.unpack_from(view)
        if magic != MAGIC or version != VERSION:
            raise HoloflowError(
                f"a sample of shared memory has {magic!r}, version {version}, not {MAGIC!r}, "
                f"version {VERSION}",
                "run the same holoflow in all fragments",
            )
        numbers = _pairs("q", flows).unpack_from(view, _PREFIX.size)
    except struct.error:
        raise HoloflowError("a sample of shared memory is too short for its message") from None
    begin = tail + buffers * _BUFFER.size
    places: list[tuple[int, int]] = []
    inside = begin + size <= length
    if inside:
        lying = _pairs("Q", buffers).unpack_from(view, tail)
        places = list(zip(lying[::2], lying[1::2], strict=True))
        for place in places:
            inside = inside and sum(place) <= length
    if not inside:
        raise HoloflowError("a message reaches beyond its sample of shared memory")
    if flows == 1:  # the common case
        number = numbers[1] if numbers[0] == flow else 0
    else:
        number = dict(zip(numbers[::2], numbers[1::2], strict=True)).get(flow, 0)
    return Found(sender, number, bytes(view[begin : begin + size]), places)


@functools.lru_cache(256)
def _pairs(kind: str, count: int) -> struct.Struct:
    return struct.Struct("<" + 2 * count * kind)
