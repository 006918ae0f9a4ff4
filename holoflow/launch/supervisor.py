"""A fragment's supervisor: how its process is started, when again, and what its end means."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from holoflow.app.graph import Fragment, RestartPolicy
from holoflow.engine.control import Failure, RunOptions
from holoflow.launch.configuration import LaunchConfiguration, WorkerSpec
from holoflow.launch.peer_down import Standing
from holoflow.launch.process import FragmentProcess, ended_how
from holoflow.live.protocol import Phase
from holoflow.plan.fingerprint import digest
from holoflow.plan.machine import cores_of, environment_of, is_here, read_machine
from holoflow.plan.plan import Plan, PlannedFlow
from holoflow.stats.counters import (
    CLOSED,
    GONE,
    Counters,
    Row,
    consumer_died,
    drop,
    flow_over,
    gone,
    producer_died,
    waiting,
)

SOONEST = 0.25
"""Seconds before the first restart in a row; each further one waits twice as long, up to:"""
LATEST = 10.0
WELL = 60.0
"""Seconds without a failure after which a new row begins."""


def back_off(tries: int) -> float:
    """Return how long to wait, in seconds, after `tries` restarts in a row."""
    return min(SOONEST * 2.0 ** min(tries, 16), LATEST)


def in_a_row(tries: int, lived: float) -> int:
    """Return how many restarts are in a row, when the newest process ran for `lived` seconds."""
    return 0 if lived >= WELL else tries


def again(policy: RestartPolicy, limit: int, tries: int, *, well: bool) -> float | None:
    """Return after how many seconds a fragment that has ended is started again; None: not.

    `well` says that it ended by itself, and `tries` how many restarts in a row it has had, of
    which there may be `limit`.
    """
    wanted = policy == "always" or (policy == "on-failure" and not well)
    return back_off(tries) if wanted and tries < limit else None


def policy_of(plan: Plan, fragment: Fragment, *, bounded: bool) -> RestartPolicy:
    """Return when `fragment` is to be started again in this run.

    What ends well comes back with `always` only if it has ended by itself: not where the command
    line has bounded the run, nor where all that it does is fed by others, whose end its own is.
    """
    if fragment.restart != "always":
        return fragment.restart
    fed = {flow.target.operator for flow in plan.flows if not flow.back_edge}
    has_source = any(name not in fed for name in fragment.operators)
    return "always" if has_source and not bounded else "on-failure"


def book_death(plan: Plan, counters: Counters, fragment: str) -> None:
    """Book what was lost with a process of `fragment`; nothing where it ended in good order."""
    for _, flow, row, sends, takes in _touched(plan, counters, fragment):
        if takes:
            consumer_died(row, resent=not sends and _is_resent(flow))
        if sends:
            producer_died(row)
        if sends and takes:  # nobody is left who has any of it
            drop(row, "crash", max(waiting(row), 0))


def end_flows(plan: Plan, counters: Counters, fragment: str, cause: str) -> tuple[int, ...]:
    """End all flows of `fragment`, which does not come back; returns those that it had not ended.

    They are given by their place in the plan. What comes to it from now on is dropped by `cause`.
    """
    ended = []
    for number, _, row, sends, takes in _touched(plan, counters, fragment):
        if sends and not row[CLOSED]:
            row[CLOSED] = 1
            ended.append(number)
        if takes and not row[GONE]:
            row[GONE] = gone(cause)
            ended.append(number)
    return tuple(dict.fromkeys(ended))


def settle(plan: Plan, counters: Counters, cause: str) -> None:
    """Book what waits still, when all processes have ended, as dropped by `cause`."""
    for flow, row in zip(plan.flows, counters.rows, strict=True):
        if flow.fused:
            continue
        if flow.link != "none":
            flow_over(row, cause)
        drop(row, cause, max(waiting(row), 0))


def _touched(
    plan: Plan, counters: Counters, fragment: str
) -> Iterator[tuple[int, PlannedFlow, Row, bool, bool]]:
    """Yield the flows with an end in `fragment`: number, flow, row, whether it sends, takes."""
    (inside,) = [p.placement.operators for p in plan.processes if p.fragment == fragment]
    for number, (flow, row) in enumerate(zip(plan.flows, counters.rows, strict=True)):
        sends, takes = flow.source.operator in inside, flow.target.operator in inside
        if (sends or takes) and not flow.fused:
            yield number, flow, row, sends, takes


def _is_resent(flow: PlannedFlow) -> bool:
    """Whether the sender keeps what its receiver has not taken, and sends it to the next one."""
    return flow.link == "zeromq" and flow.when_full == "block" and not flow.latest


@dataclass(frozen=True)
class Launching:
    """How fragments are started here."""

    configuration: LaunchConfiguration
    """What the plan was made from."""
    log: Callable[[logging.LogRecord], None]
    """Shows what processes log and print; a record has the fragment's name as `fragment`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hosts: Mapping[str, str] | None = None
    """Addresses of hosts, by the names that the app gives them."""


