"""The fragment supervisor: how its process is started and restarted, and what its end means."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from holoflow.app.format import RestartPolicy
from holoflow.app.graph import Fragment
from holoflow.core.processes import describe_exit
from holoflow.engine.control import Failure, RunOptions
from holoflow.launch.configuration import LaunchConfiguration, WorkerSpec
from holoflow.launch.peer_down import PeerIdentity
from holoflow.launch.process import FragmentProcess
from holoflow.live.protocol import Phase
from holoflow.plan.fingerprint import digest
from holoflow.plan.machine import cores_of, environment_of, is_here, read_machine
from holoflow.plan.plan import Plan, PlannedFlow
from holoflow.stats.causes import Cause
from holoflow.stats.counters import (
    CLOSED,
    GONE,
    CounterBlock,
    Counters,
    consumer_died,
    drop,
    flow_over,
    gone,
    producer_died,
    waiting,
)
from holoflow.stats.snapshot import FragmentStats

SHORTEST_DELAY = 0.25
"""Seconds before the first of consecutive restarts; each further one waits twice as long."""
LONGEST_DELAY = 10.0
"""Most seconds before a restart."""
STABLE = 60.0
"""Seconds without a failure after which restarts are counted from zero again."""


def back_off(tries: int) -> float:
    """Return how many seconds to wait after `tries` consecutive restarts."""
    return min(SHORTEST_DELAY * 2.0 ** min(tries, 16), LONGEST_DELAY)


def consecutive_restarts(tries: int, lived: float) -> int:
    """Return the number of consecutive restarts if the newest process ran for `lived` seconds."""
    return 0 if lived >= STABLE else tries


def restart_delay(policy: RestartPolicy, limit: int, tries: int, *, well: bool) -> float | None:
    """Return after how many seconds a fragment that has ended is restarted; None if it is not.

    Args:
        policy: When the app asks for a restart.
        limit: Most consecutive restarts.
        tries: Consecutive restarts so far.
        well: Whether its run ended without a failure.
    """
    wanted = policy == "always" or (policy == "on-failure" and not well)
    return back_off(tries) if wanted and tries < limit else None


def policy_of(plan: Plan, fragment: Fragment, *, bounded: bool) -> RestartPolicy:
    """Return when `fragment` is restarted in this run.

    A fragment that ends well is restarted under `always` only if it has ended by itself: not if
    the command line has bounded the run, and not if it has no source, because then it ends with
    the fragments that feed it.
    """
    if fragment.restart != "always":
        return fragment.restart
    fed = {flow.target.operator for flow in plan.flows if not flow.back_edge}
    has_source = any(name not in fed for name in fragment.operators)
    return "always" if has_source and not bounded else "on-failure"


def count_crash(plan: Plan, counters: Counters, fragment: str) -> None:
    """Count what was lost with a process of `fragment`; nothing if it ended regularly."""
    for _, flow, block, sends, takes in _touched(plan, counters, fragment):
        if takes:
            consumer_died(block, resent=not sends and _is_resent(flow))
        if sends:
            producer_died(block)
        if sends and takes:  # no process is left that has any of it
            drop(block, "crash", max(waiting(block), 0))


def end_flows(plan: Plan, counters: Counters, fragment: str, cause: Cause) -> tuple[int, ...]:
    """End all flows of `fragment`, which will not be restarted.

    What is sent to it from now on is dropped by `cause`.

    Returns:
        The flows that it had not ended itself, by their index in the plan.
    """
    ended = []
    for number, _, block, sends, takes in _touched(plan, counters, fragment):
        if sends and not block[CLOSED]:
            block[CLOSED] = 1
            ended.append(number)
        if takes and not block[GONE]:
            block[GONE] = gone(cause)
            ended.append(number)
    return tuple(dict.fromkeys(ended))


def count_leftovers(plan: Plan, counters: Counters, cause: Cause) -> None:
    """Count what still waits, after all processes have ended, as dropped by `cause`."""
    for flow, block in zip(plan.flows, counters.blocks, strict=True):
        if flow.fused:
            continue
        if flow.link != "none":
            flow_over(block, cause)
        drop(block, cause, max(waiting(block), 0))


def _touched(
    plan: Plan, counters: Counters, fragment: str
) -> Iterator[tuple[int, PlannedFlow, CounterBlock, bool, bool]]:
    """Yield flows at `fragment`: index, flow, counter block, whether it sends and takes."""
    (inside,) = [p.placement.operators for p in plan.processes if p.fragment == fragment]
    for number, (flow, block) in enumerate(zip(plan.flows, counters.blocks, strict=True)):
        sends, takes = flow.source.operator in inside, flow.target.operator in inside
        if (sends or takes) and not flow.fused:
            yield number, flow, block, sends, takes


def _is_resent(flow: PlannedFlow) -> bool:
    """Whether the sender keeps what its receiver has not taken, and resends it after a restart."""
    return flow.link == "zeromq" and flow.lossless


@dataclass(frozen=True)
class LaunchOptions:
    """How fragments are started here."""

    configuration: LaunchConfiguration
    """What the plan was made from."""
    log: Callable[[logging.LogRecord], None]
    """Shows what processes log and print; a log record has the fragment's name as `fragment`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hosts: Mapping[str, str] | None = None
    """Addresses of hosts, by the names that the app gives them."""


