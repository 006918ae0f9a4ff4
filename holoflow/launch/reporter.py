"""A process's end of the line to its launcher: what it reports, and what it is told."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from holoflow.cli import log
from holoflow.flow.books import Snapshot
from holoflow.launch.control import BEAT, Beat, Message, State, Told, message_line

MOST_TOLD = 1000
"""Entries of the log that wait to be sent; what comes when there are more is counted only."""
LONGEST = 16_384
"""Characters of an entry that are sent."""
FAREWELL = 10.0
"""Seconds that the last messages get to be sent."""


_log = logging.getLogger(__name__)


class Reporter:
    """Sends what there is to say, from a thread of its own, so that nobody waits for it.

    That thread is also the sign that the process is alive and Python's interpreter lock free.
    """

    def __init__(self, line: socket.socket) -> None:
        """Begin to report on `line`."""
        self._line = line
        self._told: deque[Told] = deque()
        self._untold = 0
        self._snapshot: Snapshot | None = None
        self._said: deque[Message] = deque()
        self._ending = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._report, name="holoflow-report", daemon=True)
        self._thread.start()

    def say(self, message: Message) -> None:
        """Send `message`, whatever else waits to be sent."""
        with self._news:
            self._said.append(message)
            self._news.notify()

    def show(self, snapshot: Snapshot) -> None:
        """Send a snapshot, unless there is a newer one before it can be sent."""
        with self._news:
            self._snapshot = snapshot
            self._news.notify()

    def log(self, record: logging.LogRecord) -> None:
        """Send what was logged."""
        text = log.message(record)[:LONGEST]
        with self._news:
            if len(self._told) < MOST_TOLD:
                self._told.append(Told(record.levelno, record.name, text, record.created))
            else:
                self._untold += 1
            self._news.notify()

    def close(self) -> None:
        """Send what is left to say."""
        with self._news:
            self._ending = True
            self._news.notify()
        self._thread.join(FAREWELL)

    def _report(self) -> None:
        while True:
            with self._news:
                if not (self._said or self._told or self._snapshot or self._ending):
                    self._news.wait(BEAT)
                messages, ending = self._take(), self._ending
            try:
                for message in messages or ([] if ending else [Beat()]):
                    self._line.sendall(message_line(message))
            except OSError:  # the launcher has gone; `orders` knows what to do
                return
            if ending and not messages:
                return

    def _take(self) -> list[Message]:
        """Return what is to be sent; what is said to be said comes last."""
        messages: list[Message] = [*self._told]
        if self._untold:
            lost = f"{self._untold} entries of the log were too many to be sent"
            messages.append(Told(logging.WARNING, "holoflow.launch", lost, time.time()))
        if self._snapshot is not None:
            messages.append(State(self._snapshot))
        messages += self._said
        self._told.clear()
        self._said.clear()
        self._untold, self._snapshot = 0, None
        return messages


def lines(line: socket.socket) -> Iterator[bytes]:
    """Yield what the launcher says, to the end of the line."""
    with line.makefile("rb") as stream:
        yield from stream


def obey(told: Iterator[bytes], do: Callable[[bytes], None]) -> threading.Thread:
    """Call `do` for each order, from a thread; at the line's end all of this group ends at once.

    Returns the thread, which goes on to the end of the process.
    """

    def listen() -> None:
        for order in told:
            try:
                do(order)
            except Exception:
                _log.exception("an order of the launcher's is not obeyed")
        os.killpg(0, signal.SIGKILL)

    thread = threading.Thread(target=listen, name="holoflow-orders", daemon=True)
    thread.start()
    return thread
