"""Operators of the apps that are timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from holoflow import Operator


class FirstFrameOp(Operator):
    """Write when the first frame arrives, in nanoseconds of the monotonic clock."""

    def start(self) -> None:
        """Wait for it."""
        self._seen = False

    def process(self, frame: Any) -> None:  # noqa: ARG002 - it has only to arrive
        """Write the time at the first call."""
        if not self._seen:
            self._seen = True
            (self.context.output / "first").write_text(str(time.monotonic_ns()))


class IdleOp(Operator):
    """A source that gives one number, and then nothing more until the run ends."""

    live = True

    def frames(self) -> Iterator[int]:
        """Yield 0, then wait."""
        yield 0
        self.context.ending.wait()


class PassOp(Operator):
    """Passes numbers on."""

    def process(self, value: int) -> int:
        """Return `value`."""
        return value
