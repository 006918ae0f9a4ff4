"""Messages of one flow, written and read alone, and heads put together by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack
import pytest

from holoflow.core.message import Header
from holoflow.link.wire import (
    PREFIX,
    VERSION,
    Decoded,
    Decoder,
    Encoder,
    Encoding,
    Types,
    WireError,
)
from holoflow.stats.spans import TraceContext

NO_TYPES = Types.of([])


def encode(
    payload: Any,
    header: Header,
    trace: TraceContext = (),
    encoding: Encoding = Encoding(),  # noqa: B008 - immutable
    types: Types = NO_TYPES,
) -> tuple[bytes, list[Any]]:
    """Return the head and buffers of a message that is the first of its flow."""
    return Encoder(encoding, types).encode(payload, header, trace)


def decode(head: Any, buffers: Sequence[Any], types: Types = NO_TYPES) -> Decoded:
    """Return a message as one reads it who has just read the same one; raises WireError."""
    decoder = Decoder(types)
    try:
        decoder.decode(head, buffers)
    except WireError as error:
        with pytest.raises(WireError) as again:
            decoder.decode(head, buffers)
        if str(again.value) != str(error):
            raise AssertionError(f"the second time it is: {again.value}") from error
        raise
    return decoder.decode(head, buffers)


def join(
    origin: Any, payload: Any, *, times: Sequence[int] = (), sequence: int = 0, timestamp: int = 1,
    version: int = VERSION, magic: bytes = b"holo", size: int | None = None,
) -> bytes:  # fmt: skip
    """Return a head; `origin` and `payload` are values for msgpack, or bytes as they are."""
    first = origin if type(origin) is bytes else msgpack.packb(origin)
    second = payload if type(payload) is bytes else msgpack.packb(payload)
    size = len(first) if size is None else size
    prefix = PREFIX.pack(magic, version, len(times), size, 5, 6, sequence, timestamp)
    return prefix + b"".join(t.to_bytes(8, "little", signed=True) for t in times) + first + second


def split(head: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what lies before the origin, the origin and the payload."""
    count, size = PREFIX.unpack_from(head)[2:4]
    at = PREFIX.size + 8 * count
    return head[:at], head[at : at + size], head[at + size :]


def head(payload: Any, **fields: Any) -> bytes:
    """Return the head of a message of a camera's, whose payload was written by hand."""
    return join(["camera", {}, []], payload, **fields)
