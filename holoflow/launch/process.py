"""One process of a fragment, as the launcher sees it, and whether it is well."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holoflow.app.graph import Fragment
from holoflow.core.errors import HoloflowError, ShortageError, is_shortage
from holoflow.core.output import left_out
from holoflow.launch.channel import (
    Channel,
    Command,
    Ended,
    LogEntry,
    Message,
    Ready,
    Refused,
    StateReport,
    order_line,
    read_message,
)
from holoflow.launch.configuration import WorkerSpec
from holoflow.launch.group import confined, exit_status, kill_group, own_memory, reap
from holoflow.launch.reaper import VARIABLE
from holoflow.stats import hangs
from holoflow.stats.snapshot import FragmentStats, Snapshot, to_json

FIRST_WORD = 30.0
"""Seconds that a new process gets at least until it is heard of: Python starts, and imports."""


@dataclass(frozen=True)
class ProcessSample:
    """What is known of a process at one moment."""

    silent: float
    """Seconds since it was last heard of."""
    new: bool = False
    """Whether it has never been heard of."""
    stats: FragmentStats | None = None
    """What it says of itself; None before it does, and once its run has ended."""
    memory: int | None = None
    """Bytes of its own; None where they are not bounded."""
    ending: bool = False
    """Whether its sources are to end."""


def judge(sample: ProcessSample, fragment: Fragment) -> str | None:
    """Return why a process of `fragment` must be killed; None where it is well."""
    patience = max(fragment.hang, FIRST_WORD) if sample.new else fragment.hang
    if sample.silent > patience:
        return f"it hangs: nothing was heard of it for {sample.silent:.1f} s"
    stats = sample.stats
    if stats is not None and stats.call_for > hangs.patience(
        fragment.hang, stats.call_usual, ending=sample.ending
    ):
        at_work = hangs.at_work(stats.call, stats.call_frame)
        return f"it hangs: {at_work} for {stats.call_for:.1f} s"
    if fragment.memory is not None and (sample.memory or 0) > fragment.memory:
        used, limit = (sample.memory or 0) / 1e6, fragment.memory / 1e6
        return f"it uses {used:,.0f} MB of memory, where it may use {limit:,.0f} MB"
    return None


def ended_how(status: int) -> str:
    """Return how a process ended, in words; `status` is negative for a signal."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"its process was killed by {name}"


LONGEST = 8192
"""Bytes of a printed line that are shown; a longer one becomes several."""
MOST_PRINTED = 16_000_000
"""Bytes of it that wait to be shown; what is printed when there are more is left out."""
AT_ONCE = 1000
"""Printed lines that are shown before anything else gets its turn."""
_PIECE = 1 << 20

_log = logging.getLogger(__name__)