class Starter:
    """Starts processes of one run."""

    def __init__(self, plan: Plan, options: RunOptions, launching: Launching, folder: Path) -> None:
        """Prepare to start those of `plan`, whose run has `folder`."""
        self._plan = plan
        self._options = replace(options, output=options.output.absolute())
        self._launching = launching
        self._folder = folder
        self._machine = read_machine()
        self._digest = digest(plan)

    @property
    def standing(self) -> Standing:
        """What it takes to stand in for a fragment that has died."""
        hosts = self._launching.hosts or {}
        return Standing(self._folder, self._options.run, self._digest, hosts)

    def start(
        self, supervisor: FragmentSupervisor, now: float, left: float | None
    ) -> FragmentProcess:
        """Start the process of a fragment; its sources end after the seconds that are `left`.

        Raises HoloflowError where the system does not let it.
        """
        variables = environment_of(supervisor.fragment, self._machine)
        worker_spec = WorkerSpec(
            configuration=self._launching.configuration,
            digest=self._digest,
            fragment=supervisor.name,
            generation=supervisor.restarts,
            options=replace(
                self._options,
                seconds=left,
                returns=supervisor.policy,
                generation=supervisor.restarts,
            ),
            folder=self._folder,
            log_level=self._launching.log_level,
            hosts=self._launching.hosts,
            outer={name: os.environ.get(name) for name in variables},
            path=tuple(sys.path),
        )
        cores = cores_of(self._plan, supervisor.fragment, self._machine)
        supervisor.process = FragmentProcess(worker_spec, {**os.environ, **variables}, cores, now)
        return supervisor.process


@dataclass
class FragmentSupervisor:
    """One of the fragments that are started here."""

    fragment: Fragment
    policy: RestartPolicy
    process: FragmentProcess | None = None
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

    def retry(self, process: FragmentProcess, now: float, *, well: bool) -> float | None:
        """Return after how many seconds it is started again, now that `process` has ended."""
        lived = now - process.began if process.began is not None else 0.0
        tries = in_a_row(self.in_a_row, lived)
        delay = again(self.policy, self.fragment.restarts, tries, well=well)
        self.in_a_row = tries + 1
        return delay


def supervisors_of(plan: Plan, options: RunOptions) -> list[FragmentSupervisor]:
    """Return the fragments of `plan` that are started here."""
    bounded = options.frames is not None or options.seconds is not None
    here = [process.placement for process in plan.processes if is_here(plan, process.fragment)]
    return [FragmentSupervisor(f, policy_of(plan, f, bounded=bounded)) for f in here]


def ended_well(process: FragmentProcess) -> bool:
    """Whether a process that has ended did what it was to do."""
    return process.ended is not None and process.ended.outcome != "failed"


def failure_of(process: FragmentProcess, status: int) -> Failure:
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
