"""Arrays on the wire: the dtypes that travel, by name, and how arrays get to one of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.link.wire.limits import DIMENSIONS, TOTAL, WireError
from holoflow.payload import Array, to_numpy
from holoflow.payload.array import MaskedArrayError

DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in (
        "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8",
        "<f2", "<f4", "<f8", "<c8", "<c16",
    )
}  # fmt: skip
"""Little-endian, named as NumPy does: byte order (`|` where there is none), kind, bytes."""

NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in DTYPES.items()}
"""The names of `DTYPES`: looking one up is faster than asking a dtype for its own."""

OCTET: np.dtype[np.uint8] = np.dtype(np.uint8)
"""Of bytes that are no array."""

_KNOWN = "give bool, integers, floats of 16, 32 or 64 bits, or complex numbers made of these"


def portable(array: Any) -> npt.NDArray[Any]:
    """Return `array` in main memory with one of `DTYPES`; itself where it is so already."""
    try:
        found: npt.NDArray[Any] = to_numpy(array)
    except MaskedArrayError as error:
        raise WireError(str(error)) from None
    except Exception as error:  # whatever the library of the array's says
        raise WireError(
            f"an array of {type(array).__module__} cannot be brought to main memory: {error}"
        ) from error
    if found.ndim > DIMENSIONS:
        raise WireError(f"an array has {found.ndim} axes; at most {DIMENSIONS} can travel")
    dtype = found.dtype
    if dtype.str in DTYPES:
        return found
    if dtype.kind in "iufc" and dtype.newbyteorder("<").str in DTYPES:
        return found.astype(dtype.newbyteorder("<"))
    raise WireError(f"an array of dtype {dtype} cannot travel between fragments; {_KNOWN}")


def flat(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of `array` in C order; a view where they lie so."""
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    line = array.reshape(-1)
    return line if line.dtype is OCTET else line.view(OCTET)


def size(shape: Any, itemsize: int) -> int:
    """Return the bytes of an array; raises WireError where `shape` is none or too large."""
    if type(shape) is not list or len(shape) > DIMENSIONS:
        raise WireError(f"a shape is a list of at most {DIMENSIONS} integers")
    for length in shape:
        if type(length) is not int or length < 0:
            raise WireError("a shape has integers from 0 on")
    count = math.prod(shape)
    if count * itemsize > TOTAL:
        raise WireError(f"an array has more than {TOTAL} bytes")
    return count * itemsize


def view(shape: list[int], dtype: np.dtype[Any], data: Any) -> Array:
    """Return a read-only array over `data`; a copy where `data` are misaligned."""
    try:
        array: Array = np.ndarray(shape, dtype, data)
    except (ValueError, TypeError, OverflowError) as error:  # an axis beyond all bounds beside a 0
        raise WireError(f"no array has this shape: {error}") from None
    flags = array.flags
    if not flags.aligned:
        array = array.copy()
        flags = array.flags
    if flags.writeable:
        flags.writeable = False
    return array
