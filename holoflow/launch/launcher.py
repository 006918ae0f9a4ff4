"""Runs an app with a process for each fragment: starts, watches, restarts and ends them."""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from dataclasses import replace

from holoflow.core import lifecycle
from holoflow.core.errors import HoloflowError
from holoflow.core.processes import describe_exit
from holoflow.engine.calls import stall
from holoflow.engine.control import EngineName, Failure, Outcome, RunOptions, RunResult, Stopper
from holoflow.engine.run import Observe
from holoflow.launch.channel import (
    BeginCommand,
    Command,
    Drain,
    FlowsOver,
    RunOutcome,
    RunState,
    StopCommand,
)
from holoflow.launch.configuration import COUNTERS
from holoflow.launch.descriptors import provide
from holoflow.launch.peer_down import announce_peer_down
from holoflow.launch.process import FragmentProcess, judge
from holoflow.launch.run_folder import RunFolder, run_environment
from holoflow.launch.statistics import RunStallDetector, RunStatistics, merge_records
from holoflow.launch.supervisor import (
    FragmentSupervisor,
    LaunchOptions,
    ProcessStarter,
    count_crash,
    count_leftovers,
    describe_failure,
    end_flows,
    ended_well,
    failure_of,
    supervisors_of,
)
from holoflow.live.publish import Publisher
from holoflow.plan.plan import Plan
from holoflow.stats import standing
from holoflow.stats.causes import Cause
from holoflow.stats.counters import Counters
from holoflow.stats.records import Records
from holoflow.stats.snapshot import Snapshot

TURN = 0.1
"""Most seconds between two polls of all processes."""
LOOK = 0.5
"""Seconds between two checks of their memory, or two attempts to start one."""
GRACE = 5.0
"""Seconds that processes have to end after being asked to stop at once, or reporting their end."""
LEAP = 1.0
"""Most seconds by which the launcher's clock advances in a turn: if the launcher itself was
suspended, for instance because its machine slept, no process is late."""
IMPATIENCE = 10.0
"""Seconds after which the fragments that the start waits for are reported."""

_log = logging.getLogger("holoflow.launch")


