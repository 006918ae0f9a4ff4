"""Runs an app with a process for each fragment: starts, watches, restarts and ends them."""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from dataclasses import replace

from holoflow import leaving
from holoflow.engine.execute import Observe
from holoflow.engine.result import EngineName, Failure, Outcome, RunOptions, RunResult, Stopper
from holoflow.engine.standstill import stall
from holoflow.errors import HoloflowError
from holoflow.flow import standing
from holoflow.flow.books import Snapshot
from holoflow.flow.ledger import Ledger
from holoflow.flow.live.publish import Publisher
from holoflow.flow.records import Records
from holoflow.launch import aftermath
from holoflow.launch.books import RunBooks, joined
from holoflow.launch.charge import Charge, charges_of, ended_well, failure_of, told
from holoflow.launch.control import Begin, Drain, FlowsOver, Order, Stop
from holoflow.launch.descriptors import provide
from holoflow.launch.farewell import take_leave
from holoflow.launch.folder import RunFolder
from holoflow.launch.joining import LEDGER
from holoflow.launch.process import Process
from holoflow.launch.standstill import Standstill
from holoflow.launch.starting import Launching, Starter
from holoflow.launch.surroundings import surroundings
from holoflow.launch.watchdog import ended_how, judge
from holoflow.plan.plan import Plan

TURN = 0.05
"""Seconds between two looks at all processes, at most."""
LOOK = 0.5
"""Seconds between two looks at their memory, or two attempts to start one."""
GRACE = 5.0
"""Seconds that processes get to end: from being told to stop now, or from saying that they end."""
LEAP = 1.0
"""Seconds by which the launcher's clock goes on in a turn, at most: where it stood still itself,
for instance as its machine slept, nobody else is late."""
IMPATIENCE = 10.0
"""Seconds after which is said who is waited for at the start."""

_log = logging.getLogger("holoflow.launch")


