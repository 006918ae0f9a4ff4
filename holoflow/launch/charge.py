"""A fragment in the launcher's care: its process, and what becomes of it when that ends."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.app.graph import Fragment, RestartPolicy
from holoflow.engine.result import Failure, RunOptions
from holoflow.flow.live.protocol import Phase
from holoflow.launch import policy
from holoflow.launch.process import Process
from holoflow.launch.watchdog import ended_how
from holoflow.plan.checks import is_here
from holoflow.plan.plan import Plan


@dataclass
class Charge:
    """One of the fragments that are started here."""

    fragment: Fragment
    policy: RestartPolicy
    process: Process | None = None
    due: float | None = None
    """When it is started again, on the launcher's clock; None where it is not waiting for that."""
    restarts: int = 0
    """How often it was started again."""
    in_a_row: int = 0
    """Of those, how many without a minute between them that went well."""
    over: bool = False
    """Whether it has ended for good."""
    silent: bool = False
    """Whether its newest process has died without a word to its neighbours."""
    failure: Failure | None = None
    """Why its newest process failed, if it has ended and did."""

    @property
    def name(self) -> str:
        """The fragment's name."""
        return self.fragment.name

    @property
    def done(self) -> bool:
        """Whether its run has ended, as far as is known here."""
        return self.over or (self.process is not None and self.process.ended is not None)

    @property
    def phase(self) -> Phase:
        """What the fragment does now."""
        if self.over:
            return "ended"
        if self.process is None:
            return "again"
        return "starting" if self.process.began is None else "running"

    def retry(self, process: Process, now: float, *, well: bool) -> float | None:
        """Return after how many seconds it is started again, now that `process` has ended."""
        lived = now - process.began if process.began is not None else 0.0
        tries = policy.in_a_row(self.in_a_row, lived)
        delay = policy.again(self.policy, self.fragment.restarts, tries, well=well)
        self.in_a_row = tries + 1
        return delay


def charges_of(plan: Plan, options: RunOptions) -> list[Charge]:
    """Return the fragments of `plan` that are started here."""
    bounded = options.frames is not None or options.seconds is not None
    here = [process.placement for process in plan.processes if is_here(plan, process.fragment)]
    return [Charge(f, policy.policy_of(plan, f, bounded=bounded)) for f in here]


def ended_well(process: Process) -> bool:
    """Whether a process that has ended did what it was to do."""
    return process.ended is not None and process.ended.outcome != "failed"


def failure_of(process: Process, status: int) -> Failure:
    """Return why a process failed that has ended with `status`."""
    name = process.fragment
    if process.ended is not None and (failed := process.ended.failure) is not None:
        return Failure(
            failed.operator, failed.frame, failed.cause, trace=failed.trace, fragment=name
        )
    refused = process.refused.text if process.refused is not None else None
    return Failure("", "", process.killed or refused or ended_how(status), fragment=name)


def told(failure: Failure) -> str:
    """Return what is said of a failure where it is clear which fragment's it is."""
    if not failure.operator:
        return failure.cause
    return str(failure)
