"""Ctrl-C while the command `holoflow` still imports: it ends with a word, not with a traceback."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

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
