"""What msgpack has unpacked and buffers become values; nothing of it is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from holoflow.link.wire import compression
from holoflow.link.wire.arrays import DTYPES, OCTET, size, view
from holoflow.link.wire.limits import BUFFERS, INLINE, NESTING, TOTAL, WireError
from holoflow.link.wire.types import Types
from holoflow.link.wire.writing import ARRAY, BYTES, INTEGER, LIST, NUMBER, OBJECT, TUPLE
from holoflow.payload import Array

_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, bytes})


class Reader:
    """Reads the values of one message; every method raises WireError for what no writer gives."""

    def __init__(self, types: Types, buffers: Sequence[Any]) -> None:
        """Read values of `types` whose larger arrays lie in `buffers`."""
        if len(buffers) > BUFFERS:
            raise WireError(f"a message has {len(buffers)} buffers; at most {BUFFERS} may come")
        self._types = types
        self._buffers: Iterator[Any] = iter(buffers)
        self._bytes = 0

    def read(self, value: Any, depth: int = 0) -> Any:
        """Return the value that was written as `value`, `depth` others around it."""
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if kind is dict:
            return self._mapping(value, depth)
        if kind is list and value and type(value[0]) is str:
            leaf = _LEAVES.get(value[0])
            if leaf is not None:
                return leaf(self, value)
            branch = _BRANCHES.get(value[0])
            if branch is not None:
                return branch(self, value, depth)
        raise WireError(f"a value is written in an unknown way: {_head(value)}")

    def finish(self) -> None:
        """Check that nothing is left over."""
        for _ in self._buffers:
            raise WireError("a message has more buffers than its head names")

    def _mapping(self, value: Any, depth: int) -> dict[str, Any]:
        if depth >= NESTING:
            raise WireError(f"more than {NESTING} values lie in one another")
        if type(value) is not dict:
            raise WireError("a mapping is none")
        read = {}
        for key, item in value.items():
            if type(key) is not str:
                raise WireError("a mapping has a key that is no string")
            read[key] = self.read(item, depth + 1)
        return read

    def _items(self, value: list[Any], depth: int) -> list[Any]:
        if depth >= NESTING:
            raise WireError(f"more than {NESTING} values lie in one another")
        del value[0]
        if _AS_THEY_ARE.issuperset(map(type, value)):
            return value
        return [self.read(item, depth + 1) for item in value]

    def _tuple(self, value: list[Any], depth: int) -> tuple[Any, ...]:
        return tuple(self._items(value, depth))

    def _int(self, value: list[Any]) -> int:
        (data,) = _parts(value, 1)
        if type(data) is not bytes:
            raise WireError("a large integer is written in bytes")
        return int.from_bytes(data, "little", signed=True)

    def _array(self, value: list[Any]) -> Array:
        name, shape, content = _parts(value, 3)
        dtype = _dtype(name)
        length = size(shape, dtype.itemsize)
        if length <= INLINE:
            if type(content) is not bytes or len(content) != length:
                raise WireError(f"an array of {length} bytes does not lie in the head as such")
        else:
            content = self._buffer(content, length, dtype, shape)
        return view(shape, dtype, content)

    def _number(self, value: list[Any]) -> Any:
        name, data = _parts(value, 2)
        dtype = _dtype(name)
        if type(data) is not bytes or len(data) != dtype.itemsize:
            raise WireError(f"a number of dtype {name} has {dtype.itemsize} bytes")
        return np.frombuffer(data, dtype)[0]

    def _bytes_of(self, value: list[Any]) -> bytes:
        length, codec = _parts(value, 2)
        if type(length) is not int or not INLINE < length <= TOTAL:
            raise WireError(f"a length is an integer over {INLINE} and up to {TOTAL}")
        return bytes(self._buffer(codec, length, OCTET, [length]))

    def _object(self, value: list[Any], depth: int) -> Any:
        name, values = _parts(value, 2)
        return self._types.named(name).make(self._mapping(values, depth))

    def _buffer(self, codec: Any, length: int, dtype: np.dtype[Any], shape: list[int]) -> Any:
        self._bytes += length
        if self._bytes > TOTAL:
            raise WireError(f"a message has more than {TOTAL} bytes")
        if type(codec) is not str:
            raise WireError("how a buffer is packed is a string")
        for buffer in self._buffers:
            return compression.unpack(codec, memoryview(buffer), length, dtype, shape)
        raise WireError("a message has less buffers than its head names")


_LEAVES: dict[str, Callable[[Reader, list[Any]], Any]] = {
    ARRAY: Reader._array,
    NUMBER: Reader._number,
    INTEGER: Reader._int,
    BYTES: Reader._bytes_of,
}
_BRANCHES: dict[str, Callable[[Reader, list[Any], int], Any]] = {
    OBJECT: Reader._object,
    LIST: Reader._items,
    TUPLE: Reader._tuple,
}


def _parts(value: list[Any], number: int) -> list[Any]:
    if len(value) != number + 1:
        raise WireError(f"{value[0]} is followed by {number} values, not {len(value) - 1}")
    return value[1:]


def _dtype(name: Any) -> np.dtype[Any]:
    dtype = DTYPES.get(name) if type(name) is str else None
    if dtype is None:
        raise WireError(f"an array has an unknown dtype; known are {' '.join(DTYPES)}")
    return dtype


def _head(value: Any) -> str:
    """Say shortly what a value is; its own text may be large and deep."""
    if type(value) is list and value and type(value[0]) is str:
        return f"{value[0][:40]!r}"
    return f"a {type(value).__name__}"
