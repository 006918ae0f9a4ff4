"""Encoding and decoding of messages: payload, header and trace context."""

from __future__ import annotations

import functools
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from holoflow.core.errors import optional
from holoflow.core.message import Header
from holoflow.link.wire.compression import Encoding
from holoflow.link.wire.reading import Make, Reader
from holoflow.link.wire.types import HEAD, ITEMS, VALUES, Types, WireError
from holoflow.link.wire.writing import Writer, inside
from holoflow.stats import spans
from holoflow.stats.spans import TraceContext

VERSION: Final = 3
MAGIC: Final = b"holo"
PREFIX: Final = struct.Struct("<4sHHIqqQq")
"""Start of a head: magic, version, number of times, bytes of the origin, when the sender began and
finished encoding (ns of its monotonic clock), sequence and timestamp. Little-endian, 44 bytes. The
times of the spans follow, then the origin and the payload, each as msgpack."""

_FIRST: Final = MAGIC + VERSION.to_bytes(2, "little")
_NONE_OF_THE_USERS = Types.of(())
_ANY_TEXT: Final = "surrogatepass"
"""Error handler of strings: file names that are not valid Unicode contain lone surrogates."""
_TIMES: Final = 1 << 16
_NO_METADATA: Final = Header(0, 0, "").metadata


class Decoded(NamedTuple):
    """A decoded message."""

    payload: Any
    header: Header
    descriptors: spans.PathDescriptors
    """The paths of its frame; the same list object until they change."""
    times: tuple[int, ...]
    """Start and end of each span, in ns of the sender's monotonic clock."""
    began: int
    """When the sender began to encode the message, in ns of its monotonic clock."""
    sent: int
    """When it had encoded the message."""


class Encoder:
    """Encodes the messages of one flow, in one thread."""

    def __init__(
        self,
        encoding: Encoding = Encoding(),  # noqa: B008 - immutable
        types: Types = _NONE_OF_THE_USERS,
    ) -> None:
        """Encode payloads of `types`, with their buffers compressed according to `encoding`."""
        self._types = types
        self._writer = Writer(types, encoding)
        self._pack = _packer()
        self._origin = b""
        self._of: tuple[Any, ...] = ()
        """Source and nodes for which `_origin` was written, the last time without metadata."""

    def encode(
        self, payload: Any, header: Header, trace: TraceContext = ()
    ) -> tuple[bytes, list[memoryview]]:
        """Return a message as head and buffers.

        Buffers of contiguous, uncompressed arrays are views of these arrays, which must not be
        written to before the buffers have been sent.

        Raises:
            WireError: Something cannot be sent, for instance a dataclass that is not among the
                types, or a limit is exceeded.
        """
        began = time.monotonic_ns()
        writer = self._writer
        writer.begin()
        place = "metadata"
        try:
            metadata = writer.write(dict(header.metadata)) if header.metadata else {}
            place = "payload"
            written = writer.write(payload)
        except WireError as error:
            placed = inside(place, error)
            wrong = f"a message of {header.source}: {placed.wrong}"
            raise WireError(wrong, placed.right) from error.__cause__
        of = (header.source, *[span_[1] for span_ in trace])
        times = spans.to_times(trace)
        try:
            if metadata or of != self._of:
                self._origin = self._pack([header.source, metadata, spans.to_descriptors(trace)])
                self._of = () if metadata else of
            body = self._pack(written)
            origin = self._origin
            head = _beginning(len(times)).pack(
                MAGIC, VERSION, len(times), len(origin), began, time.monotonic_ns(),
                header.sequence, header.timestamp, *times,
            ) + origin + body  # fmt: skip
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            self._pack = _packer()  # the old one may hold part of the message
            raise WireError(f"a message of {header.source} cannot be encoded: {error}") from error
        if len(head) > HEAD:
            raise WireError(
                f"a message of {header.source} has more than {HEAD} bytes besides its arrays",
                "put numbers into arrays, and send long text as bytes",
            )
        if len(head) > VALUES:  # otherwise it cannot have too many: each takes at least a byte
            self._check(header.source, _unpack(origin)[1], _unpack(body))
        buffers, writer.buffers = writer.buffers, []  # else they would live until the next message
        return head, buffers

    def _check(self, source: str, *written: Any) -> None:
        """Raise WireError for what the receiver would refuse."""
        try:
            for values in written:
                Reader(self._types).read(values)
        except WireError as error:
            raise WireError(f"a message of {source}: {error.wrong}", error.right) from None


