"""What others took of the machine's cores while something was measured."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_IDLE = (3, 4)
"""Fields of /proc/stat that count idle time, waiting for disks included."""
_COUNTED = 8
"""Fields before those that are counted in others as well."""


def own() -> float:
    """Return the CPU seconds of this process and of the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def busy() -> float | None:
    """Return the CPU seconds of the whole machine since it started; None where nobody counts."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : 1 + _COUNTED]
    except OSError:
        return None
    ticks = sum(int(field) for number, field in enumerate(fields) if number not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")


class Load:
    """Measures from when it is made on."""

    def __init__(self) -> None:
        """Begin."""
        self._own, self._busy, self._begin = own(), busy(), time.monotonic()

    def cpu(self) -> float:
        """Return the CPU seconds that this process and its children have taken."""
        return own() - self._own

    def others(self) -> float | None:
        """Return how many cores all other processes took on average; None where nobody counts."""
        now = busy()
        if now is None or self._busy is None:
            return None
        return max(now - self._busy - self.cpu(), 0.0) / (time.monotonic() - self._begin)
