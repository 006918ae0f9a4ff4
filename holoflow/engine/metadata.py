"""Headers as Holoscan's metadata, and back."""

from __future__ import annotations

from typing import Any

from holoflow.message import Header

KEY = "holoflow."
_FIELDS = ("sequence", "timestamp", "source", "metadata")


def put_header(metadata: Any, header: Header) -> None:
    """Store `header` in Holoscan's `metadata`, in the place of one that is there."""
    for name in _FIELDS:
        metadata.pop(KEY + name, None)
        metadata.set(KEY + name, getattr(header, name))


def get_header(metadata: Any) -> Header | None:
    """Return the header that Holoscan's `metadata` holds; None where it holds none."""
    if not metadata.has_key(KEY + "source"):
        return None
    return Header(*(metadata[KEY + name] for name in _FIELDS))
