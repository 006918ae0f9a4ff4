"""One contender on one pipeline, in a process of its own: `python -m pipelined.contender ORDER`."""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from rivals.load import Load

from holoflow.app import load
from holoflow.app.graph import Scheduler
from pipelined.apps import PIPELINES, Feed, Pipeline

FEWEST_SECONDS: Final = 0.2
"""Of a run whose rate says how long the others must be."""
NEVER_EARLY: Final = 1e6
"""Hz at which every frame is overdue."""


@dataclass(frozen=True)
class Order:
    """What is to be measured."""

    pipeline: str
    contender: str
    folder: str
    seconds: float
    """Of a run."""
    quick: bool = False
    """One short run, no loads."""


@dataclass(frozen=True)
class Run:
    """One run."""

    sent: int
    frames: int
    """That arrived."""
    rate: float
    """Frames a second, after the first fifth."""
    cpu: float
    """Seconds, start and end included."""
    others: float | None
    """Cores that other programs took meanwhile."""
    latencies: list[int] = field(repr=False)
    """ns."""


@dataclass(frozen=True)
class Latency:
    """A run at a rate that the source keeps."""

    load: float | None
    """Share of the contender's own rate; None where all have the same one."""
    hz: float
    rate: float
    others: float | None
    latencies: list[int] = field(repr=False)


@dataclass(frozen=True)
class Measured:
    """A contender on a pipeline, once."""

    rate: float
    cpu: float | None
    """Seconds a frame: the slope between two lengths."""
    memory: int
    """Most bytes that its largest process had."""
    others: float | None
    latencies: list[int]
    """ns, at full speed."""
    loads: list[Latency]


def _holoflow(file: Path, output: Path, frames: int) -> None:
    from holoflow.engine import RunOptions, execute
    from holoflow.plan import plan

    result = execute(plan(load(file)), RunOptions(output=output, frames=frames, web=False))
    if result.failure is not None:
        raise RuntimeError(str(result.failure))


def _holoflow_processes(file: Path, output: Path, frames: int) -> None:
    arguments = ["run", str(file), "--frames", str(frames), "--output", str(output), "--no-web"]
    subprocess.run(
        [sys.executable, "-m", "holoflow", *arguments],
        check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _loop(file: Path, output: Path, frames: int) -> None:
    from rivals.by_hand import run_loop

    run_loop(load(file), output, frames)


def _pool(file: Path, output: Path, frames: int) -> None:
    from rivals.by_hand import run_pool

    run_pool(load(file), output, frames, workers=os.cpu_count() or 1)


def _holoscan(file: Path, output: Path, frames: int, scheduler: Scheduler) -> None:
    from rivals.holoscan_app import run

    run(load(file), output, frames, scheduler)


def _ezmsg(file: Path, output: Path, frames: int) -> None:
    from rivals.ezmsg_app import run

    run(file, output, frames)


def _queues(file: Path, output: Path, frames: int) -> None:
    from rivals.queues import run

    run(file, output, frames)


CONTENDERS: Final[dict[str, Callable[[Path, Path, int], None]]] = {
    "holoflow": _holoflow,
    "holoflow, processes": _holoflow_processes,
    "plain loop": _loop,
    "thread pool": _pool,
    "Holoscan, greedy": partial(_holoscan, scheduler=Scheduler("greedy", 1)),
    "Holoscan, event": partial(_holoscan, scheduler=Scheduler("event", os.cpu_count() or 1)),
    "ezmsg": _ezmsg,
    "queues by hand": _queues,
}


class Contest:
    """Runs a contender on a pipeline."""

    def __init__(self, order: Order) -> None:
        """Measure what `order` says."""
        self._order = order
        self._pipeline: Pipeline = PIPELINES[order.pipeline]
        self._folder = Path(order.folder)
        self._number = 0

    def run(self, frames: int, kind: str = "", hz: float = 0.0) -> Run:
        """Run for `frames` frames of the source."""
        self._number += 1
        feed = Feed(kind, hz, skip=max(frames // 5, 1))
        # Paths of the app are relative to its file; the clip is beside the folder of this one.
        app = {"app": "bench", "schema": 1, **self._pipeline.make(feed, self._folder.parent)}
        file = self._folder / f"{self._number}.yaml"
        file.write_text(json.dumps(app))  # JSON is YAML
        output = self._folder / f"{self._number}"
        output.mkdir()
        gc.collect()  # what the last run has left must not count as memory of this one
        load = Load()
        CONTENDERS[self._order.contender](file, output, frames)
        cpu, others = load.cpu(), load.others()
        seen = json.loads((output / "seen.json").read_text())
        if seen["frames"] != frames and not self._pipeline.lossy:
            raise RuntimeError(f"{seen['frames']} of {frames} frames arrived")
        rate = seen["counted"] / seen["seconds"] if seen["seconds"] else 0.0
        return Run(frames, seen["frames"], rate, cpu, others, seen["latencies"])

    def measure(self) -> Measured:
        """Return all."""
        pipeline, seconds = self._pipeline, self._order.seconds
        source = ("Live", pipeline.live) if pipeline.live else ("", 0.0)
        frames = pipeline.first
        first = self.run(frames, *source)
        while not self._order.quick and first.frames / first.rate < FEWEST_SECONDS:
            frames *= 4
            first = self.run(frames, *source)
        if self._order.quick:
            return Measured(first.rate, None, memory(), first.others, first.latencies, [])
        loads = pipeline.loads or pipeline.rates
        sent = pipeline.live if pipeline.lossy else first.rate
        shorter = self.run(max(int(sent * seconds / 4), 2), *source)
        longer = self.run(max(int(sent * seconds), 10), *source)
        more = longer.frames - shorter.frames
        # Below zero where nobody has waited for the processes that took it.
        slope = (longer.cpu - shorter.cpu) / max(more, 1)
        peak = memory()
        # A source with a pace may be slower than one without, so the shares are of its own rate.
        most = self.run(longer.sent, "Paced", NEVER_EARLY).rate if loads else 0.0
        return Measured(
            rate=longer.rate,
            cpu=slope if more > 0 and slope > 0 else None,
            memory=peak,
            others=longer.others,
            latencies=longer.latencies,
            loads=[
                *(self._load(share, share * most, most) for share in pipeline.loads),
                *(self._load(None, hz, most) for hz in pipeline.rates),
            ],
        )

    def _load(self, share: float | None, hz: float, most: float) -> Latency:
        kind = "Live" if share is not None and share > 1 else "Paced"
        run = self.run(max(int(min(hz, most) * self._order.seconds), 10), kind, hz)
        return Latency(share, hz, run.rate, run.others, run.latencies)


def memory() -> int:
    """Return the most bytes that this process, or one of its children, had at any time."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024


def main() -> None:
    """Measure and write the result."""
    order = Order(**json.loads(sys.argv[1]))
    measured = Contest(order).measure()
    result: dict[str, Any] = asdict(measured)
    (Path(order.folder) / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
