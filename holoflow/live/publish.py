"""Publishing the state of a running app to other processes of its user."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeAlias

from holoflow.core.errors import HoloflowError, parts
from holoflow.live import sockets
from holoflow.live.protocol import (
    LIMIT,
    LONGEST_REQUEST,
    VERSION,
    ChangeAnswer,
    ChangeRequest,
    Hello,
    Phase,
    read_request,
)
from holoflow.stats import standing
from holoflow.stats.snapshot import Sample, Snapshot, to_json
from holoflow.stats.standing import stuck

Change: TypeAlias = Callable[[str, str, Any], None]
"""Changes a live parameter: operator, parameter, value; raises HoloflowError if it cannot."""

WATCHERS = 32
"""Most watchers at a time."""
PATIENCE = 10.0
"""Seconds after which a watcher that is behind and reads nothing is disconnected."""
LAST_SEND = 0.5
"""Seconds that sending the last snapshot may take."""

_log = logging.getLogger(__name__)


class Publisher:
    """Publishes the newest snapshot of a fragment to all watchers, from a thread of its own.

    A context manager. A slow watcher gets fewer snapshots; no watcher can delay the app or make it
    keep more than one snapshot. If publishing fails, the app continues without it, and a log record
    says why.
    """

    def __init__(
        self, app: str, run: str, fragment: str, *, whole: bool = True, change: Change | None = None
    ) -> None:
        """Publish `fragment` of the run `run` of `app`; `whole` if it is the whole app.

        `change` changes a live parameter of it, for whoever asks; None: nobody may.
        """
        self._whole = whole
        self._change = change
        self._hello = Hello(VERSION, app, run, fragment, os.getpid(), time.time())
        self._name = sockets.name(app, run, fragment, os.getpid())
        self._address: sockets.SocketAddress | None = None
        self._newest: tuple[int, Snapshot, Sequence[Sample]] | None = None
        self._shown: float | None = None
        """When something was last published (monotonic s)."""
        self._phases: Mapping[str, Phase] | None = None
        self._trouble = self._waits = ""
        self._line: tuple[int, bytes] = (0, b"")
        self._watchers: list[_Watcher] = []
        self._ending = False

    def __enter__(self) -> Publisher:
        failures = []
        for place in sockets.places():
            address = sockets.SocketAddress(place, self._name)
            try:
                self._server = sockets.listen(address)
            except (OSError, HoloflowError) as error:
                failures.append(str(error))
                continue
            self._address = address
            break
        if self._address is None:
            _log.info("this run cannot be watched with holoflow top: %s", "; ".join(failures))
            return self
        sockets.clean(self._address.place)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="holoflow-live", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._address is None:
            return
        sockets.remove(self._address)
        self._ending = True
        self._ring()
        self._thread.join()
        for watcher in self._watchers:
            watcher.line.close()
        self._selector.close()
        for end in (self._server, self._wake_reader, self._wake_writer):
            end.close()

    def put(self, snapshot: Snapshot, history: Sequence[Sample] = ()) -> None:
        """Publish `snapshot` from now on; `history` is sent to watchers that connect later."""
        number = 1 if self._newest is None else self._newest[0] + 1
        self._newest = (number, snapshot, history)
        self._shown = time.monotonic()
        if self._watchers:
            self._ring()

    def tell(self, phases: Mapping[str, Phase], trouble: str = "", waits: str = "") -> None:
        """Publish, as a launcher, what its fragments do. It sends no snapshots.

        Args:
            phases: What each fragment does.
            trouble: What is wrong with the run, if anything.
            waits: What is waited for if nothing has moved for long.
        """
        self._phases, self._trouble, self._waits = phases, trouble, waits
        self._shown = time.monotonic()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it is signalled already, or closed
            self._wake_writer.send(b"\0")

    # -- the thread --------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while not self._ending:
                self._turn(None)
            self._selector.unregister(self._server)
            deadline = time.monotonic() + LAST_SEND
            while self._offer() and (left := deadline - time.monotonic()) > 0:
                self._turn(left)
        except Exception:  # a fault of watching must not end a run
            _log.info("this run can no longer be watched", exc_info=True)

    def _turn(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._server:
                self._accept()
            elif key.fileobj is self._wake_reader:
                self._wake_reader.recv(4096)
            else:
                self._listen(key.data)
        self._offer()

    def _accept(self) -> None:
        try:
            line, _ = self._server.accept()
        except OSError:  # the watcher has gone, or no descriptor is free
            time.sleep(0.01)
            return
        if len(self._watchers) >= WATCHERS:
            line.close()
            return
        line.setblocking(False)
        watcher = _Watcher(line, self._greeting())
        self._selector.register(line, selectors.EVENT_READ, watcher)
        self._watchers.append(watcher)

    def _listen(self, watcher: _Watcher) -> None:
        """Take in what a watcher asks for; one that has gone, or asks for nonsense, is let go."""
        try:
            for line in watcher.receive():
                watcher.answers += to_json(self._answer(read_request(line))) + b"\n"
        except (OSError, HoloflowError):
            self._let_go(watcher)

    def _answer(self, request: ChangeRequest) -> ChangeAnswer:
        """Have a live parameter changed; returns what is wrong with that, if anything."""
        if self._change is None:
            return ChangeAnswer("its parameters cannot be changed", "start it without --read-only")
        try:
            self._change(request.operator, request.parameter, request.value)
        except HoloflowError as error:
            return ChangeAnswer(*parts(error))
        return ChangeAnswer()

    def _greeting(self) -> bytes:
        history = () if self._newest is None else tuple(self._newest[2])
        age = None if self._shown is None else time.monotonic() - self._shown
        hello = replace(self._hello, age=age, phases=self._phases, trouble=self._wrong())
        hello = replace(hello, waits=self._waiting())
        line = to_json(replace(hello, history=history)) + b"\n"
        return line if len(line) <= LIMIT else to_json(hello) + b"\n"

    def _wrong(self) -> str:
        """Return what is wrong with the process; empty if nothing is."""
        if self._newest is None:
            return self._trouble
        snapshot = self._newest[1]
        said = next(filter(None, map(stuck, snapshot.fragments)), "")
        return self._trouble or said or (standing.trouble(snapshot) if self._whole else "")

    def _waiting(self) -> str:
        """Return what is waited for, as far as this process knows."""
        if self._newest is None or not self._whole:
            return self._waits
        return standing.waits(self._newest[1])

    def _offer(self) -> bool:
        """Send each watcher as much as it accepts; true if one is still behind."""
        newest = self._newest
        now = time.monotonic()
        for watcher in list(self._watchers):
            try:
                watcher.send(now)
                if not watcher.left and watcher.answers:
                    watcher.begin(bytes(watcher.answers), now)
                    watcher.answers.clear()
                    watcher.send(now)
                if not watcher.left and newest is not None and watcher.seen != newest[0]:
                    watcher.seen = newest[0]
                    watcher.begin(self._encoded(*newest[:2]), now)
                    watcher.send(now)
            except OSError:
                self._let_go(watcher)
                continue
            if watcher.left and now - watcher.moved > PATIENCE:
                self._let_go(watcher)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if watcher.left else 0)
            self._selector.modify(watcher.line, events, watcher)
        if not self._watchers:
            self._line = (0, b"")
        return any(watcher.left for watcher in self._watchers)

    def _encoded(self, number: int, snapshot: Snapshot) -> bytes:
        """Return the line of a snapshot, encoded once for all watchers."""
        if self._line[0] != number:
            line = to_json(snapshot) + b"\n"
            self._line = (number, line if len(line) <= LIMIT else b"")
        return self._line[1]

    def _let_go(self, watcher: _Watcher) -> None:
        self._selector.unregister(watcher.line)
        self._watchers.remove(watcher)
        watcher.line.close()


class _Watcher:
    """A watcher, and the rest of the line that is being sent to it."""

    def __init__(self, line: socket.socket, hello: bytes) -> None:
        self.line = line
        self.left = memoryview(hello)
        self.seen = 0
        """Number of the newest snapshot that was sent to it."""
        self.moved = time.monotonic()
        """When it last accepted data (monotonic s)."""
        self.answers = bytearray()
        """Answers to its requests that are still to be sent."""
        self._asked = bytearray()

    def begin(self, text: bytes, now: float) -> None:
        self.left = memoryview(text)
        self.moved = now

    def send(self, now: float) -> None:
        """Send as much as is accepted; raises OSError if the watcher has gone."""
        while self.left:
            try:
                taken = self.line.send(self.left)
            except BlockingIOError:
                return
            self.left = self.left[taken:]
            self.moved = now

    def receive(self) -> list[bytes]:
        """Return the lines that it has sent whole.

        Raises:
            OSError: It has gone.
            HoloflowError: The line is too long.
        """
        try:
            piece = self.line.recv(LONGEST_REQUEST)
        except BlockingIOError:
            return []
        if not piece:
            raise ConnectionResetError
        self._asked += piece
        *lines, self._asked = self._asked.split(b"\n")
        if len(self._asked) > LONGEST_REQUEST:
            raise HoloflowError("the request is too long")
        return [bytes(line) for line in lines]
