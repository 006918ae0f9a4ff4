"""The process of a fragment: `python -m holoflow.launch.worker`, started by the launcher."""

from __future__ import annotations

import faulthandler
import io
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from holoflow.core import log
from holoflow.core.errors import HoloflowError, is_shortage, words
from holoflow.core.lifecycle import leave
from holoflow.core.log import logged_to
from holoflow.core.processes import die_with
from holoflow.engine import execute
from holoflow.engine.changes import LiveParameters
from holoflow.engine.control import Failure, RunResult, Stopper, WholeRun
from holoflow.launch.channel import (
    HEARTBEAT_INTERVAL,
    LIMIT,
    BeginCommand,
    Drain,
    Ended,
    Failed,
    FlowsOver,
    Heartbeat,
    LogEntry,
    Message,
    Ready,
    Refused,
    RunOutcome,
    RunState,
    StateReport,
    StopCommand,
    decode_command,
    encode,
)
from holoflow.launch.configuration import COUNTERS, WorkerSpec, open_links
from holoflow.launch.reaper import mark_by_limit
from holoflow.launch.whole_run import LauncherView
from holoflow.link.links import Links
from holoflow.live.ask import change_in
from holoflow.live.publish import Publisher
from holoflow.plan import Plan
from holoflow.plan.fingerprint import difference, digest
from holoflow.plan.plan import part
from holoflow.stats.counters import Counters
from holoflow.stats.snapshot import Sample, Snapshot, from_plain

MOST_ENTRIES = 1000
"""Most log records that wait to be sent; further ones are only counted."""
LONGEST = 16_384
"""Most characters of a log record that are sent."""
LAST_SEND = 10.0
"""Seconds that sending the last messages may take."""


_log = logging.getLogger(__name__)


