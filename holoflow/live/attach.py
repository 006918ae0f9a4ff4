"""Following a running app from another process, through its restarts."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from types import TracebackType

from holoflow.core.errors import HoloflowError
from holoflow.live import sockets
from holoflow.live.protocol import LIMIT, Hello, read_hello, read_snapshot
from holoflow.live.sockets import SocketAddress
from holoflow.live.state import LiveRun, LiveState, RunningApp, StateKind

SCAN = 0.5
"""Seconds between two scans for new processes."""
ANSWER = 2.0
"""Seconds that a process has to say hello."""
AGAIN = 5.0
"""Seconds after which a socket that could not be understood is tried again."""
_PIECE, _PIECES = 1 << 20, 32
"""Bytes that are read at once, and how often before other sockets have their turn."""


def running() -> list[RunningApp]:
    """Return the runs of this user that can be watched, the newest first."""
    with Attachment() as attachment:
        return list(attachment.look().running)


class Attachment:
    """Follows an app: all processes of its newest run, and the next run when that has ended.

    A context manager, for use in one thread. Callers usually iterate over `states`. A caller that
    also waits for other things waits up to `SCAN` seconds for `fileno` to be readable, and then
    calls `wait(0)`.
    """

    def __init__(self, app: str | None = None) -> None:
        """Follow the app called `app`; without a name, the first that is found running alone."""
        self.app = app
        self._selector = selectors.EpollSelector()
        self._connections: dict[SocketAddress, _Connection] = {}
        self._problems: dict[SocketAddress, tuple[str, float]] = {}
        """What is wrong with a socket, and when that was found (monotonic s)."""
        self._closed: list[str] = []
        """What is wrong with the folders of sockets."""
        self._runs: dict[tuple[str, str], LiveRun] = {}
        self._current: LiveRun | None = None
        self._scanned = -SCAN

    def __enter__(self) -> Attachment:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.line.close()
        self._selector.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news."""
        return self._selector.fileno()

    def states(self, every: float) -> Iterator[LiveState]:
        """Yield the state every `every` seconds, forever."""
        while True:
            due = time.monotonic() + every
            while (left := due - time.monotonic()) > 0:
                self.wait(left)
            yield self.state()

    def look(self) -> LiveState:
        """Return the first state that is not `looking`."""
        while (state := self.state()).kind == "looking":
            self.wait(SCAN)
        return state

    # -- reading -----------------------------------------------------------------------------

    def wait(self, timeout: float) -> None:
        """Read what has arrived; wait up to `timeout` seconds for the first data."""
        now = time.monotonic()
        if now - self._scanned >= SCAN:
            self._scan(now)
        left = max(min(timeout, self._scanned + SCAN - now), 0.0)
        for key, _ in self._selector.select(left):
            self._read(key.data)

    def _scan(self, now: float) -> None:
        """Connect to new sockets, and give up those that do not answer."""
        self._scanned = now
        self._closed.clear()
        there: list[SocketAddress] = []
        for place in sockets.places():
            try:
                there += sockets.addresses(place)
            except HoloflowError as error:
                self._closed.append(str(error))
        self._problems = {a: said for a, said in self._problems.items() if a in there}
        for address in there:
            _, again = self._problems.get(address, ("", 0.0))
            if address not in self._connections and self._wanted(address) and now >= again:
                line = sockets.connect(address)
                if line is not None:
                    made = _Connection(address, line, now)
                    self._connections[address] = made
                    self._selector.register(line, selectors.EVENT_READ, made)
                elif address.path.exists():
                    self._problems[address] = "too many connections wait there", now
        for connection in list(self._connections.values()):
            if connection.hello is None and now - connection.heard > ANSWER:
                self._give_up(connection)

    def _wanted(self, address: SocketAddress) -> bool:
        return self.app is None or address.name.startswith(sockets.short(self.app) + ".")

    def _give_up(self, silent: _Connection) -> None:
        if sockets.is_gone(silent.address.pid):  # a child of the process holds the socket open
            sockets.remove(silent.address)
        self._end(silent, "it does not answer; it may be stopped")

    def _read(self, connection: _Connection) -> None:
        try:
            goes_on = connection.read()
            self._note(connection)
        except HoloflowError as error:
            self._end(connection, str(error))
            return
        if not goes_on:
            early = connection.hello is None
            self._end(
                connection, "it accepts no connection; too many may be watching it" if early else ""
            )

    def _note(self, connection: _Connection) -> None:
        """Add what has arrived to the statistics of its run."""
        hello = connection.hello
        if hello is None or self.app not in (None, hello.app):
            return
        self._problems.pop(connection.address, None)
        if hello.phases is not None:  # a launcher, which has no statistics
            return
        run = self._runs.setdefault((hello.app, hello.run), LiveRun(hello.app, hello.run))
        line, connection.newest = connection.newest, None
        run.hear(hello, connection.heard, None)
        if line is not None:
            run.hear(hello, connection.heard, read_snapshot(line, hello))

    def _end(self, connection: _Connection, problem: str) -> None:
        self._selector.unregister(connection.line)
        connection.line.close()
        del self._connections[connection.address]
        hello = connection.hello
        if hello is not None and hello.phases is None:
            run = self._runs.get((hello.app, hello.run))
            if run is not None:
                run.end(hello)
        if problem:
            self._problems[connection.address] = problem, time.monotonic() + AGAIN

    # -- what is known -----------------------------------------------------------------------

    def ask(self) -> tuple[list[Hello], dict[SocketAddress, str]]:
        """Return the hellos of all processes, and why some have not answered.

        Waits until each has answered, at most a little more than `ANSWER` seconds.
        """
        self.wait(0)
        while not self._settled():
            self.wait(SCAN)
        said = [made.hello for made in self._connections.values() if made.hello is not None]
        hellos = [hello for hello in said if self.app in (None, hello.app)]
        return hellos, {address: why for address, (why, _) in self._problems.items()}

    def address(self, pid: int) -> SocketAddress | None:
        """Return where the process `pid` listens; None if it has not said hello."""
        made = (c for c in self._connections.values() if c.hello is not None and c.hello.pid == pid)
        return next((c.address for c in made if c.hello and c.hello.phases is None), None)

    def state(self) -> LiveState:
        """Return the current state."""
        live = sorted((r for r in self._runs.values() if r.live), key=lambda run: -run.began)
        settled = self._settled()
        if self.app is None and settled and len({run.app for run in live}) == 1:
            self.app = live[0].app
        shown = live if self.app is None else [run for run in live if run.app == self.app]
        if self.app is not None and shown:
            self._current = shown[0]
        current = self._current
        self._runs = {k: run for k, run in self._runs.items() if run.live or run is current}
        return LiveState(
            kind=self._kind(shown, settled),
            app=self.app or "",
            run=current.run if current else "",
            snapshot=current.snapshot if current else None,
            fragments=current.fragments(time.monotonic()) if current else {},
            histories=current.histories if current else {},
            running=tuple(run.running() for run in shown),
            problems=(
                *self._closed,
                *(f"{why}: {at.path}" for at, (why, _) in self._problems.items()),
            ),
        )

    def _kind(self, shown: list[LiveRun], settled: bool) -> StateKind:
        if shown:
            return "live" if self.app is not None else "several" if settled else "looking"
        if self._current is not None:
            return "ended"
        return "none" if settled else "looking"

    def _settled(self) -> bool:
        """Whether every socket of the last scan has said hello."""
        return self._scanned > 0 and not any(
            connection.hello is None and address not in self._problems
            for address, connection in self._connections.items()
        )


class _Connection:
    """A socket, and the part of the current line that has arrived."""

    def __init__(self, address: SocketAddress, line: socket.socket, now: float) -> None:
        self.address = address
        self.line = line
        self.hello: Hello | None = None
        self.newest: bytes | None = None
        """The newest complete line after the hello that has not been taken yet."""
        self.heard = now
        self._begun = bytearray()

    def read(self) -> bool:
        """Read what has arrived; false at the end. Raises HoloflowError for invalid data."""
        try:
            for _ in range(_PIECES):
                piece = self.line.recv(_PIECE)
                if not piece:
                    return False
                self._take(piece)
        except BlockingIOError:
            pass
        except OSError:  # reset
            return False
        return True

    def _take(self, piece: bytes) -> None:
        self.heard = time.monotonic()
        ended, end, rest = piece.rpartition(b"\n")
        if end:
            lines = bytes(self._begun + ended).split(b"\n")
            if self.hello is None:
                self.hello = read_hello(lines.pop(0))
            if lines:
                self.newest = lines[-1]
            self._begun = bytearray()
        self._begun += rest
        if len(self._begun) > LIMIT:
            raise HoloflowError("it sends lines that are too long")
