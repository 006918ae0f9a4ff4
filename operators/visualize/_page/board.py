"""The messages of the dashboard, made from the snapshots of a run."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from holoflow.operators.visualize._page.look import FLOOR, ROWS, Change, Look
from holoflow.operators.visualize._page.numbers import (
    Plain,
    budget_numbers,
    drops,
    flow_numbers,
    fragment_numbers,
    operator_numbers,
    path_numbers,
    sample_numbers,
    worker_numbers,
)
from holoflow.plan.draw import draw
from holoflow.report.diagnosis.decision import amiss, explain
from holoflow.report.graph import drawn_flows, live_graph
from holoflow.stats.difference import difference
from holoflow.stats.snapshot import BudgetStats, FlowStats, PathStats, Sample, Snapshot

NEAR, FAR = 5.0, 10.0
"""Seconds over which operators and flows, and over which paths are evaluated."""
PATHS = 16
"""Number of paths that are shown, the slowest ones."""
STEADY = 1.1
"""How much slower another path must be to become the worst, so that the mark does not jump."""
THINKING = 2.0
"""Seconds between explanations, which take longer to make and to read."""


@dataclass(frozen=True, eq=False)
class Update:
    """One state of the run, for all viewers."""

    generation: int
    """Generation: viewers of another one need `hello` first; 0 if nothing is known of the run."""
    now: Plain
    before: Callable[[], Plain]
    """The structure of the run, and its curves so far."""

    @cached_property
    def text(self) -> str:
        """The current numbers, as JSON."""
        return _json({"kind": "now", **self.now} if self.generation else {"kind": "nothing"})

    @cached_property
    def hello(self) -> str:
        """Everything that a new viewer needs, as JSON."""
        if not self.generation:
            return self.text
        return _json({"kind": "hello", **self.before(), "now": self.now})


def _json(message: Plain) -> str:
    return json.dumps(message, allow_nan=False, separators=(",", ":"))


class Board:
    """Turns snapshots into updates."""

    def __init__(self, history: Callable[[], Sequence[Sample]]) -> None:
        """Start without a snapshot; `history` returns the samples of the run so far."""
        self._history = history
        self._looks: deque[Look] = deque()
        self._generation = 0
        self._known: Any = None
        self._paths: list[str] = []
        self._worst: int | None = None
        self._explained = 0.0
        self._verdict: Plain = {}

    def update(self, snapshot: Snapshot | None) -> Update:
        """Return the update for `snapshot`, compared with earlier ones."""
        if snapshot is None:
            return Update(0, {}, dict)
        self._recognise(snapshot)
        self._looks.append(Look(snapshot))
        while len(self._looks) > 2 and snapshot.seconds - self._looks[1].seconds >= FAR:
            self._looks.popleft()
        return Update(self._generation, self._now(snapshot), lambda: self._before(snapshot))

    def _recognise(self, snapshot: Snapshot) -> None:
        """Begin a new generation if the structure that the page has built no longer fits."""
        known = (
            snapshot.run,
            [(b.name, b.stage, b.fragment) for b in snapshot.operators],
            [(b.name, b.queue, b.link) for b in snapshot.flows],
            sorted(b.name for b in snapshot.paths),
            [(b.fragment, b.name) for b in snapshot.workers],
            [(b.name, b.host, b.pid) for b in snapshot.fragments],
            [(b.name, b.limits) for b in snapshot.budgets],
        )
        if known != self._known:
            self._known = known
            self._generation += 1
            self._worst = None
            self._paths = [stats.name for stats in snapshot.paths[:PATHS]]
        last = self._looks[-1] if self._looks else None
        if last and (last.snapshot.run != snapshot.run or last.seconds > snapshot.seconds):
            self._looks.clear()
            self._verdict = {}

    def _change(self, seconds: float) -> Change:
        """Return what happened in about the last `seconds`, or in as many as are known."""
        now = self._looks[-1]
        past = [look for look in self._looks if look is not now]
        long_ago = [look for look in past if now.seconds - look.seconds >= seconds]
        return Change(long_ago[-1] if long_ago else past[0] if past else None, now)

    def _now(self, snapshot: Snapshot) -> Plain:
        last, near, far = self._change(0.0), self._change(NEAR), self._change(FAR)
        by_name = {stats.name: stats for stats in snapshot.paths}
        paths = [path_numbers(by_name[name], far, last) for name in self._paths]
        worst, over = self._judge(snapshot, paths)
        return {
            "t": round(snapshot.seconds, 3),
            "span": round(last.seconds, 3),
            "near": round(near.seconds, 3),
            "far": round(far.seconds, 3),
            "tracked": _tracked(snapshot),
            "operators": [operator_numbers(stats, near) for stats in snapshot.operators],
            "flows": [flow_numbers(stats, near) for stats in drawn_flows(snapshot)],
            "paths": paths,
            "worst": worst,
            "over": over,
            "drops": drops(snapshot, last),
            "workers": [worker_numbers(stats, near) for stats in snapshot.workers],
            "fragments": [fragment_numbers(stats, near) for stats in snapshot.fragments],
            "budgets": [budget_numbers(stats) for stats in snapshot.budgets],
            "verdict": self._explain(far),
        }

    def _judge(self, snapshot: Snapshot, paths: Sequence[Plain]) -> tuple[int | None, bool]:
        """Return the number of the worst path, and whether it misses its budget."""
        stats = {b.name: b for b in snapshot.paths}
        missed = [budget for budget in snapshot.budgets if budget.over]
        ranked = [
            (
                any(_passes(stats[name], budget) for budget in missed),
                # If it is never the last at its joins, another path determines its latency.
                numbers["critical"],
                numbers["recent"][1] * (STEADY if number == self._worst else 1),
                -number,
            )
            for number, (name, numbers) in enumerate(zip(self._paths, paths, strict=True))
            if numbers["recent"][1] is not None
        ]
        over, _, _, worst = max(ranked, default=(False, False, 0.0, 1))
        self._worst = None if worst > 0 else -worst
        return self._worst, over

    def _explain(self, far: Change) -> Plain:
        now = far.now
        stalls = bool(amiss(now.snapshot))
        if not self._verdict or stalls or now.seconds - self._explained >= THINKING:
            self._explained = now.seconds
            before = far.before
            recent = difference(now.snapshot, before.snapshot) if before else now.snapshot
            # A short pause explains nothing, so the last explanation is kept.
            moves = any(stats.frames for stats in recent.operators)
            if not self._verdict or moves or stalls:
                finding = explain(recent).bottleneck
                self._verdict = {
                    "cause": finding.cause, "where": finding.where, "evidence": finding.evidence,
                    "advice": finding.advice,
                }  # fmt: skip
        return self._verdict

    def _before(self, snapshot: Snapshot) -> Plain:
        flows = drawn_flows(snapshot)
        stats = {b.name: b for b in snapshot.paths}
        return {
            "app": snapshot.app,
            "run": snapshot.run,
            "graph": _graph(snapshot, flows),
            "paths": [_path(stats[name], snapshot, flows) for name in self._paths],
            "unshown": len(snapshot.paths) - len(self._paths) + snapshot.unfollowed,
            "workers": [{"fragment": b.fragment, "name": b.name} for b in snapshot.workers],
            "fragments": [
                {
                    "name": b.name, "host": b.host, "engine": b.engine, "scheduler": b.scheduler,
                    "workers": b.workers, "cores": b.machine.cores,
                }
                for b in snapshot.fragments
            ],
            "budgets": [
                {"name": b.name, "limits": b.limits, "when_missed": b.when_missed}
                for b in snapshot.budgets
            ],
            "scale": {"rows": ROWS, "floor": FLOOR},
            "history": [sample_numbers(s, snapshot, self._paths) for s in self._history()],
        }  # fmt: skip


def _tracked(snapshot: Snapshot) -> bool:
    """Whether the times of frames are measured, as far as can be known."""
    stats = snapshot.operators
    return any(b.working.count for b in stats) or not any(b.frames for b in stats)


def _graph(snapshot: Snapshot, flows: Sequence[FlowStats]) -> Plain:
    """Return what never changes about operators and flows, and two drawings of them."""
    graph = live_graph(snapshot)
    return {
        "operators": [
            {"name": b.name, "type": b.type, "batch": b.batch} for b in snapshot.operators
        ],
        "flows": [
            {
                "name": b.name, "queue": b.queue, "when_full": b.when_full, "latest": b.latest,
                "link": b.link, "fused": "fused" in edge.marks,
            }
            for b, edge in zip(flows, graph.edges, strict=True)
        ],
        "wide": draw(graph),
        "tall": draw(graph, tall=True),
    }  # fmt: skip


def _operators(path: PathStats) -> list[str]:
    return [step.operator for step in path.steps if step.kind == "work"]


def _passes(path: PathStats, budget: BudgetStats) -> bool:
    """Whether frames of `path` are among those that `budget` covers."""
    ways = _operators(path)
    return budget.source in ways and budget.target in ways[ways.index(budget.source) :]


def _path(path: PathStats, snapshot: Snapshot, flows: Sequence[FlowStats]) -> Plain:
    """Return a path with the positions of its operators and flows, and limits for all of it."""
    numbers = {stats.name: number for number, stats in enumerate(snapshot.operators)}
    ways = _operators(path)
    targets = [f"{step.operator}.{step.port}" for step in path.steps if step.kind == "work"]
    spans = set(zip(ways, targets[1:], strict=False))
    return {
        "name": path.name,
        "operators": [numbers[name] for name in ways if name in numbers],
        "flows": [n for n, flow in enumerate(flows) if (flow.producer, flow.target) in spans],
        "limits": [
            {"name": name, "seconds": seconds}
            for budget in snapshot.budgets
            if (budget.source, budget.target) == (ways[0], ways[-1])
            for name, seconds in budget.limits.items()
        ],
    }
