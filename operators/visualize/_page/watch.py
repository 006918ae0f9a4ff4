"""Looks at the run while somebody looks at the dashboard, once for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from holoflow.operators.visualize._page.board import Board, Update
from holoflow.operators.visualize._page.newest import Newest
from holoflow.stats.snapshot import Sample, Snapshot

EVERY = 0.5
"""Seconds between updates, at least."""
LOOK = 0.1
"""Seconds between looks whether there is a new snapshot."""


class Watch:
    """Makes updates while viewers wait for some.

    Made inside the running event loop of the viewers.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot | None],
        history: Callable[[], Sequence[Sample]],
        log: logging.Logger,
    ) -> None:
        """Look at the run that the two functions tell of."""
        self._snapshot = snapshot
        self._history = history
        self._log = log
        self._newest: Newest[Update] = Newest()
        self._viewers = 0
        self._working: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def viewer(self) -> Iterator[Newest[Update]]:
        """Give a viewer what holds the newest update; made as long as there are viewers."""
        self._viewers += 1
        if self._working is None:
            # A state of long ago would be shown as that of now.
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
        """Say that no update follows."""
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
                # In a thread of its own, as pictures are waiting to be sent.
                self._newest.put(await asyncio.to_thread(board.update, snapshot))
                await asyncio.sleep(EVERY)
        except Exception:
            self._log.exception("the dashboard of the live page has failed")
            self._newest.close()
