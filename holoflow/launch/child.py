"""The process of a fragment: `python -m holoflow.launch.child`, started by the launcher."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import socket
import sys
import threading
import traceback
from dataclasses import replace

from holoflow.cli.log import logged_to
from holoflow.engine import execute
from holoflow.engine.result import Failure, RunResult, Stopper
from holoflow.errors import HoloflowError
from holoflow.flow.books import Sample, Snapshot
from holoflow.flow.ledger import Ledger
from holoflow.flow.live.publish import Publisher
from holoflow.flow.plain import from_plain
from holoflow.launch.control import (
    BEAT,
    LIMIT,
    Begin,
    Drain,
    Ended,
    Failed,
    FlowsOver,
    Ready,
    Refused,
    Stop,
    message_line,
    read_order,
)
from holoflow.launch.group import die_with
from holoflow.launch.joining import LEDGER, open_links
from holoflow.launch.reporter import Reporter, lines, obey
from holoflow.launch.spec import Spec
from holoflow.launch.warden import mark_by_limit
from holoflow.leaving import leave
from holoflow.link.links import Links
from holoflow.plan import Plan
from holoflow.plan.fingerprint import difference, digest
from holoflow.plan.part import part
from holoflow.shortage import is_shortage, words


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
        status, orders = 0, None
        try:
            told = lines(line)
            spec = from_plain(Spec, json.loads(next(told)))
            mark_by_limit(spec.options.run)
            sys.path[:] = spec.path
            with logged_to(reporter.log, spec.log_level):
                child = _Child(spec, reporter)
                orders = obey(told, child.do)
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
        leave(status, besides=[] if orders is None else [orders])


def _leave_to_launcher(_number: int, _frame: object) -> None:
    """Do nothing: Ctrl-C goes to all processes of a terminal, and one of them decides."""


class _Child:
    def __init__(self, spec: Spec, reporter: Reporter) -> None:
        self.spec = spec
        self.reporter = reporter
        self.stopper = Stopper()
        self.begun = threading.Event()
        self.told_to_begin = False
        self.links: Links | None = None

    def go(self) -> None:
        """Run the fragment to its end."""
        spec = self.spec
        plan = self._plan()
        ledger = Ledger.of(plan, spec.folder / LEDGER)
        self.links = open_links(plan, ledger, spec)
        with Publisher(plan.app.name, spec.options.run, spec.fragment, whole=False) as publisher:

            def observe(snapshot: Snapshot, history: tuple[Sample, ...]) -> None:
                snapshot = self._counted(snapshot)
                publisher.put(snapshot, history)
                self.reporter.show(snapshot)

            result = execute(
                part(plan, spec.fragment),
                spec.options,
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
            case Begin():
                self.told_to_begin = True
                self.begun.set()
            case Drain():
                self.stopper.drain.set()
                self.begun.set()
            case Stop():
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
        for name, value in (self.spec.outer or {}).items():
            inner.pop(name, None)
            if value is not None:
                inner[name] = value
        plan = self.spec.recipe.plan(inner)
        if digest(plan) != self.spec.digest:
            what = difference(plan, self.spec.digest)
            raise HoloflowError(
                f"{self.spec.recipe.app} has changed since the run began"
                + (f": {what}" if what else "")
            )
        return plan

    def _counted(self, snapshot: Snapshot) -> Snapshot:
        refused = self.links.refusals() if self.links is not None else {}
        fragments = (
            replace(books, restarts=self.spec.incarnation, refused=refused)
            for books in snapshot.fragments
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
