"""Turning unpacked msgpack into functions that make values from buffers; nothing is trusted.

The messages of a flow mostly differ only in the contents of their buffers. Therefore the msgpack is
parsed once into a function, which is then called for each message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from holoflow.core.geometry import Geometry
from holoflow.link.wire import compression
from holoflow.link.wire.types import (
    BUFFERS,
    DTYPES,
    INLINE,
    NESTING,
    OCTET,
    TOTAL,
    VALUES,
    Known,
    Types,
    WireError,
    size,
    view,
)
from holoflow.link.wire.writing import ARRAY, BYTES, INTEGER, LIST, NUMBER, OBJECT, TUPLE

Make: TypeAlias = Callable[[Iterator[Any]], Any]
"""Takes as many of a message's buffers from the iterator as it needs, and returns a value."""

_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, bytes})


class Reader:
    """Parses values; every method raises WireError for what a `Writer` does not write."""

    def __init__(self, types: Types) -> None:
        """Parse values of `types`."""
        self.buffers = 0
        """Number of buffers that the values read so far need."""
        self._types = types
        self._bytes = 0
        self._values = 0

    def read(self, value: Any, depth: int = 0) -> Make:
        """Return the function that makes a value.

        Args:
            value: What a `Writer` has written for it.
            depth: How many other values enclose it.

        Raises:
            WireError: `value` is not valid.
        """
        self._values += 1
        if self._values > VALUES:
            raise WireError(f"a message has more than {VALUES} values", "put them into an array")
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return lambda _: value
        if kind is dict:
            return self._mapping(value, depth)
        if kind is list and value and type(value[0]) is str:
            leaf = _LEAVES.get(value[0])
            if leaf is not None:
                return leaf(self, value)
            branch = _BRANCHES.get(value[0])
            if branch is not None:
                return branch(self, value, depth)
        raise WireError(f"a value has an unknown form: {_head(value)}")

    def _mapping(self, value: Any, depth: int) -> Make:
        if depth >= NESTING:
            raise WireError(f"values are nested more than {NESTING} deep")
        if type(value) is not dict:
            raise WireError("expected a mapping")
        read = []
        for key, item in value.items():
            if type(key) is not str:
                raise WireError("a mapping has a key that is not a string")
            read.append((key, self.read(item, depth + 1)))
        return lambda buffers: {key: make(buffers) for key, make in read}

    def _list(self, value: list[Any], depth: int) -> Make:
        if depth >= NESTING:
            raise WireError(f"values are nested more than {NESTING} deep")
        if _AS_THEY_ARE.issuperset(map(type, value)):
            return lambda _: value[1:]
        read = [self.read(item, depth + 1) for item in value[1:]]
        return lambda buffers: [make(buffers) for make in read]

    def _tuple(self, value: list[Any], depth: int) -> Make:
        make = self._list(value, depth)
        return lambda buffers: tuple(make(buffers))

    def _int(self, value: list[Any]) -> Make:
        (data,) = _parts(value, 1)
        if type(data) is not bytes:
            raise WireError("a large integer must be in bytes")
        number = int.from_bytes(data, "little", signed=True)
        return lambda _: number

    def _array(self, value: list[Any]) -> Make:
        name, shape, content = _parts(value, 3)
        dtype = _dtype(name)
        length = size(shape, dtype.itemsize)
        if length <= INLINE:
            if type(content) is not bytes or len(content) != length:
                raise WireError(f"an array of {length} bytes must be in the head")
            return lambda _: view(shape, dtype, content)
        unpack = self._buffer(content, length, dtype, shape)
        return lambda buffers: view(shape, dtype, unpack(buffers))

    def _number(self, value: list[Any]) -> Make:
        name, data = _parts(value, 2)
        dtype = _dtype(name)
        if type(data) is not bytes or len(data) != dtype.itemsize:
            raise WireError(f"a number of dtype {name} must have {dtype.itemsize} bytes")
        number = np.frombuffer(data, dtype)[0]
        return lambda _: number

    def _bytes_of(self, value: list[Any]) -> Make:
        length, codec = _parts(value, 2)
        if type(length) is not int or not INLINE < length <= TOTAL:
            raise WireError(f"a length must be an integer above {INLINE} and up to {TOTAL}")
        unpack = self._buffer(codec, length, OCTET, [length])
        return lambda buffers: bytes(unpack(buffers))

    def _object(self, value: list[Any], depth: int) -> Make:
        name, written = _parts(value, 2)
        known: Known = self._types.named(name)
        named = self.buffers
        make = self._mapping(written, depth)
        if known.cls is Geometry and self.buffers == named:
            # It needs no buffers, so it is the same for all messages with this head.
            geometry = known.make(make(iter(())))
            return lambda _: geometry
        return lambda buffers: known.make(make(buffers))

    def _buffer(self, codec: Any, length: int, dtype: np.dtype[Any], shape: list[int]) -> Make:
        """Return the function that returns the content of the next buffer."""
        self._bytes += length
        if self._bytes > TOTAL:
            raise WireError(f"a message has more than {TOTAL} bytes")
        if type(codec) is not str:
            raise WireError("a codec must be a string")
        self.buffers += 1
        if self.buffers > BUFFERS:
            raise WireError(f"a message has more than {BUFFERS} buffers")
        if codec == compression.RAW:
            return lambda buffers: _raw(next(buffers), length)
        unpack = compression.unpack
        return lambda buffers: unpack(codec, memoryview(next(buffers)), length, dtype, shape)


_LEAVES: dict[str, Callable[[Reader, list[Any]], Make]] = {
    ARRAY: Reader._array,
    NUMBER: Reader._number,
    INTEGER: Reader._int,
    BYTES: Reader._bytes_of,
}
_BRANCHES: dict[str, Callable[[Reader, list[Any], int], Make]] = {
    OBJECT: Reader._object,
    LIST: Reader._list,
    TUPLE: Reader._tuple,
}


def _raw(buffer: Any, length: int) -> memoryview:
    """Return the content of an uncompressed `buffer`."""
    data = buffer if type(buffer) is memoryview else memoryview(buffer)
    if data.nbytes != length:
        raise WireError(f"a buffer has {data.nbytes} bytes, but its head states {length}")
    return data


def _parts(value: list[Any], number: int) -> list[Any]:
    if len(value) != number + 1:
        raise WireError(f"{value[0]} must have {number} values, but has {len(value) - 1}")
    return value[1:]


def _dtype(name: Any) -> np.dtype[Any]:
    dtype = DTYPES.get(name) if type(name) is str else None
    if dtype is None:
        raise WireError("an array has an unknown dtype", f"valid dtypes are {' '.join(DTYPES)}")
    return dtype


def _head(value: Any) -> str:
    """Describe a value briefly; its own text may be large and deeply nested."""
    if type(value) is list and value and type(value[0]) is str:
        return f"{value[0][:40]!r}"
    return f"a {type(value).__name__}"
