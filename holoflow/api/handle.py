"""A run that was started from Python: a handle to look at it, and to stop it."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from holoflow.api.ended_run import EndedRun
from holoflow.core import log
from holoflow.core.errors import HoloflowError, words
from holoflow.engine.changes import LiveParameters
from holoflow.engine.control import Outcome, RunOptions, RunResult, Stopper
from holoflow.engine.execute import execute
from holoflow.engine.run import GRACE
from holoflow.live.publish import Publisher
from holoflow.plan.plan import Plan
from holoflow.report.files import write_files
from holoflow.report.run_report import report_of, write_error_log
from holoflow.stats.snapshot import Sample, Snapshot

if TYPE_CHECKING:
    from holoflow.launch.configuration import LaunchConfiguration

EVERY = 0.5
"""Seconds between snapshots."""


class RunHandle:
    """A run in threads of its own. As a context manager it is drained at the end of the block.

    Every method may be called from any thread. A program that ends while it runs stops it.
    """

    def __init__(
        self, plan: Plan, options: RunOptions, apart: LaunchConfiguration | None,
        owned: AbstractContextManager[object],
    ) -> None:  # fmt: skip
        """Start a run of `plan`.

        Args:
            plan: What to run.
            options: How to run it.
            apart: What the plan was made from, if each fragment has a process of its own.
            owned: What is closed when the run has ended.
        """
        self._plan = plan
        self._options = options
        self._apart = apart
        self._owned = owned
        self._stopper = Stopper()
        self._newest: Snapshot | None = None
        self._history: tuple[Sample, ...] = ()
        self._ended: EndedRun | None = None
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, name=f"run {plan.app.name}", daemon=True)
        atexit.register(self._leave)
        self._thread.start()

    @property
    def state(self) -> Literal["starting", "running", "draining"] | Outcome:
        """What it does, or how it ended."""
        if self._over.is_set():
            return "failed" if self._ended is None else self._ended.outcome
        if self._stopper.drain.is_set():
            return "draining"
        return "starting" if self._newest is None else "running"

    def snapshot(self) -> Snapshot | None:
        """Return the newest statistics, taken twice a second; None before the first."""
        return self._newest

    def history(self) -> tuple[Sample, ...]:
        """Return the time series of the run so far."""
        return self._history

    def stop(self, *, now: bool = False) -> None:
        """Ask for the end: sources end, and what they have sent is still worked on.

        Args:
            now: Whether to end at once, and to drop what is under way.
        """
        self._stopper.drain.set()
        if now:
            self._stopper.now.set()

    def result(self, timeout: float | None = None) -> EndedRun:
        """Wait for the end, and return how the run ended.

        Args:
            timeout: Most seconds to wait; None waits for as long as the run takes.

        Raises:
            TimeoutError: The run has not ended in time; it goes on.
            HoloflowError: The run could not begin, or its report could not be written.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"{self._plan.app.name} has not ended within {timeout:g} s")
        if self._ended is None:
            raise self._error or RuntimeError("the run has no result")
        return self._ended

    def __enter__(self) -> RunHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()
        self._over.wait()

    def __repr__(self) -> str:
        return f"<run of {self._plan.app.name}: {self.state}>"

    def _go(self) -> None:
        try:
            with self._owned:
                self._ended = self._finish(datetime.now().astimezone())
        except BaseException as error:  # raised by result(), in the thread that asks
            self._error = error
        finally:
            atexit.unregister(self._leave)
            self._over.set()

    def _finish(self, started: datetime) -> EndedRun:
        """Run to the end, and write the report."""
        from holoflow.cli.summary import Summary, state, written

        folder = self._options.output
        before = state(folder)
        result = self._execute()
        after = state(folder)
        report = report_of(self._plan, self._options, result, started)
        try:
            path, traces = write_files(folder, report, result.records)
        except OSError as error:
            wrong = f"the run is {result.outcome}, but its report cannot be written: {words(error)}"
            raise HoloflowError(wrong) from error
        failure = result.failure
        if failure is not None and (trace := failure.trace or failure.error):
            write_error_log(folder, trace)
        files = written(before, after)
        summary = Summary(self._plan.app.name, result, folder, files, path, traces)
        return EndedRun(result.outcome, failure, report, folder, summary)

    def _execute(self) -> RunResult:
        if self._apart is not None:
            from holoflow.launch.launcher import Launcher
            from holoflow.launch.supervisor import LaunchOptions

            launching = LaunchOptions(self._apart, _pass_on, log.lowest(), None)
            launcher = Launcher(self._plan, self._options, launching)
            return launcher.run(stopper=self._stopper, observe=self._observe, every=EVERY)
        fragment = "+".join(process.fragment for process in self._plan.processes)
        name, live = self._plan.app.name, LiveParameters()
        with Publisher(name, self._options.run, fragment, change=live.change) as publisher:

            def observe(snapshot: Snapshot, history: tuple[Sample, ...]) -> None:
                self._observe(snapshot, history)
                publisher.put(snapshot, history)

            return execute(
                self._plan, self._options, stopper=self._stopper, observe=observe, every=EVERY,
                live=live,
            )  # fmt: skip

    def _observe(self, snapshot: Snapshot, history: tuple[Sample, ...]) -> None:
        self._newest, self._history = snapshot, history

    def _leave(self) -> None:
        """Stop the run, as the program ends: no thread may be in a scheduler then."""
        self.stop(now=True)
        self._over.wait(2 * GRACE)


def _pass_on(record: logging.LogRecord) -> None:
    """Log what a process of the run logged, and print what it printed."""
    if not record.name:
        sys.stdout.write(log.line(record) + "\n")
    elif (logger := logging.getLogger(record.name)).isEnabledFor(record.levelno):
        logger.handle(record)
