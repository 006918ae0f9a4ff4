"""Snapshots and their like as JSON, and back; what is read is checked."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from holoflow.errors import HoloflowError

T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}
"""Made once for each class: that takes milliseconds."""


def _adapter(cls: Any) -> TypeAdapter[Any]:
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def to_plain(value: Any, cls: Any | None = None) -> Any:
    """Return a dataclass of `holoflow.flow.books`, or what `cls` says, as JSON has it."""
    return _adapter(cls or type(value)).dump_python(value, mode="json")


def to_json(value: Any, cls: Any | None = None) -> bytes:
    """Return the same as JSON text, in one line."""
    return _adapter(cls or type(value)).dump_json(value)


def from_plain(cls: type[T], data: Any) -> T:
    """Return the value of `cls` that `data` stands for; raises HoloflowError if it is none."""
    try:
        made: T = _adapter(cls).validate_python(data)
    except ValidationError as error:
        raise _refusal(cls, error) from None
    return made


def _refusal(cls: Any, error: ValidationError) -> HoloflowError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "it"
    return HoloflowError(f"not a {getattr(cls, '__name__', cls)}: {where}: {first['msg']}")
