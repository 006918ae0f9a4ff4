"""How a process of the command begins and ends, even where some of its threads do not end."""

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
    """End at once at Ctrl-C until `ready` is called; only in the command itself."""
    if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def ready() -> None:
    """Have Ctrl-C raise KeyboardInterrupt: from now on somebody turns that into a message."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this process is `holoflow` or `python -m holoflow`, and not a user of the library."""
    if sys.argv[:1] == ["-m"]:  # what Python says while it looks for the module
        after = sys.orig_argv.index("-m") + 1 if "-m" in sys.orig_argv else 0
        return sys.orig_argv[after : after + 1] == ["holoflow"]
    return bool(sys.argv) and Path(sys.argv[0]).name == "holoflow"


def _end(_number: int, _frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


guard()


PATIENCE = 5.0
"""Seconds that threads get to end by themselves."""

_log = logging.getLogger(__name__)


def leave(status: int, *, besides: Collection[threading.Thread] = ()) -> NoReturn:
    """End the process with `status`, whatever its threads do; `besides` may go on to its end.

    Python waits for threads for ever; and where an operator is left behind in a call, it takes
    the interpreter away from under it, and the process dies of a signal. So where threads are
    left the process ends without Python's own way of ending.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # how it ends is decided, and soon
    deadline = time.monotonic() + PATIENCE
    for thread in _others():
        if not thread.daemon and thread not in besides:
            thread.join(max(deadline - time.monotonic(), 0.0))
    left = [thread for thread in _others() if thread not in besides]
    if not left:
        sys.exit(status)
    held = [thread.name for thread in left if not thread.daemon]
    if held:
        sys.stderr.write(f"not waited for any longer: thread {', '.join(held)}\n")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def _others() -> list[threading.Thread]:
    """Return the threads of Python's that are there beside this one."""
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
        and not isinstance(thread, threading._DummyThread)  # those of Holoscan that have ended, too
    ]
