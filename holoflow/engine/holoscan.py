"""Engine `holoscan`: every stage is a Holoscan operator, run by one of Holoscan's schedulers.

A stage is scheduled through an asynchronous condition. A stage without work sets it to wait;
whatever gives it work (a producer, a consumer that made room, a timer) sets it to done. Messages
wait in holoflow's own queues, so that every one of them is counted.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from holoflow.app.graph import Scheduler
from holoflow.core.errors import HoloflowError, describe
from holoflow.engine.build import Program
from holoflow.engine.control import Control, Failure, RunOptions
from holoflow.engine.holoscan_stage import StageOp, State, core, holoscan
from holoflow.engine.inline import run_inline
from holoflow.engine.timers import Timers

_ended: list[Any] = []
"""Applications that have run. They are kept, at 20 MB each, because the garbage collector of
Python 3.13 crashes on them."""
STANDSTILL = 10
"""Milliseconds of standstill after which a run has ended where all stages have said that they have.
With Holoscan's own operators, of which that is not known, the app says how long."""
POLICIES = {"fifo": "SCHED_FIFO", "rr": "SCHED_RR", "deadline": "SCHED_DEADLINE"}
CLOCKS = {"realtime": "RealtimeClock", "manual": "ManualClock", "synthetic": "SyntheticClock"}


class _Application(core.Application):  # type: ignore[misc]
    """The stages of a program as a Holoscan application."""

    def __init__(self, program: Program, on_tick: Callable[[], None], frames: int | None) -> None:
        self.program = program
        self.on_tick = on_tick
        self.frames = frames
        self.holoscan_operators: Any = None
        self.ucx: Any = None
        self.stage_operators: list[StageOp] = []
        super().__init__()

    def compose(self) -> None:
        """Add every stage, and Holoscan's own operators with their feeders and collectors."""
        holoscan_operators = bool(self.program.holoscan_operators)
        # Only Holoscan knows whether its own operators have ended, so a stage that waits for
        # them must not look as if an event could still come: its standstill is the end.
        idle = State.WAIT if holoscan_operators else State.EVENT_WAITING
        for stage in self.program.stages:
            if stage.finished:
                continue
            self.add_operator(StageOp(self, stage, self.on_tick, idle))
        if holoscan_operators:
            from holoflow.engine.holoscan_operators import HoloscanOperators

            self.holoscan_operators = HoloscanOperators(
                self, self.program, self.on_tick, self.frames
            )
            self.program.poll = self.holoscan_operators.poll
            if not self.program.plan.app.scheduler.stop_on_deadlock:
                self.program.control.listen(UntilAskedOp(self).end)
        self._make_pools(self.program.plan.app.scheduler)
        if self.program.ucx is not None:
            from holoflow.engine.ucx import UcxEnds

            self.ucx = UcxEnds(self, self.program.ucx, self.program.control)

    def _make_pools(self, scheduler: Scheduler) -> None:
        """Give operators threads of their own, as the app says."""
        views = {runner.name: one for one in self.stage_operators for runner in one.stage.runners}
        if self.holoscan_operators is not None:
            views |= self.holoscan_operators.operators
        for pool in scheduler.pools:
            here = list(dict.fromkeys(views[name] for name in pool.operators if name in views))
            if not here:
                continue
            threads = self.make_thread_pool(pool.name, min(pool.size, len(here)))
            cores = list(pool.cores)
            for one in here:
                if pool.policy is None:
                    threads.add(one, pin_operator=pool.pin, pin_cores=cores)
                    continue
                times = (round(1e9 * s) for s in (pool.runtime, pool.deadline, pool.period))
                policy = POLICIES[pool.policy]
                threads.add_realtime(one, policy, pool.pin, cores, pool.priority, *times)

    def stop_execution(self, op_name: str = "") -> None:
        """Stop the operator `op_name`; without a name, drain and end the run."""
        if op_name:
            super().stop_execution(op_name)
        else:
            self.program.control.drain()

    def not_initialized(self) -> str:
        """Return the Holoscan operator that could not be initialized; empty if it is not known.

        The exception does not say. But each operator gets a number when its turn comes, so if some
        have none, the last one that has a number failed. If all have one and nothing has run, it is
        known only if there is a single operator.
        """
        if self.holoscan_operators is None or any(
            operator.stage.ticks for operator in self.stage_operators
        ):
            return ""
        numbers = {
            name: operator.id for name, operator in self.holoscan_operators.operators.items()
        }
        others = [operator.id for operator in self.stage_operators]
        if min(*numbers.values(), *others) < 0:
            last = max(numbers, key=numbers.__getitem__)
            return last if numbers[last] > max(others, default=-1) else ""
        return next(iter(numbers)) if len(numbers) == 1 else ""

    def let_go(self) -> None:
        """Release everything that the run has held."""
        for operator in self.stage_operators:
            operator.let_go()
        if self.holoscan_operators is not None:
            self.holoscan_operators.let_go()
        del self.program


class UntilAskedOp(core.Operator):  # type: ignore[misc]
    """Keeps Holoscan from ending the run before it is asked to."""

    def __init__(self, fragment: Any) -> None:
        """Take part in `fragment`."""
        self.condition = holoscan.conditions.AsynchronousCondition(fragment, name="is asked to end")
        self._asked = False
        super().__init__(fragment, self.condition, name="holoflow waits")
        fragment.add_operator(self)

    def end(self) -> None:
        """Let the run end when nothing can go on any more."""
        self._asked = True
        self.condition.event_state = State.EVENT_DONE

    def setup(self, spec: Any) -> None:
        """Declare no ports."""

    def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
        """Wait, or end; Holoscan calls this at the beginning, and when it is asked to end."""
        self.condition.event_state = State.EVENT_WAITING
        if self._asked:  # read last, so that it is not missed
            self.condition.event_state = State.EVENT_NEVER


