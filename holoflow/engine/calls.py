"""Calls in progress: detection of calls that hang and of runs that are stalled.

This costs nothing while frames flow: a stage records only when its current step began. If a step
takes long, its operator and frame are read from the stack of the thread that executes it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from holoflow.core.text import duration
from holoflow.engine.chain import Chain
from holoflow.engine.control import Control, Failure
from holoflow.engine.holoscan_calls import HoloscanCalls
from holoflow.engine.inputs import Call
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.source_stage import SourceStage
from holoflow.engine.stage import Stage
from holoflow.engine.timers import SimulatedTimers, Timers
from holoflow.plan.plan import Plan
from holoflow.stats.standing import is_stuck, patience


class StallDetector:
    """Detects that no stage of a process can continue. Use it from one thread only."""

    def __init__(self, stages: Sequence[Stage], timers: Timers | SimulatedTimers) -> None:
        """Watch `stages`, which `timers` may wake."""
        self._stages = stages
        self._timers = timers
        self._since: tuple[int, ...] | None = None
        self._rested: tuple[int, ...] | None = None

    def rests(self) -> bool:
        """Whether no stage has done anything since the last time that this was asked."""
        stages = self._unfinished()
        resting = tuple(s.ticks for s in stages) if all(s.resting for s in stages) else None
        before, self._rested = self._rested, resting
        return resting is not None and resting == before

    def seen(self) -> Failure | None:
        """Return the failure to end the run with, if twice in a row no stage could continue."""
        stages = self._unfinished()
        still = (
            bool(stages)
            and not self._timers.armed
            and all(s.sleeping and s.resting and not s.reading for s in stages)
        )
        ticks = tuple(stage.ticks for stage in stages) if still else None
        before, self._since = self._since, ticks
        return stall(waits(stages)) if ticks is not None and ticks == before else None

    def waits(self) -> dict[str, str]:
        """Return what each stage waits for, if all depend on another process; else nothing."""
        stages = self._unfinished()
        if self._timers.armed or not all(stage.asleep() for stage in stages):
            return {}
        return waits(stages)

    def held(self) -> bool:
        """Whether only a message that does not arrive could make a stage continue."""
        stages = self._unfinished()
        return not self._timers.armed and all(stage.asleep() for stage in stages)

    def awaits(self) -> dict[str, str]:
        """Return what each sleeping stage waits for."""
        return waits([s for s in self._unfinished() if s.resting])

    def _unfinished(self) -> list[Stage]:
        return [stage for stage in self._stages if not stage.finished]


def waits(stages: Sequence[Stage]) -> dict[str, str]:
    """Return what each of `stages` waits for, by the name of the stage."""
    return {stage.name: stage.stalled_by() for stage in stages}


def stall(waits: Mapping[str, str]) -> Failure:
    """Return the failure of a run in which no stage can continue: which waits for what."""
    said = "; ".join(f"{stage!r} waits for {what}" for stage, what in waits.items())
    return Failure(
        list(waits)[-1].split("+")[0],
        "",
        f"the app is stalled, no operator can go on: {said}; if operators drop messages or "
        "send several for one, join by time (sync) or give the waiting inputs longer queues",
    )


LEAP = 1.0
"""Most seconds by which a call ages between two polls: time in which the process or its machine
was suspended does not make an operator late."""
LONG = 1.0
"""Seconds after which the operator and frame of a step are looked up."""


@dataclass(frozen=True)
class Ongoing:
    """A call that has not returned."""

    operator: str
    """Name of the operator; of the first one of the stage if it is not known which one."""
    stage: Stage | None = None
    """None for one of Holoscan's own operators."""
    runner: OperatorRunner | None = None
    frame: str = ""
    """`frame 60 of camera`; empty where that is not known."""
    seconds: float = 0.0
    usual: float = 0.0
    """Seconds of the longest earlier step, of all operators of the stage together."""
    calls: tuple[Call, ...] = ()
    """Calls that were taken from the inputs of the stage for it."""
    done: int = 0
    """Frames that the source has given in the burst that the call belongs to, if any."""
    hang: float = math.inf
    """Seconds after which its operator is considered to hang."""

    @property
    def urgency(self) -> tuple[bool, float]:
        """Sort key: which call is most worth reporting."""
        return is_stuck(self.seconds, self.usual, self.hang), self.seconds


