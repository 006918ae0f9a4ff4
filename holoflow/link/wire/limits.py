"""What a message may have at most; both ends hold to it."""

from __future__ import annotations

from typing import Final

from holoflow.errors import HoloflowError

HEAD: Final = 4 * 1024 * 1024
"""Bytes of a head."""

BUFFERS: Final = 1024
"""Buffers of a message."""

TOTAL: Final = 2 << 30
"""Bytes of all buffers of a message, as they are once unpacked."""

NESTING: Final = 32
"""Lists, mappings and dataclasses that lie in one another."""

ITEMS: Final = 1 << 16
"""Values of one list, tuple or mapping: more belong into an array."""

VALUES: Final = 1 << 18
"""Values of a message; a list or tuple of numbers and text counts as one."""

DIMENSIONS: Final = 32
"""Axes of an array."""

INLINE: Final = 512
"""Bytes of an array or of `bytes` up to which they lie in the head, larger ones in a buffer of
their own: for so few, a buffer costs a link more than a copy."""


class WireError(HoloflowError):
    """A message cannot travel, or what came is no message."""
