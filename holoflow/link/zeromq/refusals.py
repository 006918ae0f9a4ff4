"""Strangers and what they send: refused, counted, and told now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

_log = logging.getLogger("holoflow.link")

_PAUSE: Final = 10.0
"""Seconds between two lines of the log on the same cause."""


class Refusals:
    """How often what was refused, by cause. Who adds holds the loop's lock; any may read `counts`.

    Causes: `connection` (broken off before both ends knew each other: noise, no encryption, a
    wrong key), `key` (a key that is not allowed), `version`, `app`, `flow`, `second` (a sender
    of another program), `malformed`, `unknown` (a message of someone who has not said hello),
    `excess` (more than any of ours sends).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was refused yet."""
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}

    def add(self, cause: str, detail: str) -> None:
        """Count a refusal, and log it unless one of the cause was logged just now."""
        self.counts[cause] += 1
        now = self._clock()
        at, count = self._told.get(cause, (-_PAUSE, 0))
        if now - at < _PAUSE:
            return
        more = self.counts[cause] - count - 1
        self._told[cause] = now, self.counts[cause]
        _log.warning("refused: %s%s", detail, f" (and {more} more before)" if more else "")