class Reporter:
    """Sends messages to the launcher from a thread of its own, so that no caller waits.

    The heartbeats of that thread also show that the process is alive and that Python's interpreter
    lock is not held forever.
    """

    def __init__(self, line: socket.socket) -> None:
        """Begin to send on the socket `line`."""
        self._line = line
        self._entries: deque[LogEntry] = deque()
        self._dropped = 0
        self._snapshot: Snapshot | None = None
        self._messages: deque[Message] = deque()
        self._ending = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._report, name="holoflow-report", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Send `message`; it is never left out."""
        with self._news:
            self._messages.append(message)
            self._news.notify()

    def show(self, snapshot: Snapshot) -> None:
        """Send a snapshot, unless a newer one arrives before it can be sent."""
        with self._news:
            self._snapshot = snapshot
            self._news.notify()

    def log(self, record: logging.LogRecord) -> None:
        """Send a log record, or count it if too many wait."""
        text = log.message(record)[:LONGEST]
        with self._news:
            if len(self._entries) < MOST_ENTRIES:
                self._entries.append(LogEntry(record.levelno, record.name, text, record.created))
            else:
                self._dropped += 1
            self._news.notify()

    def close(self) -> None:
        """Send what is left, and end the thread."""
        with self._news:
            self._ending = True
            self._news.notify()
        self._thread.join(LAST_SEND)

    def _report(self) -> None:
        while True:
            with self._news:
                if not (self._messages or self._entries or self._snapshot or self._ending):
                    self._news.wait(HEARTBEAT_INTERVAL)
                messages, ending = self._take(), self._ending
            try:
                for message in messages or ([] if ending else [Heartbeat()]):
                    self._line.sendall(encode(message))
            except OSError:  # the launcher has gone; `execute_commands` handles that
                return
            if ending and not messages:
                return

    def _take(self) -> list[Message]:
        """Return what is to be sent: the snapshot, log records, then other messages."""
        messages: list[Message] = []
        if self._snapshot is not None:
            messages.append(StateReport(self._snapshot))
        messages += self._entries
        if self._dropped:
            lost = f"{self._dropped} log records were left out: too many to be sent"
            messages.append(LogEntry(logging.WARNING, "holoflow.launch", lost, time.time()))
        messages += self._messages
        self._entries.clear()
        self._messages.clear()
        self._dropped, self._snapshot = 0, None
        return messages


def lines(line: socket.socket) -> Iterator[bytes]:
    """Yield the lines that the launcher sends, until the channel closes."""
    with line.makefile("rb") as stream:
        yield from stream


def execute_commands(received: Iterator[bytes], do: Callable[[bytes], None]) -> threading.Thread:
    """Call `do` for each line received, from a thread.

    When the channel closes, the whole process group is killed at once.

    Returns:
        The thread, which runs until the end of the process.
    """

    def listen() -> None:
        for command in received:
            try:
                do(command)
            except Exception:
                _log.exception("a command of the launcher has failed")
        os.killpg(0, signal.SIGKILL)

    thread = threading.Thread(target=listen, name="holoflow-commands", daemon=True)
    thread.start()
    return thread


def main() -> None:
    """Run a fragment; arguments: the channel's descriptor, the launcher's process id, its name."""
    number, launcher = int(sys.argv[1]), int(sys.argv[2])
    die_with(launcher)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Not SIG_IGN, which programs that operators start would inherit.
        signal.signal(ignored, _leave_to_launcher)
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    os.set_inheritable(number, False)
    with socket.socket(fileno=number) as line:
        try:
            reporter = Reporter(line)
        except RuntimeError as error:  # no thread left
            line.sendall(encode(Refused(words(error), lasting=False)))
            return
        status, listener = 0, None
        try:
            received = lines(line)
            worker_spec = from_plain(WorkerSpec, json.loads(next(received)))
            mark_by_limit(worker_spec.options.run)
            sys.path[:] = worker_spec.path
            with logged_to(reporter.log, worker_spec.log_level):
                worker = _Worker(worker_spec, reporter)
                listener = execute_commands(received, worker.handle)
                worker.go()
        except Exception as error:
            short = is_shortage(error)
            if not (short or isinstance(error, HoloflowError)):
                status = 1
                traceback.print_exc()
            else:
                reporter.send(Refused(words(error) if short else str(error), lasting=not short))
        reporter.close()
        # The listener kills the process when the channel closes, whatever is left to wait for.
        leave(status, besides=[] if listener is None else [listener])


def _leave_to_launcher(_number: int, _frame: object) -> None:
    """Do nothing: Ctrl-C goes to all processes of a terminal, and one of them decides."""


class _Worker:
    def __init__(self, worker_spec: WorkerSpec, reporter: Reporter) -> None:
        self.worker_spec = worker_spec
        self.reporter = reporter
        self.stopper = Stopper()
        self.begun = threading.Event()
        self.may_begin = False
        self.links: Links | None = None
        self.view = LauncherView(reporter.send)

    def go(self) -> None:
        """Run the fragment to its end."""
        worker_spec = self.worker_spec
        plan = self._plan()
        counters = Counters.of(plan, worker_spec.folder / COUNTERS)
        live = LiveParameters()
        self.links = open_links(plan, counters, worker_spec)
        with Publisher(
            plan.app.name,
            worker_spec.options.run,
            worker_spec.fragment,
            whole=False,
            change=None if worker_spec.options.read_only else live.change,
        ) as publisher:

            def observe(snapshot: Snapshot, history: tuple[Sample, ...]) -> None:
                snapshot = self._counted(snapshot)
                publisher.put(snapshot, history)
                self.reporter.show(snapshot)

            result = execute(
                part(plan, worker_spec.fragment),
                worker_spec.options,
                stopper=self.stopper,
                observe=observe,
                every=HEARTBEAT_INTERVAL,
                links=self.links,
                ready=self.ready,
                whole=WholeRun(
                    self.view.snapshot,
                    self.view.history,
                    self.view.outcome,
                    plan.app.operators,
                    partial(change_in, plan, worker_spec.options.run),
                ),
                live=live,
            )
        self._end(result)

    def handle(self, line: bytes) -> None:
        """Execute a command of the launcher."""
        match decode_command(line):
            case BeginCommand():
                self.may_begin = True
                self.begun.set()
            case Drain():
                self.stopper.drain.set()
                self.begun.set()
            case StopCommand():
                self.stopper.drain.set()
                self.stopper.now.set()
                self.begun.set()
            case RunState() | RunOutcome() as answer:
                self.view.note(answer)
            case FlowsOver(flows):
                if self.links is not None:
                    self.links.look_again(flows)

    def ready(self) -> bool:
        """Report that the process is ready, and wait at the start barrier; true to begin."""
        self.reporter.send(Ready())
        self.begun.wait()
        return self.may_begin

    def _plan(self) -> Plan:
        inner = dict(os.environ)
        for name, value in (self.worker_spec.outer or {}).items():
            inner.pop(name, None)
            if value is not None:
                inner[name] = value
        plan = self.worker_spec.configuration.plan(inner)
        if digest(plan) != self.worker_spec.digest:
            what = difference(plan, self.worker_spec.digest)
            raise HoloflowError(
                f"{self.worker_spec.configuration.app} has changed since the run began"
                + (f": {what}" if what else "")
            )
        return plan

    def _counted(self, snapshot: Snapshot) -> Snapshot:
        refused = self.links.refusals() if self.links is not None else {}
        fragments = (
            replace(stats, restarts=self.worker_spec.generation, refused=refused)
            for stats in snapshot.fragments
        )
        return replace(snapshot, fragments=tuple(fragments))

    def _end(self, result: RunResult) -> None:
        last, failure = self._counted(result.last), result.failure
        ended = Ended(result.outcome, result.engine, last, _plain(failure), result.records)
        if len(encode(ended)) > LIMIT:  # the calls were too many
            ended = replace(ended, records=None)
        self.reporter.send(ended)


def _plain(failure: Failure | None) -> Failed | None:
    if failure is None:
        return None
    trace = "".join(traceback.format_exception(failure.error)) if failure.error else ""
    return Failed(failure.operator, failure.frame, failure.cause, trace)


if __name__ == "__main__":
    main()
