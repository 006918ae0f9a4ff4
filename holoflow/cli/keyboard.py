"""Keys as they are pressed, for a command that has the whole terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Readable(Protocol):
    """Something that `select` can wait for."""

    def fileno(self) -> int:
        """Return its descriptor."""


class Keyboard:
    """Waits for keys, for signals and for something else at once."""

    def __init__(self, terminal: int | None, signals: int) -> None:
        """Read keys from `terminal`, if there is one, and numbers of signals from `signals`."""
        self._terminal = terminal
        self._signals = signals

    def wait(self, seconds: float, news: Readable, take: Callable[[], bool]) -> str:
        """Wait so long, and call `take` whenever there is `news`; it says whether to show it.

        Returns at once what was pressed; `stop` where the shell is to get the terminal back
        (Ctrl-Z), `redraw` where its size has changed or there is something to show, and an empty
        string when time is over.
        """
        inputs: list[int | Readable] = [self._signals, news]
        if self._terminal is not None:
            inputs.append(self._terminal)
        due = time.monotonic() + seconds
        while True:
            left = max(due - time.monotonic(), 0.0)
            ready, _, _ = select.select(inputs, [], [], left)
            if self._signals in ready:
                said = os.read(self._signals, 64)
                if signal.SIGTSTP in said:
                    return "stop"
                if signal.SIGWINCH in said:
                    return "redraw"
            if self._terminal is not None and self._terminal in ready:
                # No byte at all: the terminal is gone, and nobody can press anything any more.
                return os.read(self._terminal, 64).decode("utf-8", "replace") or "q"
            if news in ready and take():
                return "redraw"
            if not ready and time.monotonic() >= due:
                return ""


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Give the keyboard as it is without waiting for a return key, and take it back afterwards.

    Ctrl-C and SIGTERM raise KeyboardInterrupt. Only in the main thread.
    """
    terminal = 0 if sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp() else None
    modes = None if terminal is None else termios.tcgetattr(terminal)
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    handlers = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTERM, signal.default_int_handler),
            (signal.SIGTSTP, _leave_to_wait),
            (signal.SIGWINCH, _leave_to_wait),
        )
    }
    wakeup = signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    try:
        if terminal is not None:
            tty.setcbreak(terminal)
        yield Keyboard(terminal, receiving)
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, before in handlers.items():
            signal.signal(number, before)
        if terminal is not None and modes is not None:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        os.close(sending)
        os.close(receiving)


def _leave_to_wait(_number: int, _frame: object) -> None:
    """Do nothing: a Python handler must be set for the number to arrive at the descriptor."""
