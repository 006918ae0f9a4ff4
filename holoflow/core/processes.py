"""Starting Python programs as processes of their own, and how processes end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

DEATH_SIGNAL, SUBREAPER = 1, 36
"""Options of prctl(2)."""


def python(module: str) -> list[str]:
    """Return the beginning of the command that runs `module` with this Python."""
    # Files in the current folder must not shadow modules of the standard library, unless they
    # do so here too.
    here = sys.path[0] in ("", os.getcwd())
    safe = ["-P"] if sys.version_info >= (3, 11) and not here else []
    return [sys.executable, *safe, "-m", module]


def prctl(option: int, value: int) -> None:
    """Set an option of this process; nothing happens outside Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have this process killed when the thread that started it ends, in the process `parent`."""
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it has died already
        os.kill(os.getpid(), signal.SIGKILL)


def describe_exit(status: int) -> str:
    """Return how a process ended, in words; `status` is negative for a signal."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"its process was killed by {name}"
