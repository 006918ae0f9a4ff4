"""Messages on the wire: payload, header and tracks together."""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from holoflow.extras import optional
from holoflow.flow import carry
from holoflow.link.wire.compression import Encoding
from holoflow.link.wire.limits import HEAD, ITEMS, WireError
from holoflow.link.wire.reading import Reader
from holoflow.link.wire.types import Types
from holoflow.link.wire.writing import Writer, inside
from holoflow.message import Header

VERSION: Final = 1
MAGIC: Final = b"holo"
PREFIX: Final = struct.Struct("<4sHHqq")
"""What a head begins with, before its msgpack: magic, version, 0, and when the sender began and
ended to encode, in nanoseconds of its monotonic clock. Little-endian, 24 bytes."""

_PLAIN = frozenset({bool, int, str})
_NONE_OF_THE_USERS = Types.of(())


class Decoded(NamedTuple):
    """A message that has come."""

    payload: Any
    header: Header
    tracks: carry.Plain
    began: int
    """When the sender began to encode, in nanoseconds of its monotonic clock."""
    sent: int
    """When it had ended."""


def encode(
    payload: Any,
    header: Header,
    tracks: carry.Plain,
    encoding: Encoding = Encoding(),  # noqa: B008 - immutable
    types: Types = _NONE_OF_THE_USERS,
) -> tuple[bytes, list[memoryview]]:
    """Return a message as head and buffers.

    Buffers are views of the arrays where these lie in one piece and are not compressed; nobody
    may write to them until they have been sent. Raises WireError for what cannot travel, a
    dataclass that is not among `types` for instance, and where a limit is passed.
    """
    began = time.monotonic_ns()
    writer = Writer(types, encoding)
    place = "metadata"
    try:
        metadata = writer.write(dict(header.metadata)) if header.metadata else {}
        place = "payload"
        written = writer.write(payload)
    except WireError as error:
        told = inside(place, error)
        raise WireError(f"a message of {header.source}: {told}") from error.__cause__
    values = [header.sequence, header.timestamp, header.source, metadata, tracks, written]
    try:
        body: bytes = _msgpack().packb(values)
    except (ValueError, TypeError, OverflowError) as error:  # text that is no Unicode, mostly
        raise WireError(f"a message of {header.source} cannot be written: {error}") from error
    if PREFIX.size + len(body) > HEAD:
        raise WireError(
            f"a message of {header.source} has more than {HEAD} bytes besides its arrays; "
            "put numbers into arrays, and send long text as bytes"
        )
    return PREFIX.pack(MAGIC, VERSION, 0, began, time.monotonic_ns()) + body, writer.buffers


@functools.cache
def _msgpack() -> Any:
    return optional("msgpack", "zeromq")


def decode(head: Any, buffers: Sequence[Any], types: Types) -> Decoded:
    """Return the message of `head` and `buffers`, objects with the buffer protocol.

    Arrays are read-only views of the buffers, which they keep alive; copies where a buffer is
    compressed or misaligned. Raises WireError for whatever `encode` does not give.
    """
    began, sent, values = _unpack(memoryview(head))
    if type(values) is not list or len(values) != 6:
        raise WireError("a head has six values")
    sequence, timestamp, source, metadata, tracks, payload = values
    if not (type(sequence) is type(timestamp) is int and type(source) is str):
        raise WireError("a header is a number, a time and the name of a source")
    if type(metadata) is not dict:
        raise WireError("metadata are a mapping")
    _check(tracks)
    reader = Reader(types, buffers)
    header = Header(sequence, timestamp, source, reader.read(metadata) if metadata else metadata)
    decoded = Decoded(reader.read(payload), header, tracks, began, sent)
    reader.finish()
    return decoded


def _unpack(head: memoryview) -> tuple[int, int, Any]:
    if not PREFIX.size <= head.nbytes <= HEAD:
        raise WireError(f"a head has {head.nbytes} bytes; {PREFIX.size} to {HEAD} are right")
    magic, version, reserved, began, sent = PREFIX.unpack_from(head)
    if magic != MAGIC:
        raise WireError("this is no message of holoflow")
    if version != VERSION or reserved:
        raise WireError(
            f"a message has version {version} of the wire format, this is version {VERSION}; "
            "run the same holoflow on all hosts"
        )
    msgpack = _msgpack()
    try:
        values = msgpack.unpackb(
            head[PREFIX.size :],
            raw=False,
            strict_map_key=True,
            max_str_len=HEAD,
            max_bin_len=HEAD,
            max_array_len=ITEMS + 1,  # one says what the others are
            max_map_len=ITEMS,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise WireError(f"a head is no msgpack: {error!s:.200}") from None
    return began, sent, values


def _check(tracks: Any) -> None:
    """Refuse what is not of the shape of tracks; `carry.from_plain` looks at the values."""
    if type(tracks) is list:
        for way in tracks:
            if type(way) is not list:
                break
            for hop in way:
                if type(hop) is not list or not _PLAIN.issuperset(map(type, hop)):
                    break
            else:
                continue
            break
        else:
            return
    raise WireError("tracks are lists of ways, these of hops, these of strings and integers")
