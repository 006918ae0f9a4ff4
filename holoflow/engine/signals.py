"""Keeps the program's signal handlers: Holoscan's run installs its own, and leaves them there."""

from __future__ import annotations

import ctypes
import signal
import threading
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LARGEST: Final = 256
"""Bytes that hold a `struct sigaction`, of which Linux has one of 152 at most."""


class SignalHandlers:
    """The handlers as they are now. Holoscan's would end a run without draining it.

    Python sets handlers in the main thread only; in another thread, from which a run may have been
    started too, the system sets those that it had.
    """

    def __init__(self) -> None:
        self._system = ctypes.CDLL(None)
        self._kept = {number: (signal.getsignal(number), self._now(number)) for number in _SIGNALS}

    def keep(self) -> None:
        """Set them again, with what Python code has changed meanwhile."""
        main = threading.current_thread() is threading.main_thread()
        for number, (before, action) in self._kept.items():
            handler = signal.getsignal(number)
            if main and handler is not None:
                signal.signal(number, handler)
            elif handler is before:
                self._system.sigaction(int(number), action, None)

    def _now(self, number: int) -> ctypes.Array[ctypes.c_char]:
        action = ctypes.create_string_buffer(_LARGEST)
        self._system.sigaction(int(number), None, action)
        return action
