"""The names of what iceoryx2 keeps in `/dev/shm`, and its removal after a crash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108
"""Where Linux keeps shared memory."""

_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}")


def prefix(run: str) -> str:
    """Return what the names of all shared memory of `run` begin with, and of no other run."""
    # No underscore within: else the name of one run could be the beginning of another's.
    name = run if _PLAIN.fullmatch(run) else hashlib.blake2s(run.encode()).hexdigest()[:32]
    return f"holoflow_{name}_"


def remove_leftovers(run: str, memory: Path = MEMORY) -> list[str]:
    """Remove the shared memory that `run` has left, and return the names of what was removed.

    None of its processes may be alive any more. All else that iceoryx2 keeps is in the folder of
    the run.
    """
    begin = prefix(run)
    removed = []
    try:
        names = sorted(os.listdir(memory))
    except OSError:
        return []
    for name in names:
        if name.startswith(begin):
            with contextlib.suppress(OSError):  # another user's, or gone by now
                (memory / name).unlink()
                removed.append(name)
    return removed
