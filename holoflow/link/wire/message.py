"""Messages on the wire: payload, header and tracks together."""

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
"""What a head begins with: magic, version, count of times, bytes of the origin, when the sender
began and ended to encode, in nanoseconds of its monotonic clock, sequence and timestamp.
Little-endian, 44 bytes. The times of the hops follow, then the origin and the payload, each as
msgpack."""

_FIRST: Final = MAGIC + VERSION.to_bytes(2, "little")
_NONE_OF_THE_USERS = Types.of(())
_ANY_TEXT: Final = "surrogatepass"
"""How text with lone surrogates travels: names of files that are no Unicode have some."""
_TIMES: Final = 1 << 16
_NO_METADATA: Final = Header(0, 0, "").metadata


class Decoded(NamedTuple):
    """A message that has come."""

    payload: Any
    header: Header
    descriptors: spans.PathDescriptors
    """Where its frame has been; the same list as long as nothing of it changes."""
    times: tuple[int, ...]
    """When, in nanoseconds of the sender's monotonic clock."""
    began: int
    """When the sender began to encode, in nanoseconds of its monotonic clock."""
    sent: int
    """When it had ended."""


class Encoder:
    """Writes the messages of one flow, from one thread."""

    def __init__(
        self,
        encoding: Encoding = Encoding(),  # noqa: B008 - immutable
        types: Types = _NONE_OF_THE_USERS,
    ) -> None:
        """Write payloads of `types`, their buffers as `encoding` says."""
        self._types = types
        self._writer = Writer(types, encoding)
        self._pack = _packer()
        self._origin = b""
        self._of: tuple[Any, ...] = ()
        """Source and nodes that the origin was written of, the last time without metadata."""

    def encode(
        self, payload: Any, header: Header, trace: TraceContext = ()
    ) -> tuple[bytes, list[memoryview]]:
        """Return a message as head and buffers.

        Buffers are views of the arrays where these lie in one piece and are not compressed;
        nobody may write to them until they have been sent. Raises WireError for what cannot
        travel, a dataclass that is not among the types for instance, and where a limit is passed.
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
            told = inside(place, error)
            wrong = f"a message of {header.source}: {told.wrong}"
            raise WireError(wrong, told.right) from error.__cause__
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
            self._pack = _packer()  # it may have begun to write
            raise WireError(f"a message of {header.source} cannot be written: {error}") from error
        if len(head) > HEAD:
            raise WireError(
                f"a message of {header.source} has more than {HEAD} bytes besides its arrays",
                "put numbers into arrays, and send long text as bytes",
            )
        if len(head) > VALUES:  # only then can it have as many: each takes a byte at least
            self._check(header.source, _unpack(origin)[1], _unpack(body))
        buffers, writer.buffers = writer.buffers, []  # or they would live until the next message
        return head, buffers

    def _check(self, source: str, *written: Any) -> None:
        """Refuse what its receiver would."""
        try:
            for values in written:
                Reader(self._types).read(values)
        except WireError as error:
            raise WireError(f"a message of {source}: {error.wrong}", error.right) from None


class Decoder:
    """Reads the messages of one flow, from one thread.

    What is written in the same way as in the message before is not looked at again.
    """

    def __init__(self, types: Types = _NONE_OF_THE_USERS) -> None:
        """Read payloads of `types`."""
        self._types = types
        self._origin: bytes | None = None
        self._body: bytes | None = None
        self._source = ""
        self._descriptors: spans.PathDescriptors = []
        self._metadata: Make | None = None
        self._in_metadata = self._in_payload = 0
        """How many buffers they have."""
        self._payload: Make = _nothing

    def decode(self, head: Any, buffers: Sequence[Any]) -> Decoded:
        """Return the message of `head` and `buffers`, objects with the buffer protocol.

        Arrays are read-only views of the buffers, which they keep alive; copies where a buffer
        is compressed or misaligned. Raises WireError for whatever an encoder does not give.
        """
        if type(head) is not bytes:
            head = bytes(head)
        if head[:6] != _FIRST or not PREFIX.size <= len(head) <= HEAD:
            raise _stranger(head)
        _, _, count, size, began, sent, sequence, timestamp = PREFIX.unpack_from(head)
        at = PREFIX.size + 8 * count
        if at + size > len(head):
            raise WireError("a head breaks off")
        times = _numbers(count).unpack_from(head, PREFIX.size)
        origin, body = head[at : at + size], head[at + size :]
        if origin != self._origin:
            self._learn_origin(origin)
        if body != self._body:
            self._learn_payload(body)
        if len(buffers) != self._in_metadata + self._in_payload:
            raise WireError(
                f"a message has {len(buffers)} buffers where its head names "
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

    def _learn_origin(self, origin: bytes) -> None:
        self._origin = None
        values = _unpack(origin)
        if type(values) is not list or len(values) != 3:
            raise WireError("an origin has three values")
        source, metadata, descriptors = values
        if type(source) is not str:
            raise WireError("a source is a name")
        if type(metadata) is not dict:
            raise WireError("metadata are a mapping")
        if type(descriptors) is not list:
            raise WireError("tracks are lists of descriptors")
        reader = Reader(self._types)
        self._metadata = reader.read(metadata) if metadata else None
        self._in_metadata = reader.buffers
        self._source, self._descriptors = source, descriptors
        self._origin = origin

    def _learn_payload(self, body: bytes) -> None:
        self._body = None
        reader = Reader(self._types)
        self._payload = reader.read(_unpack(body))
        self._in_payload = reader.buffers
        self._body = body


def _stranger(head: bytes) -> WireError:
    """Return why `head` is none."""
    version = int.from_bytes(head[4:6], "little")
    if head[:4] == MAGIC and len(head) >= 6 and version != VERSION:
        return WireError(
            f"a message has version {version} of the wire format, this is version {VERSION}",
            "run the same holoflow on all hosts",
        )
    if PREFIX.size <= len(head) <= HEAD:
        return WireError("this is no message of holoflow")
    return WireError(f"a head has {len(head)} bytes", f"{PREFIX.size} to {HEAD} are right")


@functools.cache
def _msgpack() -> Any:
    return optional("msgpack", "zeromq")


def _packer() -> Callable[[Any], bytes]:
    pack: Callable[[Any], bytes] = _msgpack().Packer(unicode_errors=_ANY_TEXT).pack
    return pack


@functools.lru_cache(256)
def _beginning(times: int) -> struct.Struct:
    """Return the beginning of a head with so many times."""
    if times >= _TIMES:
        raise ValueError(f"its frame has made {times // 2} hops")
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
            max_array_len=ITEMS + 1,  # one says what the others are
            max_map_len=ITEMS,
            max_ext_len=0,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise WireError(f"a head is no msgpack: {error!s:.200}") from None


def _nothing(_: Any) -> None:
    """Make what no message has said yet."""
