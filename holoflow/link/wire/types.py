"""What may be sent over a link: limits, classes and their names there, dtypes of arrays."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.core import payload
from holoflow.core.array import Array, MaskedArrayError, to_numpy
from holoflow.core.errors import HoloflowError

HEAD: Final = 4 * 1024 * 1024
"""Most bytes of a head."""

BUFFERS: Final = 1024
"""Most buffers of a message."""

TOTAL: Final = 2 << 30
"""Most bytes of all buffers of a message, once decompressed."""

NESTING: Final = 32
"""Most lists, mappings and dataclasses nested in one another."""

ITEMS: Final = 1 << 16
"""Most values of one list, tuple or mapping: more belong into an array."""

VALUES: Final = 1 << 18
"""Most values of a message; a list or tuple of numbers and strings counts as one."""

DIMENSIONS: Final = 32
"""Most axes of an array."""

INLINE: Final = 512
"""Most bytes of an array or `bytes` object in the head; larger ones have a buffer of their own. For
so few bytes, a buffer costs a link more than a copy."""


class WireError(HoloflowError):
    """A message cannot be sent, or what has arrived is not a message."""


_APP = "_holoflow_app_"
"""Prefix of the packages with an app's own files; the rest of their name differs between hosts."""


class Known:
    """A class whose instances may be sent."""

    __slots__ = ("cls", "fields", "keys", "name")

    def __init__(self, cls: type, name: str) -> None:
        """Describe `cls`, a dataclass or `Arrays`, which is called `name` on links."""
        self.cls = cls
        self.name = name
        self.fields: tuple[str, ...] = ("arrays", "geometry")
        """Names of the arguments that make an instance."""
        if dataclasses.is_dataclass(cls):
            self.fields = tuple(field.name for field in dataclasses.fields(cls) if field.init)
        self.keys = frozenset(self.fields)

    def make(self, values: dict[str, Any]) -> Any:
        """Return an instance with the fields `values`.

        Raises:
            WireError: Fields are missing or unknown, or the class refuses them.
        """
        try:
            if values.keys() != self.keys:
                raise WireError(
                    f"{self.name} has the fields {', '.join(self.fields)}; "
                    f"got {', '.join(values)[:200] or 'none'}"
                )
            if self.cls is payload.Arrays:
                return payload.Arrays(dict(**values["arrays"]), geometry=values["geometry"])
            return self.cls(**values)
        except WireError:
            raise
        except Exception as error:  # the class's own checks: anything may come out
            raise WireError(f"{self.name} refuses its fields: {error!s:.200}") from error


class Types:
    """The classes that may be sent: payload types, those of plugins, and those named by ports."""

    def __init__(self, known: Iterable[Known]) -> None:
        """Allow the classes `known`; use `Types.of` instead.

        Raises:
            WireError: Two classes have the same name.
        """
        self._by_class: dict[type, Known] = {}
        self._by_name: dict[str, Known] = {}
        for one in known:
            other = self._by_name.setdefault(one.name, one)
            if other.cls is not one.cls:
                raise WireError(
                    f"two classes would have the name {one.name} on links, of "
                    f"{other.cls.__module__} and of {one.cls.__module__}",
                    "rename one of them",
                )
            self._by_class[one.cls] = one
        self.get: Callable[[type], Known | None] = self._by_class.get
        """Return the description of a class; None if its instances may not be sent."""

    @staticmethod
    def of(classes: Iterable[type]) -> Types:
        """Allow the types of `holoflow.core.payload` and the dataclasses among `classes`.

        Dataclasses that the annotations of their fields name are allowed too.

        Raises:
            WireError: Two classes have the same name.
        """
        known = [Known(cls, cls.__name__) for cls in _payloads()]
        found: dict[type, None] = dict.fromkeys(one.cls for one in known)
        for cls in classes:
            _collect(cls, found)
        known += [Known(cls, _name(cls)) for cls in list(found)[len(known) :]]
        return Types(known)

    def named(self, name: Any) -> Known:
        """Return the class called `name` on links.

        Raises:
            WireError: There is none.
        """
        if type(name) is not str:
            raise WireError("the name of a class must be a string")
        known = self._by_name.get(name)
        if known is None:
            wrong = f"the class {name[:200]!r} is neither named by a port of the app"
            raise WireError(f"{wrong} nor added by a plugin")
        return known


