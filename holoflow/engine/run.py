"""One run of a plan, from the start of the operators to the last snapshot."""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from holoflow.core.errors import HoloflowError, describe, is_shortage, words
from holoflow.core.operator import LiveParameter, OperatorContext
from holoflow.engine.admission import lift
from holoflow.engine.build import (
    Program,
    build,
    end_remote_inputs,
    expect,
    give_notifiers,
    join,
)
from holoflow.engine.calls import Hangs, StallDetector, hangs
from holoflow.engine.changes import LiveParameters, live_values
from holoflow.engine.control import (
    Control,
    EngineName,
    Failure,
    Outcome,
    RunOptions,
    RunResult,
    Stopper,
    WholeRun,
)
from holoflow.engine.copies import threads_of
from holoflow.engine.inline import run_inline
from holoflow.engine.observer import Observer
from holoflow.engine.operator_stage import OperatorStage
from holoflow.engine.signals import SignalHandlers
from holoflow.engine.spread import copy_processes, spread
from holoflow.engine.threads import run_threads
from holoflow.engine.timers import SimulatedTimers, Timers
from holoflow.link.links import Links
from holoflow.link.ucx import UcxTransport
from holoflow.plan.plan import Plan
from holoflow.stats import standing
from holoflow.stats.machine import cores
from holoflow.stats.snapshot import FragmentStats, Sample, Snapshot

Observe: TypeAlias = Callable[[Snapshot, tuple[Sample, ...]], None]
"""Called with the state of a run and its curves so far."""

LOOK = 0.5
"""Most seconds between two polls of the run."""

SPARING = 3
"""How many times as long as a poll took is waited at least before the next one: with thousands of
operators it takes so long that half-second polls would leave no time for frames."""

BRISK, CALM = 0.02, 0.1
"""Seconds between two turns of the thread that watches a run: while its stages work, and once none
has for a while, as each turn wakes a core."""

STARTING = 0.002
"""Seconds between polls while the engine starts: a signal caught by its handlers is lost."""

IMPATIENCE = 5.0
"""Seconds after which parts that have not joined and operators still starting are reported."""

GRACE = 5.0
"""Seconds that operators have to return after the run was asked to stop at once."""

_log = logging.getLogger("holoflow.engine")


