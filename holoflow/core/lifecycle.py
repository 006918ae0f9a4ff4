"""How the command's process starts and exits, even if some of its threads never finish."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

_INTERRUPTED = 130  # `ExitStatus` is imported too late


def guard() -> None:
    """Exit at once on Ctrl-C until `ready` is called; only in the command itself."""
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def ready() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again: from now on it is caught and reported."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this process is `holoflow` or `python -m holoflow`, not a program that imports it."""
    if sys.argv[:1] == ["-m"]:  # Python's placeholder while it looks for the module
        after = sys.orig_argv.index("-m") + 1 if "-m" in sys.orig_argv else 0
        return sys.orig_argv[after : after + 1] == ["holoflow"]
    return bool(sys.argv) and Path(sys.argv[0]).name == "holoflow"


def _end(_number: int, _frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


guard()


PATIENCE = 5.0
"""Seconds that threads have to finish by themselves."""

_log = logging.getLogger(__name__)


def leave(status: int, *, besides: Collection[threading.Thread] = ()) -> NoReturn:
    """Exit with `status`, whatever the other threads do.

    Python would wait for threads forever; and if an operator is still in a call, tearing down
    the interpreter under it kills the process with a signal. So while threads remain, the
    process exits without Python's own shutdown.

    Args:
        status: Exit status of the process.
        besides: Threads that are not waited for and do not count as remaining.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the exit is already under way
    deadline = time.monotonic() + PATIENCE
    for thread in _others():
        if not thread.daemon and thread not in besides:
            thread.join(max(deadline - time.monotonic(), 0.0))
    left = [thread for thread in _others() if thread not in besides]
    if not left:
        sys.exit(status)
    stuck = [thread.name for thread in left if not thread.daemon]
    if stuck:
        sys.stderr.write(f"not waited for any longer: thread {', '.join(stuck)}\n")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def _others() -> list[threading.Thread]:
    """Return Python's other threads."""
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
        and not isinstance(thread, threading._DummyThread)  # includes Holoscan's finished threads
    ]
