"""Arrays: NumPy or CuPy, whichever holds the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import array_api_compat
import numpy as np
import numpy.typing as npt

from holoflow.errors import HoloflowError

if TYPE_CHECKING:
    Array: TypeAlias = npt.NDArray[Any]
else:

    class _AnyArray(type):
        """Makes every array an instance of `Array`, wherever its data lie."""

        def __instancecheck__(cls, value: object) -> bool:
            return hasattr(value, "shape") and hasattr(value, "dtype")

        def __subclasscheck__(cls, other: type) -> bool:
            return hasattr(other, "shape") and hasattr(other, "dtype")

    class Array(metaclass=_AnyArray):
        """An array of any dtype, of NumPy or of CuPy."""


class MaskedArrayError(HoloflowError):
    """An array has a mask where none is kept, so that what it hides would be taken for data."""


def namespace(*arrays: Any) -> Any:
    """Return the array API namespace of `arrays`: write operators' code once with it.

    `xp = namespace(image.data); xp.where(image.data > level, image.data, 0)` runs on the device
    where the data lie.
    """
    return array_api_compat.array_namespace(*arrays)


def to_numpy(array: Any) -> Array:
    """Return `array` in main memory as a NumPy array; a view where it lies there already.

    Raises MaskedArrayError for a masked array.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise MaskedArrayError(
            "a masked array would lose its mask; fill it, or send the mask beside it"
        )
    if isinstance(array, np.ndarray):
        return array
    if array_api_compat.is_cupy_array(array):
        return array.get()  # type: ignore[no-any-return]
    return np.asarray(array)


def check_shape(
    owner: str, array: Any, expected: str, *, ndim: tuple[int, ...], last: tuple[int, ...] = ()
) -> None:
    """Raise ValueError unless `array` has one of `ndim` axes and a last axis of one of `last`."""
    shape = getattr(array, "shape", None)
    if shape is None:
        raise TypeError(f"{owner} must be an array of {expected}, got {type(array).__name__}")
    if len(shape) not in ndim or (last and shape[-1] not in last):
        raise ValueError(f"{owner} must be an array of {expected}, got shape {tuple(shape)}")