class Run:
    """One run: the state that its phases share."""

    def __init__(
        self, plan: Plan, options: RunOptions, engine: EngineName, stopper: Stopper,
        links: Links | None, whole: WholeRun | None, live: LiveParameters,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.whole = whole
        self.live = live
        self.links = links
        self.options = options
        self.stopper = stopper
        self.engine = engine
        self.control = Control(
            lossless=options.lossless, tracked=options.tracked, trace=options.trace
        )
        self.timers: Timers | SimulatedTimers = (
            Timers(self.control.begin)
            if self.engine != "inline" or links is not None  # other processes have real clocks
            else SimulatedTimers(self.control.begin)
        )
        self.control.durable = links is not None
        self.control.returns = options.returns
        self.control.guarded = options.guarded
        self.control.now = self.timers.now
        self.control.captured = self.timers.captured
        self.control.waits = isinstance(self.timers, Timers)
        self.control.wake_at = self.timers.wake_at
        options.output.mkdir(parents=True, exist_ok=True)
        contexts = {name: self._context(name) for name in plan.app.operators}
        self.program: Program = build(plan, self.control, contexts, options.frames, links)
        self.apart = {} if self.engine == "inline" else copy_processes(self.program)
        """Operators whose copies are processes, by name: they start and stop there."""
        self.observer = Observer(self.program, options, self.engine)
        self.observer.changes.again(options.changes)
        self.holoscan_operator = bool(self.program.holoscan_operators)
        self.standstill = StallDetector(self.program.stages, self.timers)
        self.handlers = SignalHandlers()
        self.hangs = Hangs(self.program.stages, self.control)
        self._engine_ended = True
        self._hastened = False
        self._patience = max(process.placement.hang for process in plan.processes)
        """Seconds for which operators that cannot be inspected may work."""
        self._stood = ""
        """Why nothing moved when the end was asked for, if nothing had moved for long."""
        self.began = self._looked = time.monotonic()

    def _context(self, name: str) -> OperatorContext:
        whole = self.whole
        return OperatorContext(
            name=name,
            output=self.options.output,
            generation=self.options.generation,
            log=logging.getLogger(f"holoflow.operator.{name}"),
            lossless=self.options.lossless,
            now=self.timers.captured,
            announce=lambda kind, text: self.observer.announcements.append((kind, text)),
            snapshot=whole.snapshot if whole else lambda: self.observer.latest,
            history=whole.history if whole else lambda: self.observer.history.samples,
            outcome=self._ended,
            parameters=self._live_values,
            change=None if self.options.read_only else self._change,
            web=self.options.web,
            threads=threads_of(self.plan.app.operators[name], cores())
            if self.engine != "inline"
            else 0,
        )

    def go(
        self, observe: Observe | None, every: float, ready: Callable[[], bool] | None
    ) -> RunResult:
        """Run until the end, as `execute` says."""
        try:
            self._go(observe, min(every, LOOK), ready)
            last = self._poll(observe, last=True)
        finally:
            self.observer.probe.close()
        return RunResult(
            self._outcome(), self.engine, last, self.control.failure,
            self.observer.history.samples, self.observer.records(),
        )  # fmt: skip

    def _go(self, observe: Observe | None, every: float, ready: Callable[[], bool] | None) -> None:
        started: list[str] = []
        try:
            if self._start(started, ready):
                self._run(observe, every)
        except BaseException as error:
            # Before anything is closed, so that this is not mistaken for the end of a stream.
            short = is_shortage(error)
            if not short:
                self.control.fail(Failure("", "", describe(error), error))
                raise
            self.control.fail(Failure("", "", words(error)))  # a traceback adds nothing
        finally:
            for stage in self.program.stages:
                stage.end(GRACE)
            self._stop(started, observe)
            for processes in self.apart.values():
                processes.kill()
            self.control.release()
            self.timers.stop()
            for queue in self.program.queues.values():
                if queue.inlet is None or not self.control.comes_back():
                    queue.abandon("stopped" if self.control.aborted else "end")
            if self.links is not None:
                for output in self.program.remote_outputs:
                    output.close()
                self.links.flush(lambda: self._give_up_flush(observe, every))
                self.links.close()

    def _outcome(self) -> Outcome:
        if self.control.failure is not None:
            return "failed"
        return "interrupted" if self.stopper.drain.is_set() else "done"

    def _ended(self) -> tuple[Outcome, str]:
        """Return how the whole run has ended, as far as it is known, and what failed."""
        own = self._outcome(), str(self.control.failure or "")
        if self.whole is None or self.control.failure is not None:
            return own
        return self.whole.outcome() or own

    def _live_values(self) -> tuple[LiveParameter, ...]:
        """Return the live parameters of the whole app."""
        snapshot = self.whole.snapshot() if self.whole else self.observer.latest
        nodes = self.whole.operators if self.whole else self.plan.app.operators
        return live_values(nodes, () if snapshot is None else snapshot.changes)

    def _change(self, operator: str, parameter: str, value: object) -> None:
        """Have a live parameter changed, here or in the process of its operator."""
        if self.whole is None or operator in self.program.runners:
            self.live.change(operator, parameter, value)
        else:
            self.whole.change(operator, parameter, value)

    # -- operators ---------------------------------------------------------------------------

    def _start(self, started: list[str], ready: Callable[[], bool] | None) -> bool:
        """Start all operators and join the links; false if the run must not begin."""
        for name, runner in self.program.runners.items():
            if self.stopper.drain.is_set():
                return False
            started.append(name)
            with _reported_if_slow(name):
                if not self._try(name, "start", self.apart.get(name, runner.operator).start):
                    return False
        if self.links is not None:
            join(self.program, self.links)
        # Consumers are ready before anything is sent.
        consumers = [stage for stage in self.program.stages if isinstance(stage, OperatorStage)]
        producers = [stage for stage in self.program.stages if stage not in consumers]
        if not all(self._try(s.runners[0].name, "start", s.begin) for s in consumers):
            return False
        if self.links is not None:
            scheduler = self.plan.app.scheduler
            alone = self.engine == "inline" or scheduler.kind == "greedy"
            give_notifiers(self.program, self.links, 1 if alone else scheduler.workers)
        if self.links is not None and not self._joined(self.links):
            return False
        if ready is not None and not ready():
            return False
        if self.program.ucx is not None and not self._meet(self.program.ucx):
            return False
        inline = self.engine == "inline"
        if not inline:
            spread(self.program, self.apart)
        expect(self.program, inline=inline)
        # The stream begins now, so that however long the operators took, no frame is late.
        self.timers.restart(self.control.restart())
        return all(self._try(s.runners[0].name, "start", s.begin) for s in producers)

    def _joined(self, links: Links) -> bool:
        """Join the other parts; false if the run is asked to end before they have joined."""
        links.accept()
        if self.options.generation:
            return True  # the others keep running, and may have ended by now
        impatient = time.monotonic() + IMPATIENCE
        while waits := links.waits_for():
            if self.stopper.drain.is_set():
                return False
            if time.monotonic() > impatient:
                impatient = math.inf
                logging.getLogger("holoflow.link").info("still waiting: %s", waits)
            time.sleep(0.02)
        return True

    def _meet(self, ucx: UcxTransport) -> bool:
        """Wait for the peers, whose addresses Holoscan needs; whether all have joined."""
        try:
            return ucx.meet(self._in_a_hurry)
        except HoloflowError as error:
            self.control.fail(Failure("ucx", "start", describe(error), error))
            return False

    def _give_up_flush(self, observe: Observe | None, every: float) -> bool:
        """Keep observing the run while messages are being delivered; true to stop waiting."""
        if time.monotonic() - self._looked >= every:
            self._poll(observe)
        self._hasten_links()
        return self._in_a_hurry()

    def _hasten_links(self) -> None:
        """Tell the links, once, that the end of the run was asked for."""
        if self.links is not None and self.stopper.drain.is_set() and not self._hastened:
            self._hastened = True
            self.links.drain()

    def _in_a_hurry(self) -> bool:
        """Whether to end without waiting for messages to be delivered."""
        return self.control.aborted or self.stopper.now.is_set()

    def _stop(self, started: Sequence[str], observe: Observe | None) -> None:
        """Stop all operators, last first; the others are stopped even if one fails."""
        for name in reversed(started):
            stop = self.apart.get(name, self.program.runners[name].operator).stop
            stopping = threading.Thread(
                target=self._try, args=(name, "stop", stop), name=f"stop {name}", daemon=True
            )
            try:
                stopping.start()
            except RuntimeError:  # no thread is left
                self._try(name, "stop", stop)
                continue
            self._wait_for_stop(name, stopping, observe)

    def _wait_for_stop(
        self, name: str, stopping: threading.Thread, observe: Observe | None
    ) -> None:
        """Wait until an operator has stopped; if it hangs, the run has failed."""
        calls = self.observer.calls
        calls.begin(name, "its stop()")
        stopping.join(LOOK)
        while stopping.is_alive():
            self._poll(observe)
            call = calls.of(name)
            # An operator left behind in a call may hold what stop() needs.
            hurried = self.control.aborted or self.stopper.now.is_set() or not self._engine_ended
            if call.seconds > (min(GRACE, call.hang) if hurried else call.hang):
                if not hurried:
                    self.control.fail(hangs(call))
                break
            stopping.join(LOOK)
        calls.end(name)

    def _try(self, name: str, moment: str, call: Callable[[], None]) -> bool:
        """Whether `call` of operator `name` succeeded; the run has failed if it did not."""
        try:
            call()
        except BaseException as error:
            self.control.fail(Failure(name, moment, describe(error), error))
            return False
        return True

    # -- the run itself ----------------------------------------------------------------------

    def _run(self, observe: Observe | None, every: float) -> None:
        for stage in self.program.stages:
            self.control.listen(stage.wake)
        begun = threading.Event()
        over = threading.Event()

        def work() -> None:
            try:
                self._run_engine(begun)
            except BaseException as error:
                self.control.fail(Failure("engine", "", describe(error), error))
            finally:
                begun.set()
                over.set()

        worker = threading.Thread(target=work, name="engine", daemon=True)
        # What exists now lives on: scanning it for garbage would delay frames by milliseconds.
        gc.freeze()
        self.began = time.monotonic()
        self.observer.begin()
        self.live.attach(self.observer.changes)
        worker.start()
        self._engine_ended = False
        try:
            at_work = False
            while not at_work and time.monotonic() - self.began < LOOK:
                at_work = begun.wait(STARTING)
                self.handlers.keep()
            self._watch(over, observe, every)
        except BaseException:
            self.control.abort()
            worker.join(GRACE)
            raise
        finally:
            self.handlers.keep()
            self.live.attach(None)
            self.observer.end()
            gc.unfreeze()
        if over.is_set():
            worker.join()
            self._engine_ended = True

    def _run_engine(self, begun: threading.Event) -> None:
        if self.engine == "inline" or isinstance(self.timers, SimulatedTimers):
            begun.set()
            run_inline(self.program.stages, self.control, self.timers)
        elif self.engine == "threads":
            begun.set()
            workers, cores = self.program.workers, self.plan.app.scheduler.cores
            run_threads(self.program.stages, self.control, workers, cores)
        else:
            from holoflow.engine.holoscan import run_holoscan

            run_holoscan(self.program, self.control, self.timers, begun, self.options)

    def _watch(self, over: threading.Event, observe: Observe | None, every: float) -> None:
        """Pass on requests of the stopper and poll the run, until the engine has returned."""
        due = self.began + every
        deadline = None if self.options.seconds is None else self.began + self.options.seconds
        give_up: float | None = None
        pause, worked = BRISK, 0
        while not self._wait(over, pause):
            stages = self.program.stages
            before, worked = worked, max((stage.worked for stage in stages), default=0)
            resting = all(stage.finished or stage.resting for stage in stages)
            # Holoscan's own operators cannot be asked whether they work.
            calm = resting and worked == before and not self.holoscan_operator
            pause = min(2 * pause, CALM) if calm else BRISK
            self.handlers.keep()
            self.program.poll()
            now = time.monotonic()
            self._hasten_links()
            ending = self.stopper.drain.is_set() or (deadline is not None and now >= deadline)
            if ending and not self.control.draining and self.observer.latest is not None:
                self._stood = standing.standing(self.observer.latest)
            if self.stopper.now.is_set() and not self.control.aborted:
                self.control.abort()
            elif ending and not self.control.draining:
                self.control.drain()
            if self.control.failure is not None and self.links is not None:
                end_remote_inputs(self.program)
            if self.control.aborted:
                give_up = give_up or now + GRACE
                if now >= give_up:
                    return
            if self.standstill.rests():
                lift(self.program.stages)
            # The inline engine detects it itself; with Holoscan's operators nothing can.
            if (
                self.engine != "inline"
                and not self.holoscan_operator
                and (stall := self.standstill.seen())
            ):
                self.control.stalled(stall)
            if now >= due or self.observer.changes.news:
                self._poll(observe)
                polled = time.monotonic()
                due = max(now + every, polled + SPARING * (polled - now))
                if self.links is None:  # else the launcher kills the process
                    self.hangs.poll(self.observer.calls.ongoing, ending=ending)
            else:
                self.observer.relieve()
            if self.hangs.rest_is_done(now, GRACE):
                self.control.abort()
                return

    def _wait(self, over: threading.Event, pause: float) -> bool:
        """Wait for `over`, `pause` seconds at most; whether it has come.

        While there is work, how late the thread wakes is measured: that takes longer than all else
        that it does in an idle run.
        """
        return self.observer.probe.wait(over, pause) if pause == BRISK else over.wait(pause)

    def _poll(self, observe: Observe | None, *, last: bool = False) -> Snapshot:
        """Return the state of the run, pass it on, and do what its budgets demand."""
        self._looked = time.monotonic()
        snapshot, changes = self.observer.poll(last=last)
        (stats,) = snapshot.fragments
        snapshot = replace(snapshot, fragments=(self._waiting(stats),), stood=self._stood)
        self.observer.latest = snapshot
        for change in changes:
            log = logging.getLogger("holoflow.budget")
            log.log(logging.WARNING if change.kind == "missed" else logging.INFO, change.text)
        stopping = (b for b in snapshot.budgets if b.when_missed == "stop" and b.missed)
        if any(stopping) and not self.control.draining and not self.options.lossless:
            self.control.drain()
        if observe is not None:
            observe(snapshot, self.observer.history.samples)
        self.observer.changes.log()
        return snapshot

    def _waiting(self, stats: FragmentStats) -> FragmentStats:
        """Return `stats` with what the stages wait for."""
        # Holoscan's own operators cannot be asked whether they have finished.
        over = not self.holoscan_operator and all(stage.finished for stage in self.program.stages)
        waits: Mapping[str, str] = {}
        if self.links is not None and not self.holoscan_operator:
            waits = self.links.unsent() if over else self.standstill.waits()
        still = stats.still >= standing.LONG
        return replace(
            stats,
            waits=waits,
            awaits=(waits if over else self.standstill.awaits()) if still else {},
            held=still and stats.still > self._patience and self._held(),
            over=over and not waits,
        )

    def _held(self) -> bool:
        """Whether, if nothing moves, neither a source nor a timer nor a call is the cause."""
        # Holoscan's own sources cannot be asked whether they have something to give.
        fed = {flow.target.operator for flow in self.plan.app.flows}
        unknown = any(name not in fed for name in self.program.holoscan_operators)
        return not (unknown or self.observer.calls.ongoing) and self.standstill.held()


@contextlib.contextmanager
def _reported_if_slow(name: str) -> Iterator[None]:
    """Report an operator that takes long to start: nothing else would show what is waited for."""
    text = "%s has been starting for %g s"
    timer = threading.Timer(IMPATIENCE, _log.info, (text, name, IMPATIENCE))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that a run leaves no thread behind