class Decoder:
    """Decodes the messages of one flow, in one thread.

    Origin and payload are parsed again only if their bytes differ from those of the last message.
    """

    def __init__(self, types: Types = _NONE_OF_THE_USERS) -> None:
        """Decode payloads of `types`."""
        self._types = types
        self._origin: bytes | None = None
        self._body: bytes | None = None
        self._source = ""
        self._descriptors: spans.PathDescriptors = []
        self._metadata: Make | None = None
        self._in_metadata = self._in_payload = 0
        """Number of buffers of each."""
        self._payload: Make = _nothing

    def decode(self, head: Any, buffers: Sequence[Any]) -> Decoded:
        """Return the message that consists of `head` and `buffers`.

        Both are objects with the buffer protocol, and neither is trusted. Arrays of the result are
        read-only views of the buffers, which they keep alive, or copies if a buffer is compressed
        or misaligned.

        Raises:
            WireError: This is not a message that an `Encoder` returns.
        """
        if type(head) is not bytes:
            head = bytes(head)
        if head[:6] != _FIRST or not PREFIX.size <= len(head) <= HEAD:
            raise _refusal(head)
        _, _, count, size, began, sent, sequence, timestamp = PREFIX.unpack_from(head)
        at = PREFIX.size + 8 * count
        if at + size > len(head):
            raise WireError("a head is truncated")
        times = _numbers(count).unpack_from(head, PREFIX.size)
        origin, body = head[at : at + size], head[at + size :]
        if origin != self._origin:
            self._parse_origin(origin)
        if body != self._body:
            self._parse_payload(body)
        if len(buffers) != self._in_metadata + self._in_payload:
            raise WireError(
                f"a message has {len(buffers)} buffers, but its head names "
                f"{self._in_metadata + self._in_payload}"
            )
        left = iter(buffers)
        metadata = self._metadata
        header = (
            Header(sequence, timestamp, self._source, _NO_METADATA)
            if metadata is None
            else Header(sequence, timestamp, self._source, metadata(left))
        )
        return Decoded(self._payload(left), header, self._descriptors, times, began, sent)

    def _parse_origin(self, origin: bytes) -> None:
        self._origin = None
        values = _unpack(origin)
        if type(values) is not list or len(values) != 3:
            raise WireError("an origin must have three values")
        source, metadata, descriptors = values
        if type(source) is not str:
            raise WireError("a source must be a string")
        if type(metadata) is not dict:
            raise WireError("metadata must be a mapping")
        if type(descriptors) is not list:
            raise WireError("paths must be a list")
        reader = Reader(self._types)
        self._metadata = reader.read(metadata) if metadata else None
        self._in_metadata = reader.buffers
        self._source, self._descriptors = source, descriptors
        self._origin = origin

    def _parse_payload(self, body: bytes) -> None:
        self._body = None
        reader = Reader(self._types)
        self._payload = reader.read(_unpack(body))
        self._in_payload = reader.buffers
        self._body = body


def _refusal(head: bytes) -> WireError:
    """Return the reason why `head` is not the head of a message."""
    version = int.from_bytes(head[4:6], "little")
    if head[:4] == MAGIC and len(head) >= 6 and version != VERSION:
        return WireError(
            f"a message has version {version} of the wire format, this is version {VERSION}",
            "run the same holoflow on all hosts",
        )
    if PREFIX.size <= len(head) <= HEAD:
        return WireError("this is not a message of holoflow")
    return WireError(f"a head has {len(head)} bytes", f"{PREFIX.size} to {HEAD} are expected")


@functools.cache
def _msgpack() -> Any:
    return optional("msgpack", "zeromq")


def _packer() -> Callable[[Any], bytes]:
    pack: Callable[[Any], bytes] = _msgpack().Packer(unicode_errors=_ANY_TEXT).pack
    return pack


@functools.lru_cache(256)
def _beginning(times: int) -> struct.Struct:
    """Return the layout of the start of a head with so many times."""
    if times >= _TIMES:
        raise ValueError(f"its frame has {times // 2} spans")
    return struct.Struct(PREFIX.format + "q" * times)


@functools.lru_cache(256)
def _numbers(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}q")


def _unpack(data: bytes) -> Any:
    msgpack = _msgpack()
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            unicode_errors=_ANY_TEXT,
            strict_map_key=True,
            max_str_len=HEAD,
            max_bin_len=HEAD,
            max_array_len=ITEMS + 1,  # the first says what the others are
            max_map_len=ITEMS,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise WireError(f"a head is not valid msgpack: {error!s:.200}") from None


def _nothing(_: Any) -> None:
    """Make what no message has said yet."""
