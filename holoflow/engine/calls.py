"""Calls that go on: which operator has been at work on which frame, and for how long.

Nothing is noted for it while frames flow. A stage says when its present step began; only of one
that takes long are operator and frame looked for, on the stack of the thread that is in it.
"""

from __future__ import annotations

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

LEAP = 1.0
"""Seconds by which a call ages from one look to the next, at most: where the process or its
machine stood still, no operator is late."""
LONG = 1.0
"""Seconds of a step from which its operator and frame are looked for."""


@dataclass(frozen=True)
class Ongoing:
    """A call that has not returned."""

    stage: Stage
    host: Host
    """Its operator; the first of the stage where that is not known."""
    frame: str = ""
    """`frame 60 of camera`; empty where that is not known."""
    seconds: float = 0.0
    usual: float = 0.0
    """Seconds of the longest call before, of all operators of the stage together."""
    calls: tuple[Call, ...] = ()
    """What was taken from the inputs of the stage for it."""
    done: int = 0
    """Frames that the source has given in the burst that it belongs to, if it does."""


class Calls:
    """The calls of some stages, as seen by the thread that looks again and again."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Look at `stages`."""
        self._stages = stages
        self._ages: dict[Stage, tuple[int, str, float]] = {}
        """Of each stage at the last look: when its step had begun, its frame, for how long."""
        self._looked = time.monotonic()
        self.longest: Ongoing | None = None
        """At the last look."""

    def look(self) -> None:
        """Look which calls go on."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, LEAP), now
        ages: dict[Stage, tuple[int, str, float]] = {}
        found: list[Ongoing] = []
        for stage in self._stages:
            began = stage.since
            if not began:
                continue
            call = Ongoing(stage, stage.hosts[0])
            if now - began / 1e9 > LONG:
                call = _find(stage)
            before, frame, age = self._ages.get(stage, (0, "", 0.0))
            # A burst of a chain is one step of many frames.
            same = before == began and frame in ("", call.frame)
            age = age + passed if same else min(now - began / 1e9, passed)
            ages[stage] = began, call.frame, age
            usual = sum(host.account.working.max for host in stage.hosts)
            found.append(replace(call, seconds=age, usual=usual))
        self._ages = ages
        self.longest = max(found, key=lambda call: call.seconds, default=None)


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
    return Ongoing(stage, stage.hosts[0])


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
    return Ongoing(stage, host, frame, calls=tuple(calls), done=done)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _first_argument(frame: FrameType) -> Any:
    """Return the instance of a method that is being called; None for anything else."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
