"""Headers as Holoscan's metadata, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holoflow.engine.geometry import shared
from holoflow.message import Header
from holoflow.payload import Geometry

KEY = "holoflow."
_GEOMETRY = KEY + "geometry"
_FIELDS = ("sequence", "timestamp", "source", "metadata")


def put_header(metadata: Any, header: Header, payloads: Iterable[Any]) -> None:
    """Store `header`, and the geometry of `payloads`, in Holoscan's `metadata`.

    They take the place of what is there: tensors have no room for them.
    """
    metadata.pop(_GEOMETRY, None)
    geometry = shared(payloads)
    if geometry is not None:
        metadata.set(_GEOMETRY, geometry)
    for name in _FIELDS:
        metadata.pop(KEY + name, None)
        metadata.set(KEY + name, getattr(header, name))


def get_header(metadata: Any) -> Header | None:
    """Return the header that Holoscan's `metadata` holds; None where it holds none."""
    if not metadata.has_key(KEY + "source"):
        return None
    return Header(*(metadata[KEY + name] for name in _FIELDS))


def get_geometry(metadata: Any) -> Geometry | None:
    """Return the geometry that Holoscan's `metadata` holds; None where it holds none."""
    return metadata.get(_GEOMETRY, None)  # type: ignore[no-any-return]