class Launcher:
    """One run of an app in several processes."""

    def __init__(self, plan: Plan, options: RunOptions, launching: LaunchOptions) -> None:
        """Prepare to run the fragments of `plan` that are here."""
        self._plan = plan
        self._options = options
        self._launching = launching
        self._supervisors = supervisors_of(plan, options)
        self._folder: RunFolder | None = None
        self._abandoned = False

    def run(self, *, stopper: Stopper, observe: Observe, every: float) -> RunResult:
        """Run all fragments to their end; none of their processes is left when it returns.

        Args:
            stopper: Asks for an end from another thread or a signal handler.
            observe: Called with the state of all fragments and the curves of the run so far.
            every: Seconds between calls of `observe`; it is also called at the end.

        Raises:
            HoloflowError: A fragment cannot run as requested.
        """
        provide(self._plan, self._supervisors)
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(run_environment(self._options.run))
            shown = Publisher(self._plan.app.name, self._options.run, "launcher")
            self._publisher = stack.enter_context(shown)
            counters = Counters.of(self._plan, self._folder.path / COUNTERS)
            stack.enter_context(contextlib.closing(counters))
            stack.callback(self._end_all)
            starter = ProcessStarter(self._plan, self._options, self._launching, self._folder.path)
            return self._run(starter, counters, stopper, observe, every)

    def abandon(self) -> None:
        """Kill everything at once, from any thread; the caller then ends this process."""
        self._abandoned = True
        for process in self._live():
            process.kill("the run was ended")
        if self._folder is not None:
            self._folder.remove()

    def _end_all(self) -> None:
        for process in self._live():
            process.clean_up()
            process.close()

    # -- the run -----------------------------------------------------------------------------

    def _run(
        self,
        starter: ProcessStarter,
        counters: Counters,
        stopper: Stopper,
        observe: Observe,
        every: float,
    ) -> RunResult:
        self._starter = starter
        self._counters = counters
        self._stats = RunStatistics(self._plan, self._options.run, counters)
        self._now = 0.0
        """Time on the launcher's clock (s)."""
        self._turned = self._shown = time.monotonic()
        self._looked = 0.0
        self._begun: float | None = None
        """When the sources began, by the monotonic clock (s)."""
        self._impatient = False
        self._draining = False
        self._stopping: float | None = None
        """When all were asked to stop at once, on the launcher's clock (s)."""
        self._stall: Failure | None = None
        """Why all were asked to stop, if the run was stalled."""
        self._standing = "", ""
        """Why nothing moves: what is wrong, if anything, and what is waited for."""
        self._last: Snapshot | None = None
        """The newest state of the run."""
        self._stood = ""
        """What was waited for when the run was asked to end."""
        self._standstill = RunStallDetector()
        self._alone = len(self._supervisors) == len(self._plan.processes)
        """Whether the whole app runs here."""
        self._interrupted = False
        """Whether a fragment was not done when the run was asked to end."""
        self._engine: EngineName = self._options.engine or "holoscan"
        self._records: list[Records] = []
        self._notices: list[threading.Thread] = []
        for supervisor in self._supervisors:
            self._start(supervisor, self._options.seconds)
        while not all(supervisor.over for supervisor in self._supervisors):
            self._turn(stopper)
            if self._begun is not None and time.monotonic() - self._shown >= every:
                self._shown = time.monotonic()
                observe(self._poll(), self._stats.samples)
        for notice in self._notices:
            notice.join()
        count_leftovers(
            self._plan, self._counters, "crash" if self._stopping is None else "stopped"
        )
        last = self._poll()
        observe(last, self._stats.samples)
        failure = self._failure()
        outcome: Outcome = "failed" if failure else "interrupted" if self._interrupted else "done"
        samples = self._stats.samples
        return RunResult(
            outcome, self._engine, last, failure, samples, merge_records(self._records)
        )

    def _poll(self) -> Snapshot:
        """Return the state of the run, and update why nothing moves."""
        silent = {p.fragment: p.silent(self._now) for p in self._live() if p.snapshot is not None}
        snapshot = replace(self._stats.poll(self._restarts(), silent), stood=self._stood)
        # Messages of other hosts may be late without anything being wrong here.
        running = all(supervisor.phase in ("running", "ended") for supervisor in self._supervisors)
        trouble = standing.trouble(snapshot) if self._alone and running else ""
        self._last = snapshot
        self._standing = trouble, standing.waits(snapshot)
        return snapshot

    def _turn(self, stopper: Stopper) -> None:
        """Poll all processes once, and do what is due."""
        phases = {supervisor.name: supervisor.phase for supervisor in self._supervisors}
        self._publisher.tell(phases, *self._standing)
        self._wait(self._live(), TURN)
        now = time.monotonic()
        self._now += min(now - self._turned, LEAP)
        self._turned = now
        at_work = not all(supervisor.done for supervisor in self._supervisors)
        for supervisor in self._supervisors:
            if supervisor.process is not None:
                self._receive(supervisor.process)
                if (status := supervisor.process.status()) is not None:
                    self._after(supervisor, supervisor.process, status)
        if stopper.drain.is_set():
            self._interrupted |= at_work
            self._drain()
        if stopper.now.is_set() and self._stopping is None:
            self._stopping = self._now
            self._send_all(StopCommand())
        self._judge()
        self._look_for_stall()
        self._answer()
        for supervisor in self._supervisors:
            if supervisor.due is not None and self._now >= supervisor.due:
                self._start_again(supervisor)
        self._begin()

    def _wait(self, processes: list[FragmentProcess], seconds: float) -> bool:
        """Wait up to `seconds` until one of `processes` sends or prints something; true if so."""
        if any(process.has_output for process in processes):
            seconds = 0.0
        poll = select.poll()
        for process in processes:
            for descriptor in process.descriptors():
                poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _live(self) -> list[FragmentProcess]:
        return [c.process for c in self._supervisors if c.process is not None]

    def _restarts(self) -> dict[str, int]:
        return {supervisor.name: supervisor.restarts for supervisor in self._supervisors}

    def _send_all(self, command: Command) -> None:
        for process in self._live():
            process.send(command)

    # -- starting ----------------------------------------------------------------------------

    def _start(self, supervisor: FragmentSupervisor, seconds: float | None) -> None:
        process = self._starter.start(supervisor, self._now, seconds)
        self._stats.start(supervisor.name, process.pid, self._engine)

    def _start_again(self, supervisor: FragmentSupervisor) -> None:
        if self._abandoned:
            return
        left = self._options.seconds
        if left is not None and self._begun is not None:
            left = max(left - (time.monotonic() - self._begun), 0.001)
        supervisor.due = None
        supervisor.restarts += 1
        try:
            self._start(supervisor, left)
        except HoloflowError as error:  # no more processes are allowed, or memory is short
            _log.warning("%s", error, extra={"fragment": supervisor.name})
            supervisor.restarts -= 1
            supervisor.due = self._now + LOOK

    def _begin(self) -> None:
        """Let the sources begin: together once all are ready, after a restart each by itself."""
        if self._begun is None:
            here = [supervisor for supervisor in self._supervisors if not supervisor.over]
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
                process.send(BeginCommand())
                if process.generation:
                    _log.info("it runs again", extra={"fragment": process.fragment})

    # -- watching ----------------------------------------------------------------------------

    def _receive(self, process: FragmentProcess) -> None:
        """Take in what a process has sent and printed."""
        for record in process.receive(self._now):
            self._launching.log(record)
        if process.snapshot is not None:
            self._stats.note(process.fragment, process.snapshot, process.late)
            stops = (b for b in process.snapshot.budgets if b.when_missed == "stop" and b.missed)
            if any(stops) and not self._options.lossless:
                self._drain()

    def _judge(self) -> None:
        """Kill processes that are not well."""
        poll = self._now - self._looked >= LOOK
        if poll:
            self._looked = self._now
        for supervisor in self._supervisors:
            process = supervisor.process
            if process is None or process.killed is not None:
                continue
            memory = process.memory() if poll and supervisor.fragment.memory is not None else None
            sample = process.sample(self._now, memory, ending=self._ending())
            # Once its run has ended, it sends nothing more.
            why = judge(sample, supervisor.fragment) if process.ended is None else None
            if self._stopping is not None and self._now - self._stopping > GRACE:
                why = why or "it did not stop"
            over = GRACE + lifecycle.PATIENCE
            if process.ended_at is not None and self._now - process.ended_at > over:
                why = why or "it did not end after its run"
            if why is not None:
                _log.error("killed: %s", why, extra={"fragment": supervisor.name})
                process.kill(why)

    def _look_for_stall(self) -> None:
        """End the run if none of its processes can ever continue."""
        # Nothing is known here about other hosts, or about a process that is yet to be restarted.
        if self._stopping is not None or not self._alone:
            return
        reports = [supervisor.report for supervisor in self._supervisors if not supervisor.over]
        waits = self._standstill.poll(reports, self._counters.moved())
        if waits:
            self._stall = stall(waits)
            self._stopping = self._now
            self._send_all(StopCommand())

    def _ending(self) -> bool:
        """Whether the sources are ending: on request, or because their time is over."""
        seconds, begun = self._options.seconds, self._begun
        over = seconds is not None and begun is not None and time.monotonic() - begun >= seconds
        return self._draining or over

    # -- telling -----------------------------------------------------------------------------

    def _answer(self) -> None:
        """Tell processes what they have asked of the whole run."""
        outcome = None
        for process in self._live():
            wanted = process.wants_state
            if (
                wanted
                and self._last is not None
                and (wanted.curves or process.state_sent is not self._last)
            ):
                process.send(RunState(self._last, self._stats.samples if wanted.curves else ()))
                process.state_sent, process.wants_state = self._last, None
            if process.wants_outcome:
                outcome = outcome or self._outcome()
                if outcome is not None:
                    process.send(outcome)
                    process.wants_outcome = False

    def _outcome(self) -> RunOutcome | None:
        """Return how the run has ended; None while some fragment may still fail."""
        failure = self._failure()
        if failure is not None:
            return RunOutcome("failed", str(failure))
        rest = [c for c in self._supervisors if not c.over]
        if not (self._draining or all(c.process and c.process.wants_outcome for c in rest)):
            return None
        return RunOutcome("interrupted" if self._interrupted else "done", "")

    def _failure(self) -> Failure | None:
        """Return why the run has failed, if it has."""
        found = (c.failure for c in self._supervisors if c.failure is not None)
        return next(found, self._stall)

    # -- ending ------------------------------------------------------------------------------

    def _drain(self) -> None:
        """End the sources; processes that have ended are not restarted."""
        if self._draining:
            return
        self._draining = True
        self._stood = standing.standing(self._last) if self._last is not None else ""
        self._send_all(Drain())
        for supervisor in self._supervisors:
            if supervisor.due is not None:
                self._let_go(supervisor)

    def _after(self, supervisor: FragmentSupervisor, process: FragmentProcess, status: int) -> None:
        """Clean up after a process that has ended, and schedule its restart if it has one."""
        process.clean_up()
        while process.has_output or self._wait([process], 0.0):
            self._receive(process)
        process.close()
        supervisor.process = None
        for change in process.snapshot.changes if process.snapshot is not None else ():
            supervisor.changes.setdefault(change.operator, {})[change.parameter] = change.value
        self._stats.end(process.fragment)
        well = ended_well(process)
        failure = None if well else failure_of(process, status)
        refused = process.refused if self._begun is None and not process.generation else None
        if refused is not None and refused.lasting:
            raise HoloflowError(f"fragment {supervisor.name!r}: {refused.text}")
        if process.ended is not None:
            self._engine = process.ended.engine
            if process.ended.records is not None:
                self._records.append(process.ended.records)
        if well and status and process.killed is None:
            _log.warning("its run had ended, then %s", describe_exit(status), extra=process.extra)
        if self._stopping is not None and not well:
            failure = None
        supervisor.failure = failure
        supervisor.silent = process.ended is None
        delay = None if self._draining else supervisor.retry(process, self._now, well=well)
        count_crash(self._plan, self._counters, supervisor.name)
        if delay is None:
            self._let_go(supervisor)
            return
        supervisor.due = self._now + delay
        _log.warning(
            "%s; it is restarted in %g s (%d of %d)%s",
            describe_failure(failure) if failure is not None else "it has ended",
            delay, supervisor.consecutive, supervisor.fragment.restarts,
            f"\n{failure.trace.rstrip()}" if failure is not None and failure.trace else "",
            extra=process.extra,
        )  # fmt: skip

    def _let_go(self, supervisor: FragmentSupervisor) -> None:
        """Continue without a fragment whose process has ended for good."""
        supervisor.over, supervisor.due = True, None
        cause: Cause = (
            "stopped" if self._stopping is not None else "crash" if supervisor.failure else "end"
        )
        ended = end_flows(self._plan, self._counters, supervisor.name, cause)
        if ended:
            self._send_all(FlowsOver(ended))
        if supervisor.silent or ended:  # it died, or kept its streams open for a restart
            identity = self._starter.identity
            notice = announce_peer_down(self._plan, self._counters, supervisor.name, identity)
            if notice is not None:
                self._notices.append(notice)
        if supervisor.failure is not None:
            outcome = "is not restarted" if supervisor.policy == "never" else "is given up"
            _log.error(
                "%s; it %s",
                describe_failure(supervisor.failure),
                outcome,
                extra={"fragment": supervisor.name},
            )
            self._drain()
        elif supervisor.policy == "always" and not self._draining:
            words = "it has ended too often in a row; it is not restarted"
            _log.warning(words, extra={"fragment": supervisor.name})