class Calls:
    """The calls in progress in some stages, as seen by the thread that polls."""

    def __init__(
        self, plan: Plan, stages: Sequence[Stage], holoscan_operators: Mapping[str, HoloscanCalls]
    ) -> None:
        """Watch the `stages` of `plan` and Holoscan's own operators."""
        self._holoscan_operators = holoscan_operators
        self._limits = {
            name: process.placement.hang
            for process in plan.processes
            for name in process.placement.operators
        }
        self._stages = stages
        self._apart: dict[str, tuple[int, str]] = {}
        """Calls outside of stages, by operator: when they began (ns), and what they are."""
        self._ages: dict[Stage | str, tuple[int, str, float]] = {}
        """Each stage at the last poll: when its step began (ns), its frame, its age (s)."""
        self._looked = time.monotonic()
        self.ongoing: list[Ongoing] = []
        """Calls at the last poll: those that are stuck first, in the order of their age."""

    def poll(self) -> None:
        """Update `ongoing`."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, LEAP), now
        ages: dict[Stage | str, tuple[int, str, float]] = {}
        found: list[Ongoing] = []
        for key, began, usual, call in self._begun(now):
            before, frame, age = self._ages.get(key, (0, "", 0.0))
            # A burst of a chain is one step of many frames.
            same = before == began and frame in ("", call.frame)
            age = age + passed if same else min(now - began / 1e9, passed)
            ages[key] = began, call.frame, age
            hang = self._limits[call.operator]
            found.append(replace(call, seconds=age, usual=usual, hang=hang))
        self._ages = ages
        self.ongoing = sorted(found, key=lambda call: call.urgency, reverse=True)

    def _begun(self, now: float) -> Iterator[tuple[Stage | str, int, float, Ongoing]]:
        """Yield each step in progress: its key, begin (ns), longest earlier time (s) and call."""
        for stage in self._stages:
            first = stage.runners[0] if stage.runners else None
            if (job := stage.oldest) is not None and first is not None:
                frame = f"frame {job.call.header.sequence} of {job.call.header.source}"
                call = Ongoing(first.name, stage, first, frame, calls=(job.call,))
                yield stage, job.start, first.meter.working.max, call
            elif (began := stage.since) and first is not None:
                late = now - began / 1e9 > LONG
                call = _find(stage) if late else Ongoing(first.name, stage, first)
                yield stage, began, sum(runner.meter.working.max for runner in stage.runners), call
        for name, calls in self._holoscan_operators.items():
            if began := calls.since():
                call = Ongoing(name, frame=calls.doing())
                yield name, began, calls.meter.working.max, call

        for name, (began, what) in self._apart.items():
            yield f"{name} {what}", began, 0.0, Ongoing(name, frame=what)

    def begin(self, operator: str, what: str) -> None:
        """Note that a call of `operator` begins which is not for a frame; `what`: `its stop()`."""
        self._apart[operator] = time.monotonic_ns(), what

    def end(self, operator: str) -> None:
        """Note that it has ended or is no longer waited for."""
        self._apart.pop(operator, None)

    def of(self, operator: str) -> Ongoing:
        """Return the call of `operator` at the last poll."""
        return next(call for call in self.ongoing if call.operator == operator)

    @property
    def first(self) -> Ongoing | None:
        """The call that is most worth reporting."""
        return next(iter(self.ongoing), None)


def _find(stage: Stage) -> Ongoing:
    """Return what `stage` is doing, read from the stack of its thread."""
    operators = {id(runner.operator): runner for runner in stage.runners}
    for innermost in sys._current_frames().values():
        runner, done = None, 0
        for frame in _outward(innermost):
            me = _first_argument(frame)
            if me is stage:
                return _ongoing(stage, runner or stage.runners[0], frame.f_locals, done)
            runner = runner or operators.get(id(me))
            if type(me) is Chain:
                done = done or frame.f_locals.get("count", 0)
    return Ongoing(stage.runners[0].name, stage, stage.runners[0])


def _ongoing(stage: Stage, runner: OperatorRunner, here: Mapping[str, Any], done: int) -> Ongoing:
    """Return the call of `runner`, made from a frame of `stage` with the local variables `here`.

    `done` is the number of frames that the source has given in the burst.
    """
    calls = [here["call"]] if isinstance(here.get("call"), Call) else here.get("batch", [])
    header = here.get("header") or (calls[0].header if calls else None)
    if header is not None:
        frame = f"frame {header.sequence} of {header.source}"
    elif isinstance(stage, SourceStage):
        first = stage.runners[0]
        number = stage.sequence + (done if runner is first else max(done - 1, 0))
        frame = f"frame {number} of {first.name}"
    else:
        frame = ""
    return Ongoing(runner.name, stage, runner, frame, calls=tuple(calls), done=done)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _first_argument(frame: FrameType) -> Any:
    """Return the instance whose method is being called; None for anything else."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def hangs(call: Ongoing) -> Failure:
    """Return the failure of a run in which `call` does not return."""
    cause = f"it hangs: it has been at work for {duration(call.seconds)}"
    return Failure(call.operator, call.frame, cause)


class Hangs:
    """Gives up stages that hang. Use it from one thread only."""

    def __init__(self, stages: Sequence[Stage], control: Control) -> None:
        """Watch `stages`."""
        self._rest = list(stages)
        """Stages that are not given up."""
        self._control = control
        self._given_up = False
        self._ticks, self._worked = 0, 0.0
        """Number of ticks of the rest when one of them last worked, and when that was (s)."""

    def poll(self, calls: Sequence[Ongoing], *, ending: bool) -> None:
        """Fail the run and give up the stage of each of `calls` that hangs."""
        for call in calls:
            if call.seconds <= patience(call.hang, call.usual, ending=ending):
                continue
            failure = hangs(call)
            if call.stage is None or call.runner is None:
                self._control.stalled(failure)  # Holoscan's scheduler cannot continue without it
            elif call.stage in self._rest:
                self._control.fail(failure)
                call.stage.give_up(call.runner, call.calls, call.done)
                call.runner.meter.give_up(call.seconds)
                self._rest.remove(call.stage)
                self._given_up = True

    def rest_is_done(self, now: float, grace: float) -> bool:
        """Whether a stage is given up and all others have processed what they can."""
        if not self._given_up:
            return False
        ticks = sum(stage.ticks for stage in self._rest)
        if ticks != self._ticks or any(stage.at_work for stage in self._rest):
            self._ticks, self._worked = ticks, now
        # If one thread ticks all stages, none is left to process anything.
        return all(stage.finished for stage in self._rest) or now - self._worked > grace
