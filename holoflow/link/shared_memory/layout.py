"""How a message lies in a sample of shared memory.

    prefix                 magic, version, sender, for each flow its number, where the tail is
    buffers                each at a multiple of 64 bytes
    tail                   where each buffer is, then the head

All integers are little-endian; all places count from the start of the prefix, which is the first
multiple of 64 bytes in the sample. Since the prefix has the same size for all messages of an
outlet, a loaned array can lie where the first buffer begins before anything else is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from holoflow.errors import HoloflowError

MAGIC: Final = b"hfsm"
VERSION: Final = 1
ALIGNMENT: Final = 64
"""Bytes of a line of the cache: arrays begin at multiples."""

_PREFIX = struct.Struct("<4sHHqQQQ")
_FLOW = struct.Struct("<qq")
_BUFFER = struct.Struct("<QQ")


def aligned(address: int) -> int:
    """Return the first multiple of 64 from `address` on."""
    return -(-address // ALIGNMENT) * ALIGNMENT


def prefix_size(flows: int) -> int:
    """Return where the first buffer of a message to `flows` flows begins."""
    return aligned(_PREFIX.size + flows * _FLOW.size)


def tail_size(buffers: int, head: int) -> int:
    """Return the bytes behind the buffers of a message, whose head has `head` bytes."""
    return buffers * _BUFFER.size + head


def place(sizes: Iterable[int], at: int) -> tuple[list[tuple[int, int]], int]:
    """Return (place, size) of buffers of `sizes` bytes from `at` on, and where the tail begins."""
    places = []
    for size in sizes:
        at = aligned(at)
        places.append((at, size))
        at += size
    return places, aligned(at)


def pack_prefix(
    sender: int, flows: Iterable[tuple[int, int]], tail: int, buffers: int, head: int
) -> bytes:
    """Return a prefix: `flows` are (number of the flow, number of the message or 0).

    `tail` is its place, `buffers` a count, `head` bytes; `sender` grows with each start of the
    sending process.
    """
    pairs = list(flows)
    packed = [_FLOW.pack(*pair) for pair in pairs]
    return b"".join(
        [_PREFIX.pack(MAGIC, VERSION, len(pairs), sender, tail, buffers, head), *packed]
    )


def pack_tail(places: Iterable[tuple[int, int]], head: bytes) -> bytes:
    """Return what lies behind the buffers."""
    return b"".join([*(_BUFFER.pack(*pair) for pair in places), head])


@dataclass(frozen=True, slots=True)
class Found:
    """A message in a sample."""

    sender: int
    number: int
    """Of the message in its flow; 0 where it is not meant for it."""
    head: bytes
    places: Sequence[tuple[int, int]]
    """(place, size) of each buffer."""


def read(memory: Any, flow: int) -> Found:
    """Return what the bytes of a sample say to `flow`.

    Raises HoloflowError where they are none of this version, or reach beyond the sample.
    """
    view = memoryview(memory)
    try:
        magic, version, flows, sender, tail, buffers, size = _PREFIX.unpack_from(view)
        if magic != MAGIC or version != VERSION:
            raise HoloflowError(
                f"a sample of shared memory has {magic!r}, version {version}, not {MAGIC!r}, "
                f"version {VERSION}; run the same holoflow in all fragments"
            )
        number = 0
        for index in range(flows):
            which, its = _FLOW.unpack_from(view, _PREFIX.size + index * _FLOW.size)
            if which == flow:
                number = its
    except struct.error:
        raise HoloflowError("a sample of shared memory is too short for its message") from None
    begin = tail + buffers * _BUFFER.size
    places = []
    if begin + size <= len(view):
        places = [_BUFFER.unpack_from(view, tail + i * _BUFFER.size) for i in range(buffers)]
    if begin + size > len(view) or any(at + length > len(view) for at, length in places):
        raise HoloflowError("a message reaches beyond its sample of shared memory")
    return Found(sender, number, bytes(view[begin : begin + size]), places)
