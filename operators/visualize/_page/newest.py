"""The newest frame: put down by any thread, picked up by viewers in one event loop."""

from __future__ import annotations

import asyncio

from holoflow.operators.visualize._page.frame import Frame


class Newest:
    """Holds the newest frame only: who is slow misses frames, and holds up nobody.

    Made inside the running event loop of the viewers.
    """

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()

    def put(self, frame: Frame) -> None:
        """Replace the frame; from any thread."""
        self.frame = frame
        if self._waiting:
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Say that no frame follows; from within the loop."""
        self._closed = True
        self._wake()

    async def after(self, seen: Frame | None) -> Frame | None:
        """Wait for a frame other than `seen`; None once closed."""
        while not self._closed:
            # First wait, then look: so no frame slips through between the two.
            wake = self._loop.create_future()
            self._waiting.add(wake)
            try:
                if self.frame is not seen:
                    return self.frame
                await wake
            finally:
                self._waiting.discard(wake)
        return None

    def _wake(self) -> None:
        for wake in self._waiting:
            if not wake.done():
                wake.set_result(None)
