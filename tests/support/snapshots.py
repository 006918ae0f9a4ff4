"""Snapshots made by hand: what a run of a known kind would leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    MachineStats,
    OperatorStats,
    PathStats,
    Sample,
    Snapshot,
    Step,
    Waiting,
    WorkerStats,
)


def times(*values: float, count: int = 300, spread: float = 0.1, seed: int = 0) -> Histogram:
    """Return a histogram of `values`, or of `count` values around the only one given."""
    made = Histogram()
    if len(values) == 1:
        made.add(values[0] * np.random.default_rng(seed).lognormal(0, spread, count))
    else:
        made.add(np.array(values))
    return made


def operator(name: str, working: float, *, frames: int = 300, **others: Any) -> OperatorStats:
    """Return an operator whose calls take about `working` seconds."""
    return OperatorStats(
        **{
            "name": name, "frames": frames, "sent": frames, "skipped": 0,
            "busy": working * frames, "stage": name, "type": f"test.{name}", "fragment": "main",
            "working": times(working, count=frames), "waits": times(1e-4, count=frames),
            "waiting": Waiting(worker=1e-4 * frames), "latency": times(working * 2, count=frames),
            "jitter": times(1e-3, count=frames), "cpu": 0.95, **others,
        }
    )  # fmt: skip


def flow(source: str, target: str, *, sent: int = 300, **others: Any) -> FlowStats:
    """Return a flow that lost nothing."""
    return FlowStats(
        **{
            "source": source, "target": target, "sent": sent, "delivered": sent, "queue": 2,
            "waits": times(1e-4, count=sent), **others,
        }
    )  # fmt: skip


def path(*steps: Step, frames: int = 300, **others: Any) -> PathStats:
    """Return a path whose histograms fit the means of its steps."""
    waiting = sum(step.waiting for step in steps)
    by_kind = {
        kind: sum(step.taking for step in steps if step.kind == kind)
        for kind in ("work", "serialise", "link")
    }
    return PathStats(
        **{
            "steps": steps, "critical": frames,
            "end_to_end": times(waiting + sum(by_kind.values()), count=frames),
            "working": times(by_kind["work"], count=frames),
            "waiting": times(waiting, count=frames),
            "link": times(by_kind["link"], count=frames),
            "serialising": times(by_kind["serialise"], count=frames),
            "jitter": times(1e-3, count=frames), **others,
        }
    )  # fmt: skip


def faces(seconds: float = 10.0) -> Snapshot:
    """Return a run in which detect is the bottleneck: 31 of each 33 ms, all before it waits."""
    operators = (
        operator("camera", 0.002, source=True, held=9.1, type="capture.video"),
        operator(
            "detect", 0.031, heavy=True, type="inference.onnx", waits=times(0.06),
            waiting=Waiting(turn=18.0, worker=0.03),
        ),
        operator("overlay", 0.003, stage="overlay+screen", type="visualize.overlay"),
        operator("screen", 0.001, sent=0, stage="overlay+screen", type="visualize.web"),
    )  # fmt: skip
    flows = (
        flow("camera.out", "detect.image", waiting=2, waits=times(0.06)),
        flow(
            "camera.out", "overlay.image", queue=4, sent=300, delivered=290,
            dropped={"full": 10}, when_full="drop_oldest", waits=times(0.09), ages=times(0.1),
        ),
        flow("detect.out", "overlay.boxes"),
        flow("overlay.out", "screen.image", queue=0),
    )  # fmt: skip
    rest = (Step("work", "overlay", "boxes", 1e-4, 0.003), Step("work", "screen", "image", 0, 1e-3))
    paths = (
        path(Step("work", "camera", ""), Step("work", "detect", "image", 0.06, 0.031), *rest),
        path(
            Step("work", "camera", ""), replace(rest[0], port="image", waiting=0.0911), rest[1],
            critical=4,
        ),
    )  # fmt: skip
    machine = MachineStats(cores=2, cpu=11.0, memory=300_000_000, gil=0.05, crowded=0.02)
    return Snapshot(
        app="faces", run="a1b2c3", time=1_790_000_000.0, seconds=seconds,
        operators=operators, flows=flows, paths=paths,
        workers=(WorkerStats("main", "worker 1", 9.5), WorkerStats("main", "worker 2", 1.9)),
        fragments=(
            FragmentStats("main", 4711, "box", "holoscan", "event", 2, seconds, machine),
        ),
        budgets=(
            BudgetStats(
                "camera", "screen", {"p99": 0.05}, "warn", 10.0, False, paths[0].end_to_end,
                now={"p99": 0.12}, worst={"p99": 0.13}, judged=20, missed=18,
            ),
        ),
        announcements=(("live page", "http://127.0.0.1:8350/"),),
    )  # fmt: skip


def history(snapshot: Snapshot, samples: int = 20) -> tuple[Sample, ...]:
    """Return curves that lead up to `snapshot`."""
    span = snapshot.seconds / samples
    return tuple(
        Sample(
            seconds=(index + 1) * span, span=span,
            frames={stats.name: stats.frames // samples for stats in snapshot.operators},
            depth={stats.name: float(stats.waiting) for stats in snapshot.flows},
            dropped={stats.name: stats.lost // samples for stats in snapshot.flows},
            latency={
                stats.name: times(stats.end_to_end.mean, count=15, seed=index)
                for stats in snapshot.paths
            },
        )
        for index in range(samples)
    )  # fmt: skip


def names(items: Sequence[Any]) -> list[str]:
    """Return the names of statistics."""
    return [item.name for item in items]
