"""Ctrl-C, SIGTERM and a closed terminal, heard at once wherever the main thread is."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = b"\0"


@contextmanager
def heard(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call `on_signal`, in a thread of its own, for every one of `SIGNALS` in the block.

    SIGHUP stays ignored where it is, as under nohup.

    A Python signal handler runs in the main thread between two bytecodes: never, while that
    thread is inside a scheduler's C++. But Python's C handler writes the signal's number to the
    wakeup descriptor at once, so that a thread can wait for it there. Only in the main thread.
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
