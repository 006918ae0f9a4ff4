"""One run from its start to its report: signals, display, files, exit status."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING

from holoflow import engine
from holoflow.cli import display, display_json, terminal, view
from holoflow.cli.errors import ExitStatus, say
from holoflow.cli.summary import Summary, state, written
from holoflow.core import log, output
from holoflow.core.errors import is_shortage, words
from holoflow.engine.changes import LiveParameters
from holoflow.engine.control import Failure, RunOptions, RunResult, Stopper
from holoflow.live.publish import Publisher
from holoflow.plan import Plan
from holoflow.report.files import write_files
from holoflow.report.run_report import read_report, report_of, write_error_log
from holoflow.stats import standing
from holoflow.stats.snapshot import Sample, Snapshot

if TYPE_CHECKING:
    from holoflow.launch.configuration import LaunchConfiguration
    from holoflow.launch.launcher import Launcher


_STAYS = {ExitStatus.DONE, ExitStatus.OPERATOR_FAILED, ExitStatus.OVER_BUDGET}
"""How a run has ended whose page may stay: nobody has asked for its end."""


def run_plan(
    plan: Plan, options: RunOptions, *, as_json: bool, log_level: log.LevelName,
    metrics: tuple[str, int] | None = None,
    configuration: LaunchConfiguration | None = None, hosts: Mapping[str, str] | None = None,
    in_browser: bool = False, stays: bool = False,
) -> ExitStatus:  # fmt: skip
    """Run `plan`, show it, and write a report to the output folder, which must exist.

    Args:
        plan: What to run.
        options: How to run it.
        as_json: Whether to print for machines.
        log_level: Lowest level of log records that is shown.
        metrics: Address and port at which metrics are served for Prometheus; None for none.
        configuration: What the plan was made from; given if each fragment has its own process.
        hosts: Addresses of hosts, by their names in the app.
        in_browser: Whether to open the live page in the browser.
        stays: Whether the live page of a run that was not interrupted stays until Ctrl-C.

    Returns:
        The exit status that says how the run ended.

    Raises:
        HoloflowError: The engine cannot run the plan, or the metrics' port cannot be used.
    """
    started, before = datetime.now().astimezone(), state(options.output)
    run = _Run(as_json=as_json, in_browser=in_browser)
    gap = display_json.left_out if as_json else output.left_out
    try:
        with output.unhurried(run.reader_gone, gap) as stdout, ExitStack() as stack:
            run.display = display.choose(plan.app.name, stdout, as_json=as_json)
            # Until the end of the report, so that a late second Ctrl-C does not lose it.
            stack.enter_context(terminal.heard(run.on_signal))
            if configuration is not None:
                from holoflow.launch.launcher import Launcher
                from holoflow.launch.supervisor import LaunchOptions

                launching = LaunchOptions(configuration, run.display.log, log_level, hosts)
                run.launcher = Launcher(plan, options, launching)
            result = run.execute(plan, options, log_level, metrics)
            after = state(options.output)
            try:
                report = report_of(plan, options, result, started)
                path, traces = write_files(options.output, report, result.records)
            except OSError as error:
                say(f"the run is {result.outcome}, but its report cannot be written: {error}")
                if result.failure is not None:
                    say(_describe(result.failure, options))
                status = run.status(result)
                return ExitStatus.OPERATOR_FAILED if status is ExitStatus.DONE else status
            files = written(before, after)
            stdout.settle()  # then there is room for the whole summary
            run.display.end(Summary(plan.app.name, result, options.output, files, path, traces))
            if result.failure is not None:
                say(_describe(result.failure, options))
            stdout.settle()
        if stays and run.page and run.status(result) in _STAYS:
            view.stay(read_report(options.output), options.output, run.page)
        return run.status(result)
    finally:
        run.restore_terminal()


class _Run:
    """The display of a run, and the handling of requests to end it."""

    display: display.Display

    def __init__(self, *, as_json: bool, in_browser: bool) -> None:
        self._in_browser = in_browser
        self.page = ""
        """Address of the first live page, once it is announced."""
        self.restore_terminal = terminal.remember()
        self._as_json = as_json
        self.launcher: Launcher | None = None
        """What runs the fragments, if they have processes of their own."""
        self._stopper = Stopper()
        self._signals = 0
        self._stands = False
        """Whether nothing moved at the last snapshot."""
        self._over = False
        self._gone: Exception | None = None

    def execute(
        self, plan: Plan, options: RunOptions, log_level: log.LevelName,
        metrics: tuple[str, int] | None,
    ) -> RunResult:  # fmt: skip
        """Run the plan to its end; returns only once nothing of it is left."""
        live = LiveParameters()
        for notice in plan.notices:
            self.display.note(f"note: {notice}")
        try:
            with ExitStack() as stack:
                stack.enter_context(log.logged_to(self.display.log, log_level))
                if self._as_json:
                    # what operators print must not get between the lines for machines
                    stack.enter_context(redirect_stdout(sys.stderr))
                publisher = server = None
                if self.launcher is None:
                    fragment = "+".join(process.fragment for process in plan.processes)
                    publisher = Publisher(
                        plan.app.name,
                        options.run,
                        fragment,
                        change=None if options.read_only else live.change,
                    )
                    stack.enter_context(publisher)
                if metrics is not None:
                    from holoflow.report.export.metrics_server import MetricsServer

                    server = stack.enter_context(MetricsServer(*metrics))
                    self.display.note(f"metrics: {server.url}")

                def observe(snapshot: Snapshot, history: tuple[Sample, ...]) -> None:
                    self.display.snapshot(snapshot)
                    self._warn(snapshot)
                    self._note_page(snapshot)
                    if publisher is not None:
                        publisher.put(snapshot, history)
                    if server is not None:
                        server.put(snapshot)

                every = self.display.every
                if self.launcher is not None:
                    return self.launcher.run(stopper=self._stopper, observe=observe, every=every)
                return engine.execute(
                    plan, options, stopper=self._stopper, observe=observe, every=every, live=live
                )
        finally:
            self._over = True
            self.display.stop()

    def _note_page(self, snapshot: Snapshot) -> None:
        """Note where the first live page is, and open it if that was asked for."""
        pages = (words for kind, words in snapshot.announcements if kind == "live page")
        if not self.page and (found := next(pages, "")):
            self.page = found
            if self._in_browser:
                webbrowser.open(found)

    def _warn(self, snapshot: Snapshot) -> None:
        """Log once that nothing moves any more although frames are under way."""
        said = standing.standing(snapshot)
        if said and not self._stands and standing.frames_wait(snapshot):
            logging.getLogger("holoflow").warning("%s", said)
        self._stands = bool(said)

    def status(self, result: RunResult) -> ExitStatus:
        """Return the exit status that says how the run ended."""
        if result.outcome == "failed":
            return ExitStatus.OPERATOR_FAILED
        if self._gone is not None and not self._signals:
            short = is_shortage(self._gone)
            return ExitStatus.OPERATOR_FAILED if short else ExitStatus.READER_GONE
        if result.over_budget and result.outcome == "done":
            return ExitStatus.OVER_BUDGET
        return ExitStatus.DONE if result.outcome == "done" else ExitStatus.INTERRUPTED

    def on_signal(self) -> None:
        """Drain at the first signal, stop at the second, kill what hangs at the third."""
        self._signals += 1
        if self._signals > 2:
            self.restore_terminal()
            if self.launcher is not None:
                self.launcher.abandon()
            os._exit(ExitStatus.INTERRUPTED)
        if self._over:
            return
        self._stopper.drain.set()
        if self._signals > 1:
            self._stopper.now.set()
        self.display.note(
            "draining; Ctrl-C again stops now"
            if self._signals == 1
            else "stopping now; Ctrl-C again ends without a report"
        )

    def reader_gone(self, error: Exception) -> None:
        """Drain, because the output has no reader any more, or no room."""
        if is_shortage(error):
            say(f"the output cannot be written: {words(error)}")
        self._gone = error
        self._stopper.drain.set()


def _describe(failure: Failure, options: RunOptions) -> str:
    trace = failure.trace or failure.error
    if not trace:
        return str(failure)
    try:
        return f"{failure}\nthe traceback is in {write_error_log(options.output, trace)}"
    except OSError as error:
        return f"{failure}\nits traceback cannot be written: {error}"
