"""Arrays: NumPy or CuPy, whichever holds the data."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import array_api_compat
import numpy as np
import numpy.typing as npt

from holoflow.core.errors import HoloflowError

if TYPE_CHECKING:
    Array: TypeAlias = npt.NDArray[Any]
else:

    class _AnyArray(type):
        """Makes every array an instance of `Array`, whichever device holds it."""

        def __instancecheck__(cls, value: object) -> bool:
            return hasattr(value, "shape") and hasattr(value, "dtype")

        def __subclasscheck__(cls, other: type) -> bool:
            return hasattr(other, "shape") and hasattr(other, "dtype")

    class Array(metaclass=_AnyArray):
        """A NumPy or CuPy array of any dtype."""


class MaskedArrayError(HoloflowError):
    """A masked array was given where the mask would be lost and hidden values taken for data."""


def namespace(*arrays: Any) -> Any:
    """Return the array API namespace of `arrays`, to write code once for NumPy and CuPy.

    `xp = namespace(image.data); xp.where(image.data > level, image.data, 0)` runs on the device
    that holds the data.
    """
    return array_api_compat.array_namespace(*arrays)


def to_numpy(array: Any) -> Array:
    """Return `array` as a NumPy array in main memory; without a copy if it is there already.

    Raises:
        MaskedArrayError: `array` is a masked array.
    """
    # Importing NumPy's masked arrays takes 10 ms, and without that nobody can have made one.
    # It may be half imported, by another thread.
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if masked is not None and isinstance(array, masked):
        raise MaskedArrayError(
            "a masked array would lose its mask", "fill it, or send the mask beside it"
        )
    if isinstance(array, np.ndarray):
        return array
    if array_api_compat.is_cupy_array(array):
        return array.get()  # type: ignore[no-any-return]
    return np.asarray(array)


class Numbers(NamedTuple):
    """The element types that an array may have."""

    kinds: str
    """NumPy's letters for kinds of dtypes."""
    text: str
    """Their names in error messages."""


INTEGERS: Final = Numbers("iu", "integers")
CLASSES: Final = Numbers("iub", "integers or bool")
REAL: Final = Numbers("fiu", "real numbers")
PIXELS: Final = Numbers("ufibc", "numbers or bool")
SAMPLES: Final = Numbers("ficu", "real or complex numbers")

_ARRAY_API_KINDS: Final = {
    "b": "bool", "i": "signed integer", "u": "unsigned integer", "f": "real floating",
    "c": "complex floating",
}  # fmt: skip


def check_axes(
    field: str, array: Any, expected: str, numbers: Numbers, ndim: int, last: tuple[int, ...] = ()
) -> None:
    """Check the number of axes and the dtype of `array`.

    Args:
        field: Name of the field, for the message.
        array: The value to check.
        expected: The right shape, for the message.
        numbers: Allowed element types.
        ndim: Number of axes.
        last: Allowed lengths of the last axis; empty: any.

    Raises:
        TypeError: `array` is not an array.
        ValueError: It has another shape or dtype.
    """
    shape = _shape(field, array, expected, numbers)
    if len(shape) != ndim or (last and shape[-1] not in last):
        raise ValueError(f"{field} must be an array of shape {expected}, got shape {tuple(shape)}")


def check_each(
    field: str, array: Any, shape: tuple[int, ...], numbers: Numbers, each: str = ""
) -> None:
    """Raise, as `check_axes` does, unless `array` has `shape` and `numbers`.

    `each` names what there is one element for, in the message.
    """
    got = _shape(field, array, shape, numbers)
    if tuple(got) != shape:
        why = f", one for each {each}" if each else ""
        raise ValueError(f"{field} must have shape {shape}{why}, got {tuple(got)}")


def check_names(field: str, names: Any) -> tuple[str, ...]:
    """Return `names` as a tuple of str; raise TypeError if they are not."""
    try:
        if isinstance(names, (str, bytes)):
            raise TypeError
        checked: tuple[str, ...] = tuple(names)
        "".join(checked)  # the fastest check of the type of each
    except TypeError:
        raise TypeError(f"{field} must be a tuple of str, got {names!r:.80}") from None
    return checked


def check_above_zero(field: str, values: Any, expected: str, count: int = 1) -> tuple[float, ...]:
    """Return `values` as a tuple; raise unless they are `count` finite numbers above 0."""
    try:
        checked: tuple[float, ...] = tuple(values)
        right = all(0 < value < math.inf for value in checked)
    except (TypeError, ValueError):
        raise TypeError(f"{field} must be {expected}, got {values!r:.80}") from None
    if len(checked) != count or not right:
        raise ValueError(f"{field} must be {expected}, got {values if count > 1 else checked[0]!r}")
    return checked


def _shape(field: str, array: Any, expected: Any, numbers: Numbers) -> Any:
    try:
        shape, dtype = array.shape, array.dtype
    except AttributeError:
        raise TypeError(
            f"{field} must be an array of shape {expected}, {numbers.text}, got "
            f"{type(array).__name__}; numpy.asarray makes arrays of lists and numbers"
        ) from None
    if _kind(array, dtype) not in numbers.kinds:
        raise ValueError(f"{field} must be an array of {numbers.text}, got one of {dtype}")
    return shape


def _kind(array: Any, dtype: Any) -> str:
    try:
        return dtype.kind  # type: ignore[no-any-return]
    except AttributeError:  # neither NumPy nor CuPy
        is_a = namespace(array).isdtype
        return next((kind for kind, name in _ARRAY_API_KINDS.items() if is_a(dtype, name)), "?")
