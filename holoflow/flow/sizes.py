"""How large the messages of a flow are, from a sample of them."""

from __future__ import annotations

from typing import Final

EVERY: Final = 64
"""Messages of which the first is looked at: what it costs does not show."""


class Sizes:
    """The mean size of messages."""

    __slots__ = ("_bytes", "_count")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._bytes = 0
        self._count = 0

    def add(self, size: int) -> None:
        """Add a message of `size` bytes."""
        self._bytes += size
        self._count += 1

    def mean(self) -> float | None:
        """Return the mean in bytes; None where none was looked at."""
        return self._bytes / self._count if self._count else None
