"""Running a plan: which engine does, and one run on it."""

from __future__ import annotations

import os
from collections.abc import Callable

from holoflow.app.graph import Scheduler
from holoflow.core.errors import HoloflowError
from holoflow.core.text import choices
from holoflow.engine.changes import LiveParameters
from holoflow.engine.control import (
    EngineName,
    RunOptions,
    RunResult,
    Stopper,
    WholeRun,
)
from holoflow.engine.run import Observe, Run
from holoflow.holoscan import runtime
from holoflow.link.links import Links
from holoflow.plan.plan import Plan
from holoflow.plan.planner import MOST_STAGES


def execute(
    plan: Plan,
    options: RunOptions,
    *,
    stopper: Stopper | None = None,
    observe: Observe | None = None,
    every: float = 0.5,
    links: Links | None = None,
    ready: Callable[[], bool] | None = None,
    whole: WholeRun | None = None,
    live: LiveParameters | None = None,
) -> RunResult:
    """Run `plan` until its sources end, an operator fails, or `stopper` asks for an end.

    Blocks. The engine runs in threads of its own, so that signal handlers of the calling
    program are executed meanwhile.

    Args:
        plan: A whole app, or a part of one.
        options: How to run it.
        stopper: Asks for an end from another thread or a signal handler.
        observe: Called from this thread with the state of the run and its curves so far.
        every: Seconds between calls of `observe`; it is also called at the end.
        links: Connect a part of an app to the other parts; None for a whole app.
        ready: Called when the operators have started and the links are open; returns once the
            sources may begin, or False if they must not.
        whole: How to learn of the whole run, if `plan` is a part of an app.
        live: Changes live parameters from other threads.

    Raises:
        HoloflowError: The engine or the library of an operator is missing.
    """
    engine = choose_engine(options, plan)
    live = live or LiveParameters()
    run = Run(plan, options, engine, stopper or Stopper(), links, whole, live)
    return run.go(observe, every, ready)


def choose_engine(options: RunOptions, plan: Plan) -> EngineName:
    """Return the requested engine, or the best one available.

    Raises:
        HoloflowError: The engine is missing, cannot run `plan`, or a core is not available.
    """
    needed = needs_holoscan(plan)
    engine = options.engine or ("holoscan" if needed or runtime.available() else "threads")
    if engine == "holoscan":
        runtime.load()
        _check_stages(plan)
    elif any(flow.link == "ucx" for flow in plan.flows):
        raise HoloflowError(
            f"engine {engine} has no ucx, which needs Holoscan", "use --engine holoscan"
        )
    elif needed:
        names = [n.name for n in plan.app.operators.values() if n.holoscan_operator is not None]
        raise HoloflowError(
            f"engine {engine} cannot run Holoscan's own operators ({', '.join(names)})",
            "use --engine holoscan",
        )
    if engine != "inline":
        _check_cores(plan.app.scheduler)
    return engine


def needs_holoscan(plan: Plan) -> bool:
    """Whether `plan` needs the engine holoscan: it has Holoscan operators or links by ucx."""
    return any(node.holoscan_operator is not None for node in plan.app.operators.values()) or any(
        flow.link == "ucx" for flow in plan.flows
    )


def _check_stages(plan: Plan) -> None:
    """Raise HoloflowError if Holoscan cannot run so many stages in this process."""
    count = len(plan.stages)
    if count > MOST_STAGES:
        raise HoloflowError(
            f"{count:,} stages in a process, of which Holoscan runs at most {MOST_STAGES:,}",
            "divide them among fragments, or use --engine threads",
        )


def _check_cores(scheduler: Scheduler) -> None:
    """Raise HoloflowError if a requested core is not available to this process."""
    wanted = [*scheduler.cores, *(core for pool in scheduler.pools for core in pool.cores)]
    if not wanted:
        return
    available = os.sched_getaffinity(0)
    missing = [core for core in wanted if core not in available]
    if missing:
        raise HoloflowError(
            f"scheduler: core {missing[0]} is not available",
            f"this process may use {choices(sorted(available))}",
        )
