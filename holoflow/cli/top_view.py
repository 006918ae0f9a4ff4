"""What `holoflow top` shows, as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holoflow.live.state import FragmentState, LiveState, RunningApp, StateKind
from holoflow.report.diagnosis.decision import amiss, explain
from holoflow.report.diagnosis.finding import Finding
from holoflow.report.measures import rate_in, seconds_of, source_rate, utilisation
from holoflow.stats.snapshot import BudgetStats, OperatorStats, PathStats, Snapshot


@dataclass(frozen=True)
class OperatorView:
    """An operator over the last seconds."""

    name: str
    fragment: str
    rate: float | None
    """Frames per second; None if they are not counted."""
    utilisation: float | None
    """Share of the time (0 to 1) in which it worked."""
    p50: float | None
    """Median seconds that a call worked; None without calls."""
    p99: float | None
    waiting: int
    """Messages in its queues now."""
    queue: int
    """Capacity of its queues in messages; 0 if all its flows are fused."""
    waits: Mapping[str, float]
    """Mean seconds of waiting before a call, by reason: `partner`, `turn`, `room`, `worker`; for a
    source `room` and `pace`."""
    dropped: Mapping[str, int]
    """Messages to it that were lost since the run began, by cause, and frames lost before they
    became messages."""
    dropping: float
    """How many of these were lost per second over the last seconds."""
    skipped: int
    """Calls that failed and were skipped, since the run began."""


@dataclass(frozen=True)
class PathView:
    """A path over the last seconds; times in seconds from end to end."""

    name: str
    rate: float
    """Frames per second."""
    p50: float
    p99: float
    max: float
    limits: Mapping[str, float]
    """Limits of the budget from its source to its sink (s), by statistic; empty without one."""
    over: tuple[str, ...]
    """Which of these it exceeds."""
    worst: bool
    """Whether no other path's p99 is longer."""


@dataclass(frozen=True)
class BudgetView:
    """A budget: its window's statistics in seconds, and how often it was judged and missed."""

    name: str
    limits: Mapping[str, float]
    now: Mapping[str, float]
    worst: Mapping[str, float]
    judged: int
    missed: int


@dataclass(frozen=True)
class WorkerView:
    """A thread of a scheduler."""

    fragment: str
    name: str
    utilisation: float | None
    """Share of the last seconds in which it was busy."""


@dataclass(frozen=True)
class View:
    """An app at one moment."""

    state: StateKind
    app: str = ""
    run: str = ""
    seconds: float = 0.0
    """Since the sources began."""
    span: float = 0.0
    """Seconds that rates, percentiles and shares cover."""
    rate: float | None = 0.0
    """Frames per second of all sources; None if no source counts them."""
    age: float = 0.0
    """Longest time in seconds since the last message of a process that still runs."""
    fragments: Mapping[str, FragmentState] = field(default_factory=dict)
    operators: tuple[OperatorView, ...] = ()
    paths: tuple[PathView, ...] = ()
    """The worst first."""
    budgets: tuple[BudgetView, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    bottleneck: Finding | None = None
    """What limits the app; None before the first frame."""
    announcements: tuple[tuple[str, str], ...] = ()
    running: tuple[RunningApp, ...] = ()
    problems: tuple[str, ...] = ()


def view(state: LiveState, recent: Snapshot | None) -> View:
    """Return what is shown of `state`; `recent` has the statistics of its last seconds."""
    now = state.snapshot
    about = View(
        state=state.kind, app=state.app, run=state.run, fragments=state.fragments,
        age=max((f.age for f in state.fragments.values() if f.live), default=0.0),
        running=state.running, problems=state.problems,
    )  # fmt: skip
    if now is None or recent is None:
        return about
    return View(
        **{
            **vars(about),
            "seconds": now.seconds,
            "span": recent.seconds,
            "rate": source_rate(recent),
            "operators": _operators(now, recent),
            "paths": _paths(recent),
            "budgets": tuple(map(_budget, now.budgets)),
            "workers": tuple(
                WorkerView(stats.fragment, stats.name, utilisation(recent, stats))
                for stats in recent.workers
            ),
            "bottleneck": _bottleneck(recent),
            "announcements": now.announcements,
        }
    )


def _bottleneck(recent: Snapshot) -> Finding | None:
    worked = recent.seconds > 0 and any(stats.frames for stats in recent.operators)
    return explain(recent).bottleneck if worked or amiss(recent) else None


def _operators(now: Snapshot, recent: Snapshot) -> tuple[OperatorView, ...]:
    waiting, queues, lost = Counter[str](), Counter[str](), Counter[str]()
    dropped = {stats.name: Counter(stats.dropped) for stats in now.operators}
    for flow in now.flows:
        waiting[flow.consumer] += flow.waiting
        queues[flow.consumer] += flow.queue
        dropped.setdefault(flow.consumer, Counter()).update(flow.dropped)
    for flow in recent.flows:
        lost[flow.consumer] += flow.lost
    for stats in recent.operators:
        lost[stats.name] += sum(stats.dropped.values())
    return tuple(
        OperatorView(
            name=stats.name,
            fragment=stats.fragment,
            rate=rate_in(recent, stats),
            utilisation=utilisation(recent, stats),
            p50=stats.working.quantile(0.5) if stats.working.count else None,
            p99=stats.working.quantile(0.99) if stats.working.count else None,
            waiting=waiting[stats.name],
            queue=queues[stats.name],
            waits=_waits(stats),
            dropped={cause: count for cause, count in dropped[stats.name].items() if count},
            dropping=lost[stats.name] / (seconds_of(recent, stats.fragment) or 1.0),
            skipped=whole.skipped,
        )
        for stats, whole in zip(recent.operators, now.operators, strict=True)
    )


def _waits(stats: OperatorStats) -> dict[str, float]:
    calls = max(stats.calls, 1)
    if stats.source:
        return {"room": stats.held / calls, "pace": stats.paced / calls}
    waiting = stats.waiting
    return {
        "partner": waiting.partner / calls,
        "turn": waiting.turn / calls,
        "room": waiting.room / calls,
        "worker": waiting.worker / calls,
    }


def _paths(recent: Snapshot) -> tuple[PathView, ...]:
    slowest = sorted(recent.paths, key=lambda stats: -stats.end_to_end.quantile(0.99))
    return tuple(
        _path(stats, recent.budgets, recent.seconds or 1.0, worst=not index)
        for index, stats in enumerate(slowest)
    )


def _path(
    stats: PathStats, budgets: Sequence[BudgetStats], span: float, *, worst: bool
) -> PathView:
    ends = stats.steps[0].operator, stats.steps[-1].operator
    limits: dict[str, float] = {}
    for budget in budgets:
        if (budget.source, budget.target) == ends:
            limits.update(budget.limits)
    times = stats.end_to_end
    return PathView(
        name=stats.name,
        rate=stats.frames / span,
        p50=times.quantile(0.5),
        p99=times.quantile(0.99),
        max=times.max,
        limits=limits,
        over=tuple(name for name, limit in limits.items() if times.statistic(name) > limit),
        worst=worst,
    )


def _budget(stats: BudgetStats) -> BudgetView:
    return BudgetView(stats.name, stats.limits, stats.now, stats.worst, stats.judged, stats.missed)