def run_holoscan(
    program: Program, control: Control, timers: Timers, begun: threading.Event, options: RunOptions
) -> None:
    """Run `program`; sets `begun` once the schedulers run."""
    on_tick = _first_tick(begun, program.plan.app.scheduler)
    holoscan_operators = bool(program.holoscan_operators)
    try:
        while True:
            ticks = sum(stage.ticks for stage in program.stages)
            _run_application(program, on_tick, options, holoscan_operators=holoscan_operators)
            finished = all(stage.finished for stage in program.stages)
            if finished or holoscan_operators or control.aborted or program.ucx is not None:
                break
            # Holoscan ends the run if the process was suspended, which it takes for a deadlock,
            # or at a signal that arrives before its handlers are replaced. The stages have kept
            # their state and continue in another application.
            if sum(stage.ticks for stage in program.stages) == ticks:
                early = HoloflowError("Holoscan ended the run early and gave no reason")
                _break_off(control, early)
                raise early
    finally:
        begun.set()
        rest = [stage for stage in program.stages if not stage.finished]
        for stage in rest:
            stage.wake()
        run_inline(rest, control, timers)


def _run_application(
    program: Program, on_tick: Callable[[], None], options: RunOptions, *, holoscan_operators: bool
) -> None:
    """Run the stages that are not finished as a Holoscan application."""
    app = _Application(program, on_tick, options.frames)
    scheduler = program.plan.app.scheduler
    standstill = STANDSTILL
    if holoscan_operators:
        standstill = round(1e3 * scheduler.stop_on_deadlock_timeout)
    left = sum(not stage.finished for stage in program.stages)
    scheduler = replace(scheduler, workers=program.running(left))
    app.scheduler(make_scheduler(app, scheduler, standstill))
    try:
        error = _run(app)
        if app.ucx is not None:
            app.ucx.check(error)
        elif error is not None:
            raise error
    except BaseException as error:
        # Before streams are closed, so that this is not mistaken for a regular end.
        if app.holoscan_operators is not None:
            app.holoscan_operators.broken(error)
        _break_off(program.control, error, app.not_initialized())
        raise
    finally:
        if app.ucx is not None:
            app.ucx.end()
        if app.holoscan_operators is not None:
            program.poll = lambda: None
            app.holoscan_operators.end()
        app.let_go()
        if sys.version_info >= (3, 13):
            _ended.append(app)


def _break_off(control: Control, error: BaseException, operator: str = "") -> None:
    """Fail a run that Holoscan has ended with `error`, at the start of `operator` if known."""
    failure = Failure("engine", "", describe(error), error)
    if operator:
        hint = "; set HOLOSCAN_LOG_LEVEL=WARN in the environment to see what Holoscan logs"
        failure = Failure(operator, "start", describe(error) + hint, error)
    if control.draining:  # an operator has failed; what has passed it is processed
        control.fail(failure)
    else:
        control.stalled(failure)


def _run(app: Any) -> BaseException | None:
    """Run `app`; return the exception that it raised, if any."""
    try:
        app.run()
    except BaseException as error:
        return error
    return None


def make_scheduler(app: Any, scheduler: Scheduler, standstill: int = STANDSTILL) -> Any:
    """Return the Holoscan scheduler that the app asks for; a `standstill` (ms) ends the run."""
    schedulers = holoscan.schedulers
    common = {
        "name": "holoflow scheduler",
        "stop_on_deadlock_timeout": standstill,
        "network_connection_timeout": standstill,
    }
    if scheduler.clock != "realtime":
        common["clock"] = getattr(holoscan.resources, CLOCKS[scheduler.clock])(app, name="clock")
    if scheduler.kind == "greedy":
        return schedulers.GreedyScheduler(app, **common)
    if scheduler.kind == "multithread":
        return schedulers.MultiThreadScheduler(
            app, worker_thread_number=scheduler.workers, check_recession_period_ms=0.0, **common
        )
    # Without stealing, a slow stage delays those queued behind it on its worker. With the
    # workers' post-check fast path, a run sometimes hangs and cannot be woken if all stages end at
    # once on a busy machine; it also costs a third of the throughput.
    return schedulers.EventBasedScheduler(
        app,
        worker_thread_number=scheduler.workers,
        enable_queue_stealing=True,
        enable_worker_postcheck_fastpath=False,
        **({"pin_cores": list(scheduler.cores)} if scheduler.cores else {}),
        **common,
    )


def _first_tick(begun: threading.Event, scheduler: Scheduler) -> Callable[[], None]:
    """Return the function called at every tick, which prepares new threads and sets `begun`."""
    known = threading.local()
    order = iter(range(1_000_000))
    pin = bool(scheduler.cores) and scheduler.kind != "event"

    def on_tick() -> None:
        if hasattr(known, "thread"):
            return
        # Else Python would make a state for the thread at every tick, and drop it afterwards with
        # all thread-local values: system calls, and page faults, that cost more than a tick.
        known.thread = ctypes.pythonapi.PyGILState_Ensure()
        begun.set()
        if pin:
            os.sched_setaffinity(0, {scheduler.cores[next(order) % len(scheduler.cores)]})

    return on_tick
