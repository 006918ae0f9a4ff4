"""What a source gives, and reading a live one in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from holoflow.core.times import SECOND
from holoflow.engine.control import Control
from holoflow.engine.runner import OperatorRunner

clock = time.monotonic_ns

END = object()
"""The item of a source that has no more frames."""


class Drawn(NamedTuple):
    """An item that a source has given."""

    item: Any
    captured: int
    """When it was captured, by the clock of the run (ns)."""
    got: int
    """When it was obtained, by `clock` (ns)."""
    working: int
    """Nanoseconds for which the source worked on it or waited for its device."""


class Reading(Protocol):
    """The stage of a live source."""

    name: str
    control: Control
    runner: OperatorRunner
    pauses: bool

    def wake(self) -> None:
        """Schedule the stage: a frame has come."""


class SourceReader:
    """Reads a live source, which waits for a device, in a thread of its own."""

    ROOM = 4
    """Most frames held, so that a short delay of the app loses none. Then the device loses frames
    and counts them, or the oldest is dropped for the newest."""
    OVERLOAD = SECOND
    """Nanoseconds after a drop in which only the newest frame is held."""

    def __init__(self, stage: Reading, frames: Iterator[Any], *, newest: bool) -> None:
        """Read `frames` for `stage`; `newest`: drop frames that it does not fetch in time."""
        self._stage = stage
        self._frames = frames
        self._newest = newest
        self._items: deque[Drawn] = deque()
        self._fetched = threading.Condition()
        """Held for any change of the items; notified when one has been fetched."""
        self._dropped = -self.OVERLOAD
        """When a frame was last dropped (ns)."""
        self._stopped = False
        self.thread = threading.Thread(target=self._run, name=f"read {stage.name}", daemon=True)

    def _run(self) -> None:
        captured = self._stage.control.captured
        item: Any = None
        while item is not END:
            with self._fetched:
                self._fetched.wait_for(lambda: self._stopped or self._has_room())
            if self._stopped:
                return
            try:
                drawn = draw(self._frames, captured)
            except BaseException as error:
                drawn = Drawn(_Raised(error), 0, 0, 0)
            item = drawn.item
            if item is None and self._stage.pauses:
                continue
            with self._fetched:
                if self._newest and item is not END:
                    self._drop_old()
                self._items.append(drawn)
            self._stage.wake()

    def _has_room(self) -> bool:
        """Whether a frame may be drawn; errors are not dropped for one."""
        held = self._items
        if self._newest:
            held = deque(drawn for drawn in held if isinstance(drawn.item, _Raised))
        return len(held) < self.ROOM

    def _drop_old(self) -> None:
        """Drop what the app had no room for before a newer frame, which comes now."""
        now = clock()
        room = 1 if now - self._dropped < self.OVERLOAD else self.ROOM
        while len(self._items) >= room and not isinstance(self._items[0].item, _Raised):
            self._items.popleft()
            self._dropped = now
            self._stage.runner.meter.count_drop("full", 1)

    def read(self) -> Drawn:
        """Return the next frame; its item is None if there is none yet.

        Raises whatever the source raised.
        """
        with self._fetched:
            if not self._items:
                return NOTHING
            drawn = self._items.popleft()
            self._fetched.notify()
        if isinstance(drawn.item, _Raised):
            raise drawn.item.error
        return drawn

    def stop(self) -> None:
        """Read no further frame."""
        with self._fetched:
            self._stopped = True
            self._fetched.notify()


class _Raised:
    """An exception on its way to another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


NOTHING = Drawn(None, 0, 0, 0)


def draw(frames: Iterator[Any], captured: Callable[[], int]) -> Drawn:
    """Return what `frames` gives next, `END` at its end; raises whatever the source raises."""
    start = clock()
    item = next(frames, END)
    got = clock()
    return Drawn(item, captured(), got, got - start)