class FragmentProcess:
    """A process that has been started, with all that it has said."""

    def __init__(
        self,
        worker_spec: WorkerSpec,
        environment: Mapping[str, str],
        cores: frozenset[int],
        now: float,
    ) -> None:
        """Start it, with what it gets on this machine. Raises HoloflowError where that fails."""
        self.fragment = worker_spec.fragment
        self.generation = worker_spec.generation
        self.mark = f"{worker_spec.options.run}/{worker_spec.fragment}/{worker_spec.generation}/"
        self.started = now
        self.ready = False
        self.began: float | None = None
        """When its sources began."""
        self.late = 0.0
        """How many seconds after those of the run that was."""
        self.snapshot: Snapshot | None = None
        """The newest that it has sent."""
        self.ended: Ended | None = None
        self.ended_at: float | None = None
        self.refused: Refused | None = None
        self.killed: str | None = None
        """Why the launcher has killed it."""
        self.heard: float | None = None
        """When it was last heard of."""
        own, given = socket.socketpair()
        out, printing = os.pipe()
        with contextlib.suppress(OSError):  # the system gives no more
            fcntl.fcntl(printing, fcntl.F_SETPIPE_SZ, _PIECE)
        try:
            with confined(cores):
                self._popen = subprocess.Popen(
                    [*_python(), str(given.fileno()), str(os.getpid()), worker_spec.fragment],
                    stdin=subprocess.DEVNULL,
                    stdout=printing,
                    stderr=subprocess.STDOUT,
                    pass_fds=(given.fileno(),),
                    env={**environment, VARIABLE: self.mark},
                    start_new_session=True,
                )
        except OSError as error:
            own.close()
            os.close(out)
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"fragment {worker_spec.fragment!r} cannot be started: {error}") from None
        finally:
            given.close()
            os.close(printing)
        os.set_blocking(out, False)
        self.pid = self._popen.pid
        self.extra = {"fragment": worker_spec.fragment}
        """For what is logged about it."""
        self.line = Channel(own)
        self._out = out
        self._prints = True
        self._begun_line = b""
        self._printed: deque[bytes] = deque()
        """Lines that are still to be shown, in all so many bytes:"""
        self._printed_size = 0
        self._left_out = 0
        self.line.send(to_json(worker_spec) + b"\n")

    # -- what it says ------------------------------------------------------------------------

    def descriptors(self) -> list[int]:
        """Return what can be read when it says or prints something."""
        found = [self.line.socket.fileno()] if self.line.open else []
        return [*found, self._out] if self._prints else found

    def hear(self, now: float) -> Iterator[logging.LogRecord]:
        """Take in what it has said; yields what it has logged and printed."""
        for line in self.line.lines():
            self.heard = now
            try:
                message = read_message(line)
            except HoloflowError as error:
                _log.warning("a message is left out: %s", error, extra=self.extra)
                continue
            if isinstance(message, LogEntry):
                yield self._record(message.logger, message.level, message.text, message.time)
            else:
                self._note(message, now)
        self.line.flush()
        for text in self._take_printed():
            yield self._record("", logging.INFO, text, time.time())

    def _note(self, message: Message, now: float) -> None:
        if isinstance(message, Ready):
            self.ready = True
        elif isinstance(message, StateReport):
            self.snapshot = message.snapshot
        elif isinstance(message, Refused):
            self.refused = message
        elif isinstance(message, Ended):
            self.ended, self.ended_at, self.snapshot = message, now, message.last

    def _record(self, logger: str, level: int, text: str, seconds: float) -> logging.LogRecord:
        return logging.makeLogRecord(
            {
                "name": logger, "levelno": level, "levelname": logging.getLevelName(level),
                "msg": text, "created": seconds, **self.extra,
            }
        )  # fmt: skip

    @property
    def has_said(self) -> bool:
        """Whether lines that it printed are still to be shown."""
        return bool(self._printed)

    def _take_printed(self) -> Iterator[str]:
        """Yield some of the lines that it, or what it has started, printed."""
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self._out, _PIECE) if self._prints else b""
            self._begun_line += piece
            self._prints = bool(piece)
        *lines, rest = self._begun_line.split(b"\n")
        if (rest and not self._prints) or len(rest) > LONGEST:
            lines.append(rest)
            rest = b""
        self._begun_line = rest
        if self._printed_size > MOST_PRINTED:
            self._left_out += len(lines)
        else:
            if self._left_out:
                lines.insert(0, left_out(self._left_out).encode())
                self._left_out = 0
            self._printed.extend(lines)
            self._printed_size += sum(map(len, lines))
        for _ in range(min(len(self._printed), AT_ONCE)):
            line = self._printed.popleft()
            self._printed_size -= len(line)
            for start in range(0, max(len(line), 1), LONGEST):
                piece = line[start : start + LONGEST]
                yield piece.decode("utf-8", "backslashreplace").rstrip()

    # -- what is done to it ------------------------------------------------------------------

    def tell(self, command: Command) -> None:
        """Give it an order."""
        self.line.send(order_line(command))

    def status(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return exit_status(self.pid)

    def memory(self) -> int:
        """Return how many bytes it has for itself, with what it has started."""
        return own_memory(self.pid)

    @property
    def stats(self) -> FragmentStats | None:
        """What it says of itself as long as its run goes on; None before it does."""
        if self.snapshot is None or self.ended is not None:
            return None
        return next(iter(self.snapshot.fragments), None)

    def sample(self, now: float, memory: int | None, *, ending: bool) -> ProcessSample:
        """Return what there is to judge it by.

        `memory` is what it uses, if it was looked at; `ending`: its sources are to end.
        """
        since = self.started if self.heard is None else self.heard
        return ProcessSample(now - since, self.heard is None, self.stats, memory, ending)

    def kill(self, why: str) -> None:
        """Kill it and all that it has started; `bury` it when it has ended."""
        self.killed = self.killed or why
        kill_group(self.pid, self.mark)

    def bury(self) -> None:
        """Leave nothing behind of it, nor of what it has started."""
        others = kill_group(self.pid, self.mark)
        self._popen.wait()
        reap(self.pid, others)

    def close(self) -> None:
        """Hear no more of it."""
        self.line.close()
        os.close(self._out)


def _python() -> list[str]:
    """Return the beginning of a command that runs `child`."""
    # What lies in the current folder must not stand in for a module of Python's own, unless it
    # does so here too.
    here = sys.path[0] in ("", os.getcwd())
    safe = ["-P"] if sys.version_info >= (3, 11) and not here else []
    return [sys.executable, *safe, "-m", "holoflow.launch.worker"]
