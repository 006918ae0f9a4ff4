"""Turning values into what msgpack can represent, and buffers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.core.pictures import Image
from holoflow.core.samples import Arrays
from holoflow.link.ends import Buffer
from holoflow.link.wire import compression
from holoflow.link.wire.compression import Encoding
from holoflow.link.wire.types import (
    BUFFERS,
    DIMENSIONS,
    INLINE,
    ITEMS,
    NAMES,
    NESTING,
    OCTET,
    TOTAL,
    Known,
    Types,
    WireError,
    flat,
    portable,
)

LIST: Final = "list"
TUPLE: Final = "tuple"
ARRAY: Final = "array"
NUMBER: Final = "number"
INTEGER: Final = "int"
BYTES: Final = "bytes"
OBJECT: Final = "object"

_AS_THEY_ARE = frozenset({type(None), bool, float, str})
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1

_WHAT_CAN = (
    "payloads can be holoflow's own types, arrays, numbers, strings, bytes, lists, tuples, "
    "mappings with strings as keys, and dataclasses that a port of the app names"
)


class Writer:
    """Writes the values of messages, one message at a time."""

    def __init__(self, types: Types, encoding: Encoding) -> None:
        """Write values of `types`, with buffers compressed according to `encoding`."""
        self.buffers: list[Buffer]
        """Everything too large for the head, in the order of the values."""
        self.begin()
        self._types = types
        self._compress = encoding.compress
        self._quality = encoding.quality

    def begin(self) -> None:
        """Begin another message."""
        self.buffers = []
        self._bytes = 0

    def write(self, value: Any, depth: int = 0) -> Any:
        """Return `value` in a form that msgpack can represent, and append its buffers.

        Args:
            value: A value of the payload or the metadata.
            depth: How many other values enclose it.

        Raises:
            WireError: Something cannot be sent; the message begins with its place in `value`.
        """
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        leaf = _LEAVES.get(kind)
        if leaf is not None:
            return leaf(self, value)
        branch = _BRANCHES.get(kind)
        if branch is not None:
            return branch(self, value, depth)
        known = self._types.get(kind)
        if known is not None:
            return self._object(known, value, depth)
        return self._other(value, depth)

    def _int(self, value: int) -> Any:
        if _LEAST <= value <= _MOST:
            return value
        return [INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)]

    def _bytes_of(self, value: bytes) -> Any:
        if len(value) <= INLINE:
            return value
        return [BYTES, len(value), self._buffer(np.frombuffer(value, np.uint8))]

    def _array(self, value: Any) -> list[Any]:
        name = NAMES.get(value.dtype) if type(value) is np.ndarray else None
        if name is None or value.ndim > DIMENSIONS:
            value = portable(value)
            name = value.dtype.str
        content = value.tobytes() if value.nbytes <= INLINE else self._buffer(value)
        return [ARRAY, name, value.shape, content]

    def _pixels(self, image: Image) -> list[Any]:
        """Write the array of `image`, as JPEG if possible."""
        pixels = portable(image.data)
        if pixels.nbytes <= INLINE:
            return self._array(pixels)
        self._count(pixels.nbytes)
        codec, data = compression.pack_image(image, pixels, self._quality)
        self.buffers.append(data)
        return [ARRAY, pixels.dtype.str, pixels.shape, codec]

    def _buffer(self, array: npt.NDArray[Any]) -> str:
        self._count(array.nbytes)
        if self._compress == "none":
            octets = array.dtype is OCTET and array.flags.c_contiguous
            self.buffers.append(array if octets else flat(array))
            return compression.RAW
        codec, packed = compression.pack(flat(array), array.dtype)
        self.buffers.append(packed)
        return codec

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > TOTAL:
            raise WireError(f"a message has more than {TOTAL} bytes")
        if len(self.buffers) >= BUFFERS:
            raise WireError(
                f"a message has more than {BUFFERS} arrays or bytes of over {INLINE} bytes",
                "stack arrays, or send several messages",
            )

    def _number(self, value: np.generic) -> list[Any]:
        array = portable(np.asarray(value))
        return [NUMBER, array.dtype.str, array.tobytes()]

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        return [LIST, *self._items(value, depth)]

    def _tuple(self, value: tuple[Any, ...], depth: int) -> list[Any]:
        return [TUPLE, *self._items(value, depth)]

    def _items(self, items: list[Any] | tuple[Any, ...], depth: int) -> Iterable[Any]:
        _check(items, depth)
        if _AS_THEY_ARE.issuperset(map(type, items)):
            return items
        written = []
        try:
            for item in items:
                written.append(self.write(item, depth + 1))  # noqa: PERF401 - errors need its place
        except WireError as error:
            raise inside(f"[{len(written)}]", error) from error.__cause__
        return written

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        _check(value, depth)
        written = {}
        for key, item in value.items():
            if type(key) is not str:
                raise WireError(f"a mapping has the key {key!r:.100}", "keys must be strings")
            try:
                written[key] = self.write(item, depth + 1)
            except WireError as error:
                raise inside(f"[{key!r:.100}]", error) from error.__cause__
        return written

    def _object(self, known: Known, value: Any, depth: int) -> list[Any]:
        if depth >= NESTING:
            _check((), depth)
        written: dict[str, Any] = {}
        for name in known.fields:
            try:
                if name == "arrays" and known.cls is Arrays:
                    written[name] = self._mapping(value, depth + 1)
                elif name == "geometry" and known.cls is Image and value.geometry.is_plain:
                    written[name] = None  # as the receiver's will be by itself
                elif self._compress == "jpeg" and known.cls is Image and name == "data":
                    written[name] = self._pixels(value)
                else:
                    written[name] = self.write(getattr(value, name), depth + 1)
            except WireError as error:
                raise inside(f".{name}", error) from error.__cause__
        return [OBJECT, known.name, written]

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, np.generic):
            return self._number(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        kind = type(value)
        if dataclasses.is_dataclass(kind):
            raise WireError(
                f"{kind.__module__}.{kind.__qualname__} cannot be sent between processes, as no "
                "port names it",
                f"annotate the port that sends it with {kind.__qualname__}",
            )
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return self._array(value)
        raise WireError(
            f"{kind.__module__}.{kind.__qualname__} cannot be sent between processes", _WHAT_CAN
        )


_LEAVES: dict[type, Callable[[Writer, Any], Any]] = {
    int: Writer._int,
    bytes: Writer._bytes_of,
    np.ndarray: Writer._array,
}
_BRANCHES: dict[type, Callable[[Writer, Any, int], Any]] = {
    list: Writer._list,
    tuple: Writer._tuple,
    dict: Writer._mapping,
}


def _check(items: Any, depth: int) -> None:
    if depth >= NESTING:
        raise WireError(f"lists, mappings and dataclasses are nested more than {NESTING} deep")
    if len(items) > ITEMS:
        raise WireError(f"it has more than {ITEMS} values", "put them into an array")


class _PlacedError(WireError):
    """An error that knows where in the message it was found."""

    def __init__(self, place: str, error: WireError) -> None:
        super().__init__(f"{place}: {error.wrong}", error.right)
        self.place = place
        self.error = error


def inside(place: str, error: WireError) -> WireError:
    """Return `error` with `place` (`.boxes`, `[3]`, `payload`) in front of its own place."""
    if isinstance(error, _PlacedError):
        return _PlacedError(place + error.place, error.error)
    return _PlacedError(place, error)