class ProcessStarter:
    """Starts processes of one run."""

    def __init__(
        self, plan: Plan, options: RunOptions, launching: LaunchOptions, folder: Path
    ) -> None:
        """Prepare to start processes of `plan`, whose run uses `folder`."""
        self._plan = plan
        self._options = replace(options, output=options.output.absolute())
        self._launching = launching
        self._folder = folder
        self._machine = read_machine()
        self._digest = digest(plan)

    @property
    def identity(self) -> PeerIdentity:
        """What is needed to act as a fragment that has died."""
        hosts = self._launching.hosts or {}
        return PeerIdentity(self._folder, self._options.run, self._digest, hosts)

    def start(
        self, supervisor: FragmentSupervisor, now: float, left: float | None
    ) -> FragmentProcess:
        """Start the process of a fragment.

        Args:
            supervisor: Supervises the fragment.
            now: Time on the launcher's clock (s).
            left: Seconds after which its sources end; None for no limit.

        Raises:
            HoloflowError: The system does not allow it.
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
                changes=supervisor.changes,
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
    """Supervises one of the fragments that are started here."""

    fragment: Fragment
    policy: RestartPolicy
    process: FragmentProcess | None = None
    due: float | None = None
    """When it is restarted, on the launcher's clock (s); None if no restart is due."""
    restarts: int = 0
    """How often it was restarted."""
    consecutive: int = 0
    """Restarts since it last ran well for a minute."""
    over: bool = False
    """Whether it has ended for good."""
    silent: bool = False
    """Whether its newest process has died without notifying its peers."""
    failure: Failure | None = None
    """Why its newest process failed, if it did."""
    changes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Live parameters that have been changed: values as JSON, by operator and parameter."""

    @property
    def name(self) -> str:
        """The fragment's name."""
        return self.fragment.name

    @property
    def done(self) -> bool:
        """Whether its run has ended, as far as is known here."""
        return self.over or (self.process is not None and self.process.ended is not None)

    @property
    def report(self) -> FragmentStats | None:
        """The newest statistics of its process; None if it has none, or if its run has ended.

        A run that has failed may be restarted once its process is gone, so what its process
        reported last says nothing about whether the fragment can continue.
        """
        process = self.process
        return process.stats if process is not None and process.ended is None else None

    @property
    def phase(self) -> Phase:
        """What the fragment does now."""
        if self.over:
            return "ended"
        if self.process is None:
            return "again"
        return "starting" if self.process.began is None else "running"

    def retry(self, process: FragmentProcess, now: float, *, well: bool) -> float | None:
        """Return after how many seconds to restart it after `process` has ended, or None."""
        lived = now - process.began if process.began is not None else 0.0
        tries = consecutive_restarts(self.consecutive, lived)
        delay = restart_delay(self.policy, self.fragment.restarts, tries, well=well)
        self.consecutive = tries + 1
        return delay


def supervisors_of(plan: Plan, options: RunOptions) -> list[FragmentSupervisor]:
    """Return supervisors of the fragments of `plan` that are started here."""
    bounded = options.frames is not None or options.seconds is not None
    here = [process.placement for process in plan.processes if is_here(plan, process.fragment)]
    return [FragmentSupervisor(f, policy_of(plan, f, bounded=bounded)) for f in here]


def ended_well(process: FragmentProcess) -> bool:
    """Whether a process that has ended completed its run without a failure."""
    return process.ended is not None and process.ended.outcome != "failed"


def failure_of(process: FragmentProcess, status: int) -> Failure:
    """Return why a process that has ended with `status` failed."""
    name = process.fragment
    if process.ended is not None and (failed := process.ended.failure) is not None:
        return Failure(
            failed.operator, failed.frame, failed.cause, trace=failed.trace, fragment=name
        )
    refused = process.refused.text if process.refused is not None else None
    return Failure("", "", process.killed or refused or describe_exit(status), fragment=name)


def describe_failure(failure: Failure) -> str:
    """Return the text of a failure where the fragment is already named."""
    if not failure.operator:
        return failure.cause
    return str(failure)
