"""A message as tensors of bytes, which is all that UCX is given to carry."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.link.ends import Buffer
from holoflow.link.wire import BUFFERS, WireError

MAGIC: Final = b"hucx"
_PREFIX: Final = struct.Struct("<4sIq")
"""What the head's tensor begins with: magic, how many buffers lie in one tensor (0: each in its
own), number of the message."""
_SIZE: Final = struct.Struct("<q")
APART: Final = 64
"""Buffers up to which each has a tensor of its own: what Holoscan writes of each tensor must fit
into 127 KiB together."""
_HEAD: Final = "head"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Parcel:
    """A message under way."""

    number: int
    head: Buffer
    buffers: Sequence[Buffer]


def pack(parcel: Parcel) -> dict[str, Bytes]:
    """Return `parcel` as tensors by name; buffers are copied only where they are many."""
    buffers = [np.frombuffer(buffer, np.uint8) for buffer in parcel.buffers]
    joined = len(buffers) if len(buffers) > APART else 0
    sizes = b"".join(_SIZE.pack(buffer.nbytes) for buffer in buffers[:joined])
    prefix = _PREFIX.pack(MAGIC, joined, parcel.number) + sizes
    tensors = {_HEAD: np.frombuffer(bytearray(prefix) + bytes(parcel.head), np.uint8)}
    if joined:
        buffers = [np.concatenate(buffers)]
    tensors.update((str(at), writable(buffer)) for at, buffer in enumerate(buffers))
    return tensors


def unpack(tensors: Any) -> Parcel:
    """Return the parcel that was packed as `tensors`; raises WireError where none was."""
    if not isinstance(tensors, Mapping) or _HEAD not in tensors:
        raise WireError("a message has no head")
    arrays = {name: _bytes(tensor) for name, tensor in tensors.items()}
    head = arrays.pop(_HEAD).data
    if head.nbytes < _PREFIX.size:
        raise WireError("a head breaks off")
    magic, joined, number = _PREFIX.unpack_from(head)
    if magic != MAGIC or joined > BUFFERS:
        raise WireError("a head is none of ours")
    try:
        buffers = [arrays[str(at)] for at in range(len(arrays))]
    except KeyError:
        raise WireError("the tensors of a message have other names") from None
    start = _PREFIX.size + joined * _SIZE.size
    if joined:
        if len(buffers) != 1 or head.nbytes < start:
            raise WireError("a head breaks off")
        sizes = [_SIZE.unpack_from(head, _PREFIX.size + at * _SIZE.size)[0] for at in range(joined)]
        if min(sizes) < 0 or sum(sizes) != buffers[0].nbytes:
            raise WireError("buffers have other sizes than their head says")
        buffers = np.split(buffers[0], np.cumsum(sizes)[:-1])
    return Parcel(number, head[start:], buffers)


def _bytes(tensor: Any) -> Bytes:
    try:
        array = np.asarray(tensor)
    except Exception as error:  # whatever its library says: in the memory of a GPU, for instance
        raise WireError(f"a tensor cannot be read: {error}") from error
    if array.dtype != np.uint8 or array.ndim != 1 or not array.flags.c_contiguous:
        raise WireError("a tensor is not made of bytes")
    return array


class _Alias:
    """The memory of an array under another name."""

    def __init__(self, array: Bytes) -> None:
        self._array = array
        """Keeps the memory alive."""
        self.__array_interface__ = {**array.__array_interface__}
        self.__array_interface__["data"] = (array.__array_interface__["data"][0], False)


def writable(array: Bytes) -> Bytes:
    """Return `array` as one that may be written to: Holoscan takes no other, but only reads."""
    return array if array.flags.writeable else np.asarray(_Alias(array))
