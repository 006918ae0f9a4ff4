"""A process of a fragment as the launcher sees it, and the watchdog that judges it."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holoflow.app.graph import Fragment
from holoflow.core.errors import HoloflowError, ShortageError, is_shortage
from holoflow.core.output import left_out
from holoflow.core.processes import python
from holoflow.core.text import duration, size
from holoflow.launch.channel import (
    Channel,
    Command,
    Ended,
    LogEntry,
    Message,
    OutcomeRequest,
    Ready,
    Refused,
    StateReport,
    StateRequest,
    decode_message,
    encode,
)
from holoflow.launch.configuration import WorkerSpec
from holoflow.launch.group import confined, exit_status, kill_group, own_memory, reap
from holoflow.launch.reaper import VARIABLE
from holoflow.stats import standing
from holoflow.stats.snapshot import FragmentStats, Snapshot, to_json

STARTUP = 30.0
"""Least seconds that a new process has until its first message: Python starts, and imports."""


@dataclass(frozen=True)
class ProcessSample:
    """What is known of a process at one moment."""

    silent: float
    """Seconds since its last message."""
    new: bool = False
    """Whether it has not sent any message yet."""
    stats: FragmentStats | None = None
    """Its latest statistics; None before the first, and once its run has ended."""
    memory: int | None = None
    """Bytes of memory that it uses; None if its memory is not limited."""
    ending: bool = False
    """Whether its sources are ending."""


def judge(sample: ProcessSample, fragment: Fragment) -> str | None:
    """Return why a process of `fragment` must be killed; None if it is well."""
    patience = max(fragment.hang, STARTUP) if sample.new else fragment.hang
    if sample.silent > patience:
        return f"it hangs: it has sent nothing for {duration(sample.silent)}"
    stats = sample.stats
    if stats is not None and stats.call_for > standing.patience(
        fragment.hang, stats.call_usual, ending=sample.ending
    ):
        at_work = standing.at_work(stats.call, stats.call_frame)
        return f"it hangs: {at_work} for {duration(stats.call_for)}"
    if fragment.memory is not None and (sample.memory or 0) > fragment.memory:
        return f"it uses {size(sample.memory)} of memory, but may use {size(fragment.memory)}"
    return None


LONGEST = 8192
"""Most bytes of a printed line; a longer one is split."""
MOST_PRINTED = 16_000_000
"""Most bytes of printed lines that wait to be shown; beyond that, output is left out."""
AT_ONCE = 1000
"""Most printed lines that are shown before anything else has its turn."""
_PIECE = 1 << 20

_log = logging.getLogger(__name__)


class FragmentProcess:
    """A process that has been started, with the messages it has sent."""

    def __init__(
        self,
        worker_spec: WorkerSpec,
        environment: Mapping[str, str],
        cores: frozenset[int],
        now: float,
    ) -> None:
        """Start the process of `worker_spec`.

        Args:
            worker_spec: What the process is to run.
            environment: Its environment variables.
            cores: Cores that it may use.
            now: Time on the launcher's clock (s).

        Raises:
            HoloflowError: The process cannot be started.
        """
        self.fragment = worker_spec.fragment
        self.generation = worker_spec.generation
        self.mark = f"{worker_spec.options.run}/{worker_spec.fragment}/{worker_spec.generation}/"
        self.started = now
        self.ready = False
        self.began: float | None = None
        """When its sources began, on the launcher's clock (s)."""
        self.late = 0.0
        """Seconds between the begin of the run's sources and its own."""
        self.snapshot: Snapshot | None = None
        """The newest snapshot that it has sent."""
        self.wants_state: StateRequest | None = None
        """What it has asked for, and was not sent yet."""
        self.state_sent: Snapshot | None = None
        """The newest state of the run that it was sent."""
        self.wants_outcome = False
        """Whether it waits to be told how the run has ended."""
        self.ended: Ended | None = None
        self.ended_at: float | None = None
        self.refused: Refused | None = None
        self.killed: str | None = None
        """Why the launcher has killed it, if it has."""
        self.last_heard: float | None = None
        """When its last message was received, on the launcher's clock (s)."""
        command = python("holoflow.launch.worker")
        own, given = socket.socketpair()
        out, printing = os.pipe()
        with contextlib.suppress(OSError):  # the system does not allow more
            fcntl.fcntl(printing, fcntl.F_SETPIPE_SZ, _PIECE)
        try:
            with confined(cores):
                self._popen = subprocess.Popen(
                    [*command, str(given.fileno()), str(os.getpid()), worker_spec.fragment],
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
        """Attributes of log records about it."""
        self.channel = Channel(own)
        self._out = out
        self._stdout_open = True
        self._partial_line = b""
        self._printed: deque[bytes] = deque()
        """Lines that are still to be shown; `_printed_size` bytes in all."""
        self._printed_size = 0
        self._left_out = 0
        self.channel.send(to_json(worker_spec) + b"\n")

    # -- what it sends -----------------------------------------------------------------------

    def descriptors(self) -> list[int]:
        """Return the descriptors that are readable when it sends or prints something."""
        found = [self.channel.socket.fileno()] if self.channel.open else []
        return [*found, self._out] if self._stdout_open else found

    def receive(self, now: float) -> Iterator[logging.LogRecord]:
        """Receive its messages; yields what it has logged and printed as log records."""
        for line in self.channel.lines():
            self.last_heard = now
            try:
                message = decode_message(line)
            except HoloflowError as error:
                _log.warning("a message is ignored: %s", error, extra=self.extra)
                continue
            if isinstance(message, LogEntry):
                yield self._record(message.logger, message.level, message.text, message.time)
            else:
                self._note(message, now)
        self.channel.flush()
        for text in self._take_printed():
            yield self._record("", logging.INFO, text, time.time())

    def _note(self, message: Message, now: float) -> None:
        if isinstance(message, Ready):
            self.ready = True
        elif isinstance(message, StateReport):
            self.snapshot = message.snapshot
        elif isinstance(message, Refused):
            self.refused = message
        elif isinstance(message, StateRequest):
            curves = message.curves or (self.wants_state is not None and self.wants_state.curves)
            self.wants_state = StateRequest(curves)
        elif isinstance(message, OutcomeRequest):
            self.wants_outcome = True
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
    def has_output(self) -> bool:
        """Whether lines that it has printed are still to be shown."""
        return bool(self._printed)

    def _take_printed(self) -> Iterator[str]:
        """Yield some of the lines that it or its descendants have printed."""
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self._out, _PIECE) if self._stdout_open else b""
            self._partial_line += piece
            self._stdout_open = bool(piece)
        *lines, rest = self._partial_line.split(b"\n")
        if (rest and not self._stdout_open) or len(rest) > LONGEST:
            lines.append(rest)
            rest = b""
        self._partial_line = rest
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

    def send(self, command: Command) -> None:
        """Send it a command."""
        self.channel.send(encode(command))

    def status(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return exit_status(self.pid)

    def memory(self) -> int:
        """Return how many bytes of memory it and its descendants use, without shared memory."""
        return own_memory(self.pid)

    @property
    def stats(self) -> FragmentStats | None:
        """Its latest statistics while it runs; None before the first, and after its run."""
        if self.snapshot is None or self.ended is not None:
            return None
        return next(iter(self.snapshot.fragments), None)

    def silent(self, now: float) -> float:
        """Return for how many seconds it has sent nothing, by the launcher's clock."""
        return now - (self.started if self.last_heard is None else self.last_heard)

    def sample(self, now: float, memory: int | None, *, ending: bool) -> ProcessSample:
        """Return what the watchdog judges it by.

        Args:
            now: Time on the launcher's clock (s).
            memory: Bytes that it uses; None if they were not measured.
            ending: Whether its sources are ending.
        """
        begun = self.last_heard is None
        return ProcessSample(self.silent(now), begun, self.stats, memory, ending)

    def kill(self, why: str) -> None:
        """Kill it and its descendants; call `clean_up` when it has ended."""
        self.killed = self.killed or why
        kill_group(self.pid, self.mark)

    def clean_up(self) -> None:
        """Kill and reap what is left of it and of its descendants."""
        others = kill_group(self.pid, self.mark)
        self._popen.wait()
        reap(self.pid, others)

    def close(self) -> None:
        """Close the channel and the pipe of its output."""
        self.channel.close()
        os.close(self._out)
