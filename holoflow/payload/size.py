"""How large a payload is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from holoflow.payload.geometry import Geometry

DEPTH: Final = 8
"""Levels inside one another that are looked at: payloads may be anything, rings as well."""
_NUMBER: Final = 8


def size_of(payload: Any, depth: int = DEPTH) -> int:
    """Return the bytes of all arrays, text and bytes in `payload`; anything else counts 8."""
    size = getattr(payload, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(payload, (str, bytes, bytearray)):
        return len(payload)
    parts = _parts(payload) if depth else None
    return _NUMBER if parts is None else sum(size_of(part, depth - 1) for part in parts)


def _parts(payload: Any) -> list[Any] | None:
    """Return what `payload` consists of; None where it is in one piece."""
    if isinstance(payload, Mapping):
        return [*payload.keys(), *payload.values()]
    if isinstance(payload, (list, tuple)):
        return list(payload)
    if dataclasses.is_dataclass(payload) and type(payload) is not Geometry:
        return [getattr(payload, field.name, None) for field in dataclasses.fields(payload)]
    return None
