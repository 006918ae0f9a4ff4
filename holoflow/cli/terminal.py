"""The terminal: keys, signals, and restoring its state."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = b"\0"


@contextmanager
def heard(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call `on_signal` in a thread of its own for each of `SIGNALS` that arrives in the block.

    SIGHUP stays ignored if it was, as under nohup.

    A Python signal handler runs in the main thread between two bytecodes, so never while that
    thread is inside a scheduler's C++. But Python's C handler writes the signal's number to the
    wakeup descriptor at once, where another thread can wait for it. Call it in the main thread.
    """
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    listener = threading.Thread(
        target=_listen, args=(receiving, on_signal), name="holoflow-signals", daemon=True
    )
    listener.start()
    nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    heeded = [number for number in SIGNALS if number != signal.SIGHUP or not nohup]
    handlers = {number: signal.signal(number, _leave_to_listener) for number in heeded}
    wakeup = signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.write(sending, _END)
        listener.join()
        os.close(sending)
        os.close(receiving)


def _leave_to_listener(_number: int, _frame: object) -> None:
    """Do nothing: a Python handler must be set for the C handler to write the number."""


def _listen(receiving: int, on_signal: Callable[[], None]) -> None:
    while (number := os.read(receiving, 1)) != _END:
        if number[0] in SIGNALS:
            on_signal()


_SHOW_CURSOR = b"\x1b[?25h"


def is_live() -> bool:
    """Whether stdout is a terminal that can show a table in place."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def remember() -> Callable[[], None]:
    """Return a function that restores the terminal's present state.

    The function may be called from any thread, even one that will not return: it takes no lock
    and bypasses Python's buffers.
    """
    show_cursor = is_live()
    output = sys.stdout.fileno() if show_cursor else -1
    modes = _modes()

    def restore() -> None:
        try:
            if show_cursor:
                os.write(output, _SHOW_CURSOR)
            # The terminal stops a background program that sets modes.
            if modes is not None and os.tcgetpgrp(0) == os.getpgrp():
                termios.tcsetattr(0, termios.TCSANOW, modes)
        except (OSError, termios.error):  # the terminal is gone; there is nothing left to restore
            pass

    return restore


def _modes() -> list[Any] | None:
    return termios.tcgetattr(0) if os.isatty(0) else None


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
        """Wait up to `seconds`, calling `take` when there is `news`; it returns whether to redraw.

        Returns:
            The key that was pressed; `stop` if the shell is to get the terminal back (Ctrl-Z);
            `redraw` if its size has changed or there is something to show; an empty string when the
            time is over.
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
                # No byte at all: the terminal is gone, and no key can be pressed any more.
                return os.read(self._terminal, 64).decode("utf-8", "replace") or "q"
            if news in ready and take():
                return "redraw"
            if not ready and time.monotonic() >= due:
                return ""


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Yield the keyboard in a mode without line buffering, and restore it afterwards.

    Ctrl-C and SIGTERM raise KeyboardInterrupt. Call it in the main thread.
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
