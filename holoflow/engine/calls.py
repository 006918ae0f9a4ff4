"""Calls that go on: which operator has been at work on which frame, and for how long.

Nothing is noted for it while frames flow. A stage says when its present step began; only of one
that takes long are operator and frame looked for, on the stack of the thread that is in it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from holoflow.engine.chain import Chain
from holoflow.engine.host import Host
from holoflow.engine.inputs import Call
from holoflow.engine.source_stage import SourceStage
from holoflow.engine.stage import Stage
from holoflow.flow.account import Account
from holoflow.flow.hangs import is_stuck
from holoflow.plan.plan import Plan

LEAP = 1.0
"""Seconds by which a call ages from one look to the next, at most: where the process or its
machine stood still, no operator is late."""
LONG = 1.0
"""Seconds of a step from which its operator and frame are looked for."""


@dataclass(frozen=True)
class Ongoing:
    """A call that has not returned."""

    operator: str
    """The first of the stage where it is not known which one."""
    stage: Stage | None = None
    """None for one of Holoscan's own operators."""
    host: Host | None = None
    frame: str = ""
    """`frame 60 of camera`; empty where that is not known."""
    seconds: float = 0.0
    usual: float = 0.0
    """Seconds of the longest call before, of all operators of the stage together."""
    calls: tuple[Call, ...] = ()
    """What was taken from the inputs of the stage for it."""
    done: int = 0
    """Frames that the source has given in the burst that it belongs to, if it does."""
    hang: float = math.inf
    """Seconds for which it may go on before its operator is taken to hang."""

    @property
    def urgency(self) -> tuple[bool, float]:
        """What orders calls by how much they are worth telling."""
        return is_stuck(self.seconds, self.usual, self.hang), self.seconds


class Calls:
    """The calls of some stages, as seen by the thread that looks again and again."""

    def __init__(self, plan: Plan, stages: Sequence[Stage], natives: Mapping[str, Account]) -> None:
        """Look at the `stages` of `plan`, and at what Holoscan's own operators note."""
        self._natives = natives
        self._limits = {
            name: process.placement.hang
            for process in plan.processes
            for name in process.placement.operators
        }
        self._stages = stages
        self._apart: dict[str, tuple[int, str]] = {}
        """Of calls that are none of a stage's: when they began, and what they are."""
        self._ages: dict[Stage | str, tuple[int, str, float]] = {}
        """Of each stage at the last look: when its step had begun, its frame, for how long."""
        self._looked = time.monotonic()
        self.ongoing: list[Ongoing] = []
        """At the last look: first those that are stuck, the longest before the others."""

    def look(self) -> None:
        """Look which calls go on."""
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
        """Yield what goes on, when it began, how long it took at most, and whose call it is."""
        for stage in self._stages:
            if began := stage.since:
                first = stage.hosts[0]
                late = now - began / 1e9 > LONG
                call = _find(stage) if late else Ongoing(first.name, stage, first)
                yield stage, began, sum(host.account.working.max for host in stage.hosts), call
        for name, account in list(self._natives.items()):
            if began := account.since:
                call = Ongoing(name, frame=f"call {account.frames} of it")
                yield name, began, account.working.max, call

        for name, (began, what) in self._apart.items():
            yield f"{name} {what}", began, 0.0, Ongoing(name, frame=what)

    def begin(self, operator: str, what: str) -> None:
        """Note that a call of `operator` begins that is for no frame, but `what`: `its stop()`."""
        self._apart[operator] = time.monotonic_ns(), what

    def end(self, operator: str) -> None:
        """Note that it has ended, or is not waited for any longer."""
        self._apart.pop(operator, None)

    def of(self, operator: str) -> Ongoing:
        """Return the call of `operator` at the last look."""
        return next(call for call in self.ongoing if call.operator == operator)

    @property
    def first(self) -> Ongoing | None:
        """The call that is most worth telling."""
        return next(iter(self.ongoing), None)


def _find(stage: Stage) -> Ongoing:
    """Return what `stage` is at, read from the stack of its thread."""
    operators = {id(host.operator): host for host in stage.hosts}
    for innermost in sys._current_frames().values():
        host, done = None, 0
        for frame in _outward(innermost):
            me = _first_argument(frame)
            if me is stage:
                return _ongoing(stage, host or stage.hosts[0], frame.f_locals, done)
            host = host or operators.get(id(me))
            if type(me) is Chain:
                done = done or frame.f_locals.get("count", 0)
    return Ongoing(stage.hosts[0].name, stage, stage.hosts[0])


def _ongoing(stage: Stage, host: Host, here: Mapping[str, Any], done: int) -> Ongoing:
    """Return the call of `host`, made where `stage` has `here` as its variables.

    `done`: frames that the source has given in a burst.
    """
    calls = [here["call"]] if isinstance(here.get("call"), Call) else here.get("batch", [])
    header = here.get("header") or (calls[0].header if calls else None)
    if header is not None:
        frame = f"frame {header.sequence} of {header.source}"
    elif isinstance(stage, SourceStage):
        first = stage.hosts[0]
        number = stage.sequence + (done if host is first else max(done - 1, 0))
        frame = f"frame {number} of {first.name}"
    else:
        frame = ""
    return Ongoing(host.name, stage, host, frame, calls=tuple(calls), done=done)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _first_argument(frame: FrameType) -> Any:
    """Return the instance of a method that is being called; None for anything else."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
