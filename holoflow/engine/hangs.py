"""Operators of a process that do not return: the run does without them, and ends."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.engine.calls import Ongoing
from holoflow.engine.control import Control
from holoflow.engine.result import Failure
from holoflow.engine.stage import Stage
from holoflow.flow.hangs import patience


def hangs(call: Ongoing) -> Failure:
    """Say whose call does not return."""
    cause = f"it hangs: it has been at work for {call.seconds:.1f} s"
    return Failure(call.operator, call.frame, cause)


class Hangs:
    """Stages that are given up; all calls come from one thread."""

    def __init__(self, stages: Sequence[Stage], control: Control) -> None:
        """Look at `stages`."""
        self._rest = list(stages)
        """Those that are not given up."""
        self._control = control
        self._given_up = False
        self._ticks, self._worked = 0, 0.0
        """How often the rest had been ticked when some of it last was at work, and when."""

    def look(self, calls: Sequence[Ongoing], *, ending: bool) -> None:
        """Do without the operators of those of `calls` that hang: the run has failed."""
        for call in calls:
            if call.seconds <= patience(call.hang, call.usual, ending=ending):
                continue
            failure = hangs(call)
            if call.stage is None or call.host is None:
                self._control.stalled(failure)  # Holoscan's scheduler cannot do without it
            elif call.stage in self._rest:
                self._control.fail(failure)
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