def _payloads() -> list[type]:
    members = [getattr(payload, name) for name in payload.__all__]
    classes: list[type] = [member for member in members if isinstance(member, type)]
    return [cls for cls in classes if dataclasses.is_dataclass(cls) or cls is payload.Arrays]


def _name(cls: type) -> str:
    package, _, module = cls.__module__.partition(".")
    return f"{module if package.startswith(_APP) else cls.__module__}:{cls.__qualname__}"


def _collect(hint: Any, found: dict[type, None]) -> None:
    """Add the dataclasses in an annotation, and in the annotations of their fields."""
    for part in typing.get_args(hint):
        _collect(part, found)
    if not isinstance(hint, type) or hint in found or not dataclasses.is_dataclass(hint):
        return
    found[hint] = None
    try:
        hints = typing.get_type_hints(hint)
    except (NameError, TypeError):  # names that only type checkers see; ports can still name them
        return
    for field in dataclasses.fields(hint):
        _collect(hints[field.name], found)


DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in (
        "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8",
        "<f2", "<f4", "<f8", "<c8", "<c16",
    )
}  # fmt: skip
"""Dtypes that may be sent, all little-endian. Their names are NumPy's: byte order (`|` for none),
kind, bytes."""

NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in DTYPES.items()}
"""The names of `DTYPES`: looking one up is faster than asking a dtype for its name."""

OCTET: np.dtype[np.uint8] = np.dtype(np.uint8)
"""The dtype of plain bytes."""

_KNOWN = "use bool, integers, floats of 16, 32 or 64 bits, or complex numbers of these"


def portable(array: Any) -> npt.NDArray[Any]:
    """Return `array` in main memory with one of `DTYPES`, without a copy if possible.

    Raises:
        WireError: The array cannot be converted.
    """
    try:
        found: npt.NDArray[Any] = to_numpy(array)
    except MaskedArrayError as error:
        raise WireError(error.wrong, error.right) from None
    except Exception as error:  # of any library
        raise WireError(
            f"an array of {type(array).__module__} cannot be copied to main memory: {error}"
        ) from error
    if found.ndim > DIMENSIONS:
        raise WireError(f"an array has {found.ndim} axes", f"at most {DIMENSIONS} can be sent")
    dtype = found.dtype
    if dtype.str in DTYPES:
        return found
    if dtype.kind in "iufc" and dtype.newbyteorder("<").str in DTYPES:
        return found.astype(dtype.newbyteorder("<"))
    raise WireError(f"an array of dtype {dtype} cannot be sent between processes", _KNOWN)


def flat(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of `array` in C order, of shape (n,); a view if it is contiguous."""
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    line = array.reshape(-1)
    return line if line.dtype is OCTET else line.view(OCTET)


def size(shape: Any, itemsize: int) -> int:
    """Return the number of bytes of an array.

    Raises:
        WireError: `shape`, which is not trusted, is invalid or too large.
    """
    if type(shape) is not list or len(shape) > DIMENSIONS:
        raise WireError(f"a shape must be a list of at most {DIMENSIONS} integers")
    for length in shape:
        if type(length) is not int or length < 0:
            raise WireError("a shape must consist of integers from 0 on")
    count = math.prod(shape)
    if count * itemsize > TOTAL:
        raise WireError(f"an array has more than {TOTAL} bytes")
    return count * itemsize


def view(shape: list[int], dtype: np.dtype[Any], data: Any) -> Array:
    """Return a read-only array over `data`, or of a copy if they are misaligned.

    Raises:
        WireError: No array can have this shape.
    """
    try:
        array: Array = np.ndarray(shape, dtype, data)
    except (ValueError, TypeError, OverflowError) as error:  # a huge axis next to one of length 0
        raise WireError(f"no array can have this shape: {error}") from None
    flags = array.flags
    if not flags.aligned:
        array = array.copy()
        flags = array.flags
    if flags.writeable:
        flags.writeable = False
    return array
