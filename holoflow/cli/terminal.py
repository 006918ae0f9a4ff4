"""The terminal: left as it was found, however a run ends."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable
from typing import Any

_SHOW_CURSOR = b"\x1b[?25h"


def is_live() -> bool:
    """Whether stdout is a terminal that can show a table in place."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def remember() -> Callable[[], None]:
    """Return a function that brings the terminal back into its present state.

    The function may be called from any thread, also from one that will not return: it takes no
    lock and goes past Python's buffers.
    """
    show_cursor = is_live()
    output = sys.stdout.fileno() if show_cursor else -1
    modes = _modes()

    def restore() -> None:
        try:
            if show_cursor:
                os.write(output, _SHOW_CURSOR)
            # A program in the background that sets modes is stopped by the terminal.
            if modes is not None and os.tcgetpgrp(0) == os.getpgrp():
                termios.tcsetattr(0, termios.TCSANOW, modes)
        except (OSError, termios.error):  # the terminal is gone; there is nothing left to restore
            pass

    return restore


def _modes() -> list[Any] | None:
    return termios.tcgetattr(0) if os.isatty(0) else None
