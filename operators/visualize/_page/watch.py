"""Reads the state of the run while somebody watches the dashboard, once for all viewers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from holoflow.operators.visualize._page.board import Board, Update
from holoflow.stats.snapshot import Sample, Snapshot

T = TypeVar("T")


class Newest(Generic[T]):
    """Holds only the newest value: slow readers miss some, and hold up nobody.

    Must be made within the running event loop of the viewers.
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
        """Say that no further value follows; from within the loop."""
        self._closed = True
        self._wake()

    async def after(self, seen: T | None) -> T | None:
        """Wait for a value other than `seen`; None once it is closed."""
        while not self._closed:
            # Wait first, then read: so no value is missed in between.
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


EVERY = 0.5
"""Least seconds between updates."""
LOOK = 0.1
"""Seconds between checks for a new snapshot."""


class Updater:
    """Makes updates while viewers wait for them.

    Must be made within the running event loop of the viewers.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot | None],
        history: Callable[[], Sequence[Sample]],
        log: logging.Logger,
    ) -> None:
        """Make updates of the run that the two functions return.

        Args:
            snapshot: Returns the newest snapshot, if any.
            history: Returns the samples of the run so far.
            log: Where failures are logged.
        """
        self._snapshot = snapshot
        self._history = history
        self._log = log
        self._newest: Newest[Update] = Newest()
        self._viewers = 0
        self._working: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def viewer(self) -> Iterator[Newest[Update]]:
        """Give a viewer the newest updates, which are made as long as there are viewers."""
        self._viewers += 1
        if self._working is None:
            # An old state must not be shown as the current one.
            self._newest.value = None
            self._working = asyncio.create_task(self._work())
        try:
            yield self._newest
        finally:
            self._viewers -= 1
            if not self._viewers and self._working is not None:
                self._working.cancel()
                self._working = None

    def close(self) -> None:
        """Say that no further update follows."""
        self._newest.close()

    async def _work(self) -> None:
        board = Board(self._history)
        seen: Snapshot | None = None
        try:
            while True:
                snapshot = self._snapshot()
                fresh = snapshot is not seen or self._newest.value is None
                if not (fresh and self._newest.wanted):
                    await asyncio.sleep(LOOK)
                    continue
                seen = snapshot
                # In a thread, as pictures must be sent meanwhile.
                self._newest.put(await asyncio.to_thread(board.update, snapshot))
                await asyncio.sleep(EVERY)
        except Exception:
            self._log.exception("the dashboard of the live page has failed")
            self._newest.close()