class Launcher:
    """One run of an app in several processes."""

    def __init__(self, plan: Plan, options: RunOptions, launching: Launching) -> None:
        """Prepare to run those fragments of `plan` that are here."""
        self._plan = plan
        self._options = options
        self._launching = launching
        self._charges = charges_of(plan, options)
        self._folder: RunFolder | None = None
        self._abandoned = False

    def run(self, *, stopper: Stopper, observe: Observe, every: float) -> RunResult:
        """Run all fragments to their end; nothing of them is left when it returns.

        `observe` is called with the state of all, and the curves over the run so far, every
        `every` seconds and at the end. Raises HoloflowError where a fragment cannot run as it is
        asked to.
        """
        provide(self._plan, self._charges)
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(surroundings(self._options.run))
            shown = Publisher(self._plan.app.name, self._options.run, "launcher")
            self._publisher = stack.enter_context(shown)
            ledger = Ledger.of(self._plan, self._folder.path / LEDGER)
            stack.enter_context(contextlib.closing(ledger))
            stack.callback(self._end_all)
            starter = Starter(self._plan, self._options, self._launching, self._folder.path)
            return self._run(starter, ledger, stopper, observe, every)

    def abandon(self) -> None:
        """Kill everything at once, from any thread; the caller ends this process."""
        self._abandoned = True
        for process in self._live():
            process.kill("the run was ended")
        if self._folder is not None:
            self._folder.remove()

    def _end_all(self) -> None:
        for process in self._live():
            process.bury()
            process.close()

    # -- the run -----------------------------------------------------------------------------

    def _run(
        self, starter: Starter, ledger: Ledger, stopper: Stopper, observe: Observe, every: float
    ) -> RunResult:
        self._starter = starter
        self._ledger = ledger
        self._books = RunBooks(self._plan, self._options.run, ledger)
        self._now = 0.0
        """The launcher's clock."""
        self._turned = self._shown = time.monotonic()
        self._looked = 0.0
        self._begun: float | None = None
        """When the sources began, on the clock of all."""
        self._impatient = False
        self._draining = False
        self._stopping: float | None = None
        """When all were told to stop now."""
        self._stall: Failure | None = None
        """Why all were told to stop, where nobody asked for it."""
        self._standing = "", ""
        """Why nothing moves: the trouble, if it is one, and what is waited for."""
        self._stood = ""
        """The latter when the run was asked to end."""
        self._standstill = Standstill()
        self._alone = len(self._charges) == len(self._plan.processes)
        """Whether all of the app is here."""
        self._interrupted = False
        """Whether some fragment was not done yet when the run was asked to end."""
        self._engine: EngineName = self._options.engine or "holoscan"
        self._records: list[Records] = []
        self._farewells: list[threading.Thread] = []
        for charge in self._charges:
            self._start(charge, self._options.seconds)
        while not all(charge.over for charge in self._charges):
            self._turn(stopper)
            if self._begun is not None and time.monotonic() - self._shown >= every:
                self._shown = time.monotonic()
                observe(self._look(), self._books.samples)
        for farewell in self._farewells:
            farewell.join()
        cause = "crash" if self._stopping is None else "stopped"
        aftermath.settle(self._plan, self._ledger, cause)
        last = self._look()
        observe(last, self._books.samples)
        failed = (c.failure for c in self._charges if c.failure is not None)
        failure = next(failed, self._stall)
        outcome: Outcome = "failed" if failure else "interrupted" if self._interrupted else "done"
        samples = self._books.samples
        return RunResult(outcome, self._engine, last, failure, samples, joined(self._records))

    def _look(self) -> Snapshot:
        """Return the state of the run, and note what is to be said of it."""
        snapshot = replace(self._books.look(self._restarts()), stood=self._stood)
        # What comes from elsewhere may be late, and is no fault of what is here.
        running = all(charge.phase in ("running", "ended") for charge in self._charges)
        trouble = standing.trouble(snapshot) if self._alone and running else ""
        self._standing = trouble, standing.standing(snapshot)
        return snapshot

    def _turn(self, stopper: Stopper) -> None:
        """Look at all processes once, and do what is due."""
        phases = {charge.name: charge.phase for charge in self._charges}
        self._publisher.tell(phases, *self._standing)
        self._wait(self._live(), TURN)
        now = time.monotonic()
        self._now += min(now - self._turned, LEAP)
        self._turned = now
        at_work = not all(charge.done for charge in self._charges)
        for charge in self._charges:
            if charge.process is not None:
                self._hear(charge.process)
                if (status := charge.process.status()) is not None:
                    self._after(charge, charge.process, status)
        if stopper.drain.is_set():
            self._interrupted |= at_work
            self._drain()
        if stopper.now.is_set() and self._stopping is None:
            self._stopping = self._now
            self._tell_all(Stop())
        self._judge()
        self._look_for_stall()
        for charge in self._charges:
            if charge.due is not None and self._now >= charge.due:
                self._start_again(charge)
        self._begin()

    def _wait(self, processes: list[Process], seconds: float) -> bool:
        """Wait until one of `processes` says something; whether it does."""
        if any(process.has_said for process in processes):
            seconds = 0.0
        poll = select.poll()
        for process in processes:
            for descriptor in process.descriptors():
                poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _live(self) -> list[Process]:
        return [c.process for c in self._charges if c.process is not None]

    def _restarts(self) -> dict[str, int]:
        return {charge.name: charge.restarts for charge in self._charges}

    def _tell_all(self, order: Order) -> None:
        for process in self._live():
            process.tell(order)

    # -- starting ----------------------------------------------------------------------------

    def _start(self, charge: Charge, seconds: float | None) -> None:
        process = self._starter.start(charge, self._now, seconds)
        self._books.start(charge.name, process.pid, self._engine)

    def _start_again(self, charge: Charge) -> None:
        if self._abandoned:
            return
        left = self._options.seconds
        if left is not None and self._begun is not None:
            left = max(left - (time.monotonic() - self._begun), 0.001)
        charge.due = None
        charge.restarts += 1
        try:
            self._start(charge, left)
        except HoloflowError as error:  # the system has no process left, or no memory
            _log.warning("%s", error, extra={"fragment": charge.name})
            charge.restarts -= 1
            charge.due = self._now + LOOK

    def _begin(self) -> None:
        """Have the sources begin: at first once all are ready, then each as soon as it is."""
        if self._begun is None:
            here = [charge for charge in self._charges if not charge.over]
            late = [c.name for c in here if not (c.process and c.process.ready)]
            if late and self._now > IMPATIENCE and not self._impatient:
                self._impatient = True
                _log.info("waiting for %s to be ready", ", ".join(late))
            if late or self._draining:
                return
            self._begun = self._shown = time.monotonic()
        for process in self._live():
            if process.ready and process.began is None:
                process.began, process.late = self._now, time.monotonic() - self._begun
                process.tell(Begin())
                if process.incarnation:
                    _log.info("it is back", extra={"fragment": process.fragment})

    # -- watching ----------------------------------------------------------------------------

    def _hear(self, process: Process) -> None:
        """Take in what a process has said and printed."""
        for record in process.hear(self._now):
            self._launching.log(record)
        if process.snapshot is not None:
            self._books.note(process.fragment, process.snapshot, process.late)
            stops = (b for b in process.snapshot.budgets if b.when_missed == "stop" and b.missed)
            if any(stops) and not self._options.lossless:
                self._drain()

    def _judge(self) -> None:
        """Kill what is not well."""
        look = self._now - self._looked >= LOOK
        if look:
            self._looked = self._now
        for charge in self._charges:
            process = charge.process
            if process is None or process.killed is not None:
                continue
            memory = process.memory() if look and charge.fragment.memory is not None else None
            sample = process.sample(self._now, memory, ending=self._ending())
            # Once its run has ended it has nothing more to say.
            why = judge(sample, charge.fragment) if process.ended is None else None
            if self._stopping is not None and self._now - self._stopping > GRACE:
                why = why or "it did not stop"
            over = GRACE + leaving.PATIENCE
            if process.ended_at is not None and self._now - process.ended_at > over:
                why = why or "it goes on after the end of its run"
            if why is not None:
                _log.error("killed: %s", why, extra={"fragment": charge.name})
                process.kill(why)

    def _look_for_stall(self) -> None:
        """End the run where no process of it can ever go on."""
        # Of other hosts nobody knows here, and of a process that is to be started again even less.
        if self._stopping is not None or not self._alone:
            return
        at_work = [charge for charge in self._charges if not charge.done]
        said = [charge.process.books if charge.process else None for charge in at_work]
        waits = self._standstill.look(said, self._ledger.moved())
        if waits:
            self._stall = stall(waits)
            self._stopping = self._now
            self._tell_all(Stop())

    def _ending(self) -> bool:
        """Whether the sources are to end: somebody has asked for it, or their time is over."""
        seconds, begun = self._options.seconds, self._begun
        over = seconds is not None and begun is not None and time.monotonic() - begun >= seconds
        return self._draining or over

    # -- ending ------------------------------------------------------------------------------

    def _drain(self) -> None:
        """End the sources; what has ended is not started again."""
        if self._draining:
            return
        self._draining = True
        self._stood = self._standing[1]
        self._tell_all(Drain())
        for charge in self._charges:
            if charge.due is not None:
                self._let_go(charge)

    def _after(self, charge: Charge, process: Process, status: int) -> None:
        """Do what is to be done when a process has ended."""
        process.bury()
        while process.has_said or self._wait([process], 0.0):
            self._hear(process)
        process.close()
        charge.process = None
        self._books.end(process.fragment)
        well = ended_well(process)
        failure = None if well else failure_of(process, status)
        refused = process.refused if self._begun is None and not process.incarnation else None
        if refused is not None and refused.lasting:
            raise HoloflowError(f"fragment {charge.name!r}: {refused.text}")
        if process.ended is not None:
            self._engine = process.ended.engine
            if process.ended.records is not None:
                self._records.append(process.ended.records)
        if well and status and process.killed is None:
            _log.warning("its run had ended, then %s", ended_how(status), extra=process.extra)
        if self._stopping is not None and not well:
            failure = None
        charge.failure = failure
        charge.silent = process.ended is None
        delay = None if self._draining else charge.retry(process, self._now, well=well)
        aftermath.book_death(self._plan, self._ledger, charge.name)
        if delay is None:
            self._let_go(charge)
            return
        charge.due = self._now + delay
        _log.warning(
            "%s; it is started again in %g s (%d of %d)%s",
            told(failure) if failure is not None else "it has ended",
            delay, charge.in_a_row, charge.fragment.restarts,
            f"\n{failure.trace.rstrip()}" if failure is not None and failure.trace else "",
            extra=process.extra,
        )  # fmt: skip

    def _let_go(self, charge: Charge) -> None:
        """Do without a fragment: its process has ended for good."""
        charge.over, charge.due = True, None
        cause = "stopped" if self._stopping is not None else "crash" if charge.failure else "end"
        ended = aftermath.end_flows(self._plan, self._ledger, charge.name, cause)
        if ended:
            self._tell_all(FlowsOver(ended))
        if charge.silent or ended:  # it died, or kept its streams open for a successor
            standing = self._starter.standing
            farewell = take_leave(self._plan, self._ledger, charge.name, standing)
            if farewell is not None:
                self._farewells.append(farewell)
        if charge.failure is not None:
            said = "is not started again" if charge.policy == "never" else "is given up"
            _log.error("%s; it %s", told(charge.failure), said, extra={"fragment": charge.name})
            self._drain()
        elif charge.policy == "always" and not self._draining:
            words = "it has ended too often in a row; it is not started again"
            _log.warning(words, extra={"fragment": charge.name})
