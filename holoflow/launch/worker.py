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

from holoflow.core import log
from holoflow.core.errors import HoloflowError, is_shortage, words
from holoflow.core.lifecycle import leave
from holoflow.core.log import logged_to
from holoflow.engine import execute
from holoflow.engine.control import Failure, RunResult, Stopper
from holoflow.launch.channel import (
    BEAT,
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
    StateReport,
    StopCommand,
    message_line,
    read_order,
)
from holoflow.launch.configuration import LEDGER, WorkerSpec, open_links
from holoflow.launch.group import die_with
from holoflow.launch.reaper import mark_by_limit
from holoflow.link.links import Links
from holoflow.live.publish import Publisher
from holoflow.plan import Plan
from holoflow.plan.fingerprint import difference, digest
from holoflow.plan.plan import part
from holoflow.stats.counters import Counters
from holoflow.stats.snapshot import Sample, Snapshot, from_plain

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
        self._told: deque[LogEntry] = deque()
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
                self._told.append(LogEntry(record.levelno, record.name, text, record.created))
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
                for message in messages or ([] if ending else [Heartbeat()]):
                    self._line.sendall(message_line(message))
            except OSError:  # the launcher has gone; `commands` knows what to do
                return
            if ending and not messages:
                return

    def _take(self) -> list[Message]:
        """Return what is to be sent; what is said to be said comes last."""
        messages: list[Message] = [*self._told]
        if self._untold:
            lost = f"{self._untold} entries of the log were too many to be sent"
            messages.append(LogEntry(logging.WARNING, "holoflow.launch", lost, time.time()))
        if self._snapshot is not None:
            messages.append(StateReport(self._snapshot))
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
        for command in told:
            try:
                do(command)
            except Exception:
                _log.exception("an order of the launcher's is not obeyed")
        os.killpg(0, signal.SIGKILL)

    thread = threading.Thread(target=listen, name="holoflow-orders", daemon=True)
    thread.start()
    return thread


def main() -> None:
    """Run a fragment; arguments are the line's descriptor, the launcher's number, and a name."""
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
            line.sendall(message_line(Refused(words(error), lasting=False)))
            return
        status, commands = 0, None
        try:
            told = lines(line)
            worker_spec = from_plain(WorkerSpec, json.loads(next(told)))
            mark_by_limit(worker_spec.options.run)
            sys.path[:] = worker_spec.path
            with logged_to(reporter.log, worker_spec.log_level):
                child = _Child(worker_spec, reporter)
                commands = obey(told, child.do)
                child.go()
        except Exception as error:
            short = is_shortage(error)
            if not (short or isinstance(error, HoloflowError)):
                status = 1
                traceback.print_exc()
            else:
                reporter.say(Refused(words(error) if short else str(error), lasting=not short))
        reporter.close()
        # At the end of the line it ends the process at once, whatever is left to wait for.
        leave(status, besides=[] if commands is None else [commands])


def _leave_to_launcher(_number: int, _frame: object) -> None:
    """Do nothing: Ctrl-C goes to all processes of a terminal, and one of them decides."""


class _Child:
    def __init__(self, worker_spec: WorkerSpec, reporter: Reporter) -> None:
        self.worker_spec = worker_spec
        self.reporter = reporter
        self.stopper = Stopper()
        self.begun = threading.Event()
        self.told_to_begin = False
        self.links: Links | None = None

    def go(self) -> None:
        """Run the fragment to its end."""
        worker_spec = self.worker_spec
        plan = self._plan()
        counters = Counters.of(plan, worker_spec.folder / LEDGER)
        self.links = open_links(plan, counters, worker_spec)
        with Publisher(
            plan.app.name, worker_spec.options.run, worker_spec.fragment, whole=False
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
                every=BEAT,
                links=self.links,
                ready=self.ready,
            )
        self._end(result)

    def do(self, line: bytes) -> None:
        """Do what the launcher says."""
        match read_order(line):
            case BeginCommand():
                self.told_to_begin = True
                self.begun.set()
            case Drain():
                self.stopper.drain.set()
                self.begun.set()
            case StopCommand():
                self.stopper.drain.set()
                self.stopper.now.set()
                self.begun.set()
            case FlowsOver(flows):
                if self.links is not None:
                    self.links.look_again(flows)

    def ready(self) -> bool:
        """Say that all is ready, and wait for what comes of it."""
        self.reporter.say(Ready())
        self.begun.wait()
        return self.told_to_begin

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
        if len(message_line(ended)) > LIMIT:  # the calls were too many
            ended = replace(ended, records=None)
        self.reporter.say(ended)


def _plain(failure: Failure | None) -> Failed | None:
    if failure is None:
        return None
    trace = "".join(traceback.format_exception(failure.error)) if failure.error else ""
    return Failed(failure.operator, failure.frame, failure.cause, trace)


if __name__ == "__main__":
    main()
