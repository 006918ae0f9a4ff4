"""The newest of something: put down by any thread, picked up by viewers in one event loop."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Holds the newest value only: who is slow misses some, and holds up nobody.

    Made inside the running event loop of the viewers.
    """

    def __init__(self) -> None:
        self.value: T | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a value."""
        return bool(self._waiting)

    def put(self, value: T) -> None:
        """Replace the value; from any thread."""
        self.value = value
        if self._waiting:
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Say that no value follows; from within the loop."""
        self._closed = True
        self._wake()

    async def after(self, seen: T | None) -> T | None:
        """Wait for a value other than `seen`; None once closed."""
        while not self._closed:
            # First wait, then look: so no value slips through between the two.
            wake = self._loop.create_future()
            self._waiting.add(wake)
            try:
                if self.value is not None and self.value is not seen:
                    return self.value
                await wake
            finally:
                self._waiting.discard(wake)
        return None

    def _wake(self) -> None:
        for wake in self._waiting:
            if not wake.done():
                wake.set_result(None)
