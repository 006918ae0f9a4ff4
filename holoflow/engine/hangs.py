"""Operators of a process that do not return: the run does without them, and ends."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.engine.calls import Ongoing
from holoflow.engine.control import Control
from holoflow.engine.result import Failure
from holoflow.engine.stage import Stage
from holoflow.flow.hangs import patience
from holoflow.plan.plan import Plan


class Hangs:
    """Stages that are given up; all calls come from one thread."""

    def __init__(self, plan: Plan, stages: Sequence[Stage], control: Control) -> None:
        """Look at the `stages` of `plan`."""
        self._limits = {
            name: process.placement.hang
            for process in plan.processes
            for name in process.placement.operators
        }
        self._rest = list(stages)
        """Those that are not given up."""
        self._control = control
        self._given_up = False
        self._ticks, self._worked = 0, 0.0
        """How often the rest had been ticked when some of it last was at work, and when."""

    def look(self, call: Ongoing | None, *, ending: bool) -> None:
        """Do without the operator of `call`, the longest, where it hangs: the run has failed."""
        if call is None or call.stage not in self._rest:
            return
        limit = patience(self._limits[call.host.name], call.usual, ending=ending)
        if call.seconds > limit:
            cause = f"it hangs: it has been at work for {call.seconds:.1f} s"
            self._control.fail(Failure(call.host.name, call.frame, cause))
            call.stage.give_up(call.host, call.calls, call.done)
            self._rest.remove(call.stage)
            self._given_up = True

    def rest_is_done(self, now: float, grace: float) -> bool:
        """Whether somebody is given up, and all others have worked off what they can."""
        if not self._given_up:
            return False
        ticks = sum(stage.ticks for stage in self._rest)
        if ticks != self._ticks or any(stage.since for stage in self._rest):
            self._ticks, self._worked = ticks, now
        # Where one thread ticks all stages, nobody is left to work anything off.
        return all(stage.finished for stage in self._rest) or now - self._worked > grace
