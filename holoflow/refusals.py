"""Strangers and what they send: refused, counted, and told now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

_PAUSE: Final = 10.0
"""Seconds between two lines of the log on the same cause."""

_Clock: TypeAlias = Callable[[], float]


class Refusals:
    """How often what was refused, by cause. One at a time adds; any may read `counts`."""

    def __init__(self, log: logging.Logger, clock: _Clock = time.monotonic) -> None:
        """Nothing was refused yet; what is refused is told to `log`."""
        self.counts: Counter[str] = Counter()
        self._log = log
        self._limit = _Limit(clock)

    def add(self, cause: str, detail: str) -> None:
        """Count a refusal, and log it unless one of the cause was logged just now."""
        self.counts[cause] += 1
        more = self._limit.pass_on(cause)
        if more is not None:
            self._log.warning("refused: %s%s", detail, _and_more(more))


class Seldom(logging.Filter):
    """Lets each message of a library pass now and then, however often strangers cause it."""

    def __init__(self, clock: _Clock = time.monotonic) -> None:
        """Nothing was logged yet."""
        super().__init__()
        self._limit = _Limit(clock)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log `record`; it then says how many like it were not."""
        more = self._limit.pass_on(str(record.msg))
        if more:
            record.msg, record.args = record.getMessage().rstrip() + _and_more(more), ()
        return more is not None


class _Limit:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._kept: Counter[str] = Counter()

    def pass_on(self, kind: str) -> int | None:
        """Return how many of `kind` were kept back before this one; None to keep it back, too."""
        now = self._clock()
        if now - self._passed.get(kind, -_PAUSE) < _PAUSE:
            self._kept[kind] += 1
            return None
        self._passed[kind] = now
        return self._kept.pop(kind, 0)


def _and_more(count: int) -> str:
    return f" (and {count} more before)" if count else ""
