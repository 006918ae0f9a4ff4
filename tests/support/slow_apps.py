"""Apps made slow in a known way, each with what the explanation should say of it.

`python -m support.slow_apps` runs them all and prints the table in
docs/measurements/tracking.md.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holoflow import Operator, Stamped, param
from holoflow.app.graph import App, Budget, Node, Sync
from holoflow.report.diagnosis.decision import explain
from holoflow.stats.snapshot import PathStats, Snapshot, Step, StepKind
from support.graphs import (
    EVENT1,
    EVENT2,
    GREEDY,
    INLINE,
    MULTITHREAD2,
    Count,
    Engine,
    Join,
    Pass,
    Source,
    Tick,
    app,
    chain,
    flow,
    node,
    run,
)  # fmt: skip

# -- operators -------------------------------------------------------------------------------


class Sleep(Operator):
    """Takes its time without a CPU, as one does that waits for a GPU."""

    seconds: float = param(0.01, doc="seconds a frame")

    def process(self, x: Any) -> Any:
        time.sleep(self.seconds)
        return x


class Heavy(Sleep):
    """The same, marked as expensive."""

    heavy = True


class Write(Operator):
    """A sink that waits for its disk."""

    seconds: float = param(0.01, doc="seconds a frame")

    def process(self, x: Any) -> None:
        time.sleep(self.seconds)


class Array(Operator):
    """Computes in NumPy, which gives up the interpreter lock."""

    seconds: float = param(0.01, doc="CPU seconds a frame")

    def start(self) -> None:
        self.data = np.linspace(0, 1, 100_000)

    def process(self, x: Any) -> Any:
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            np.sin(self.data)
        return x


class Python(Operator):
    """Computes in Python, which keeps the interpreter lock."""

    seconds: float = param(0.01, doc="CPU seconds a frame")

    def process(self, x: Any) -> Any:
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            sum(range(500))
        return x


class Disk(Operator):
    """A source that takes its time for every frame."""

    n: int = param(10, doc="frames")
    seconds: float = param(0.01, doc="seconds a frame")

    def frames(self) -> Iterator[int]:
        for index in range(self.n):
            time.sleep(self.seconds)
            yield index


class Delayed(Operator):
    """Stamps frames as captured a while ago, as from a sensor with a long way to here."""

    period: int = param(10_000_000, doc="nanoseconds between frames")

    def process(self, x: Any) -> Stamped[Any]:
        return Stamped(x, elapsed=x * self.period)


class Late(Tick):
    """Gives frames a while after the times that they should have."""

    delay: int = param(60_000_000, doc="nanoseconds")

    def frames(self) -> Iterator[Stamped[int]]:
        for index in range(self.n):
            yield Stamped(index, elapsed=index * self.period + self.delay, wait=True)


# -- apps ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SlowApp:
    """An app and what is wrong with it."""

    name: str
    how: str
    """How it was made slow, for the reader."""
    make: Callable[[], App]
    engine: Engine
    cause: str
    where: str
    others: tuple[tuple[str, str], ...] = ()
    """(cause, where) that is to be told too."""
    fuse: bool = True
    hogs: int = 0
    """Programs that compute at the same time."""
    crossing: StepKind = "work"
    """What the operator `relay` stands for."""

    def run(self, times: int = 1) -> Snapshot:
        """Run it, all of it `times` as slow, and return what it leaves."""
        with ExitStack() as stack:
            for _ in range(self.hogs):
                stack.enter_context(hog())
            last = run(slowed(self.make(), times), self.engine, fuse=self.fuse).result.last
        return last if self.crossing == "work" else crossed(last, self.crossing)


def slowed(graph: App, times: int) -> App:
    """Return `graph` with all that lasts, and is to last, `times` as long."""

    def operator(node: Node) -> Node:
        lasting = {"seconds", "period", "delay"} & node.parameters.keys()
        longer = {name: node.parameters[name] * times for name in lasting}
        sync = node.sync
        if isinstance(sync, Sync):
            sync = replace(sync, tolerance=sync.tolerance * times)
        return replace(node, parameters={**node.parameters, **longer}, sync=sync)

    def budget(budget: Budget) -> Budget:
        limits = {name: limit * times for name, limit in budget.limits.items()}
        return replace(budget, limits=limits, window=budget.window * times)

    operators = {name: operator(node) for name, node in graph.operators.items()}
    return replace(graph, operators=operators, budgets=tuple(map(budget, graph.budgets)))


@contextmanager
def hog() -> Iterator[None]:
    """Keep a core busy."""
    # It says when it has begun, and ends with its input.
    code = "import threading, sys\nprint(flush=True)\n"
    code += "threading.Thread(target=lambda: (sys.stdin.read(), __import__('os')._exit(0))).start()"
    code += "\nwhile True: pass"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def crossed(snapshot: Snapshot, kind: StepKind) -> Snapshot:
    """Return what a run would have left whose operator `relay` was a link, or serialising."""
    into = next(f for f in snapshot.flows if f.consumer == "relay")
    out = next(f for f in snapshot.flows if f.producer == "relay")
    over = replace(out, source=into.source, link="zeromq", waits=into.waits)
    return replace(
        snapshot,
        operators=tuple(stats for stats in snapshot.operators if stats.name != "relay"),
        flows=(over, *(f for f in snapshot.flows if f not in (into, out))),
        paths=tuple(_crossed(path, kind, over.target) for path in snapshot.paths),
    )


def _crossed(path: PathStats, kind: StepKind, target: str) -> PathStats:
    operator, _, port = target.rpartition(".")

    def step(step: Step) -> Step:
        if step.operator != "relay":
            return step
        return replace(step, kind=kind, operator=operator, port=port)

    return replace(path, steps=tuple(map(step, path.steps)))


def _paced(n: int, milliseconds: float, name: str = "camera", cls: type = Tick) -> Any:
    return node(name, cls, {"n": n, "period": round(milliseconds * 1e6), "wait": True})


def _slow(name: str, cls: type, milliseconds: float, **fields: Any) -> Any:
    return node(name, cls, {"seconds": milliseconds / 1e3}, **fields)


_sink = node("screen", Count)


def _unpaced(n: int) -> Any:
    return node("camera", Source, {"n": n})


def _lossy(queue: int, n: int = 200) -> App:
    return app(
        [_paced(n, 5), _slow("detect", Heavy, 20), _sink],
        [
            flow("camera", "detect", queue=queue, when_full="drop_oldest"),
            flow("detect", "screen"),
        ],
    )


def _long_queue() -> App:
    return app(
        # As many under way as the queue holds, which the engine would not let in by itself.
        [replace(_paced(60, 5), in_flight=60), _slow("detect", Heavy, 15), _sink],
        [flow("camera", "detect", queue=30), flow("detect", "screen")],
    )


def _join_of_rates() -> App:
    return app(
        [_paced(200, 5, "camera"), _paced(20, 50, "radar"), node("fuse", Join), _sink],
        [flow("camera", "fuse.a"), flow("radar", "fuse.b"), flow("fuse", "screen")],
    )


def _join_of_delays() -> App:
    late = {"n": 100, "period": 10_000_000, "delay": 60_000_000}
    return app(
        [
            _paced(100, 10),
            node("radar", Late, late),
            node("arrived", Delayed),
            node("fuse", Join, sync=Sync("a", 4e-3)),
            _sink,
        ],
        [
            flow("camera", "fuse.a", queue=20),
            flow("radar", "arrived"),
            flow("arrived", "fuse.b", queue=20),
            flow("fuse", "screen"),
        ],
    )


def _tiny() -> App:
    tiny = [node(f"step{index}", Pass) for index in range(5)]
    return chain(_unpaced(2000), *tiny, _sink)


def _budget() -> App:
    budget = Budget("camera", "screen", {"p90": 8e-3}, window=0.5)
    return chain(_paced(60, 20), _slow("detect", Heavy, 12), _sink, budgets=(budget,))


SLOW_APPS = (
    SlowApp(
        "slow operator, waiting for a GPU",
        "an operator sleeps 20 ms a frame, the camera gives one every 10 ms",
        lambda: chain(_paced(60, 10), _slow("detect", Heavy, 20), _sink),
        EVENT2, "slow operator", "detect",
    ),
    SlowApp(
        "slow operator, computing",
        "an operator computes 15 ms a frame in NumPy, the source is not paced",
        lambda: chain(_unpaced(70), _slow("filter", Array, 15, fuse=False), _sink),
        MULTITHREAD2, "slow operator", "filter",
    ),
    SlowApp(
        "slow operator, without Holoscan",
        "an operator sleeps 10 ms a frame on the engine inline",
        lambda: chain(_unpaced(80), _slow("filter", Sleep, 10), _slow("more", Sleep, 2), _sink),
        INLINE, "slow operator", "filter",
    ),
    SlowApp(
        "slow operator behind `drop_oldest`",
        "20 ms a frame where one comes every 5 ms, queue of 1",
        lambda: _lossy(1),
        EVENT2, "slow operator", "detect",
    ),
    SlowApp(
        "operators that share a stage",
        "three cheap operators in a row turn out to sleep 4, 12 and 4 ms",
        lambda: chain(
            _unpaced(60), _slow("one", Sleep, 4), _slow("two", Sleep, 12), _slow("three", Sleep, 4),
            _sink,
        ),
        EVENT2, "slow operator", "two",
    ),
    SlowApp(
        "slow writer",
        "the sink waits 12 ms for its disk",
        lambda: chain(_paced(90, 5), node("resize", Pass), _slow("writer", Write, 12)),
        GREEDY, "slow operator", "writer",
    ),
    SlowApp(
        "budget missed",
        "12 ms of work a frame, which keeps up with the camera, and a budget of 8 ms",
        _budget,
        EVENT2, "slow operator", "detect",
    ),
    SlowApp(
        "long queue that drops",
        "20 ms a frame where one comes every 5 ms, `drop_oldest` with a queue of 20",
        lambda: _lossy(20, 240),
        EVENT2, "full queue", "camera.out -> detect.x", (("slow operator", "detect"),),
    ),
    SlowApp(
        "long queue that blocks",
        "15 ms a frame where one comes every 5 ms, queue of 30",
        _long_queue,
        MULTITHREAD2, "slow operator", "detect", (("full queue", "camera.out -> detect.x"),),
    ),
    SlowApp(
        "nothing",
        "a frame every 10 ms, 4 ms of work",
        lambda: chain(_paced(100, 10), _slow("detect", Heavy, 4), _sink),
        EVENT2, "nothing", "camera",
    ),
    SlowApp(
        "starving",
        "the source takes 10 ms to read a frame, the operator 2 ms to work on it",
        lambda: chain(
            node("disk", Disk, {"n": 100, "seconds": 0.01}), _slow("detect", Heavy, 2), _sink
        ),
        EVENT2, "slow source", "disk",
    ),
    SlowApp(
        "interpreter lock",
        "two operators in two workers compute 8 ms a frame in Python",
        lambda: chain(
            _unpaced(70), _slow("track", Python, 8, fuse=False),
            _slow("smooth", Python, 8, fuse=False), _sink,
        ),
        EVENT2, "interpreter lock", "app",
    ),
    SlowApp(
        "too few workers",
        "three operators sleep 7 ms each, and one worker runs them all",
        lambda: chain(
            _unpaced(60), _slow("one", Heavy, 7), _slow("two", Heavy, 7), _slow("three", Heavy, 7),
            _sink,
        ),
        EVENT1, "too few workers", "app",
    ),
    SlowApp(
        "late partner, at a lower rate",
        "a join in arrival order of a camera every 5 ms with a radar every 50 ms",
        _join_of_rates,
        EVENT2, "late partner", "radar.out -> fuse.b",
    ),
    SlowApp(
        "late partner, with a delay",
        "a join by timestamp with a radar whose frames come 60 ms late",
        _join_of_delays,
        MULTITHREAD2, "late partner", "arrived.out -> fuse.b",
    ),
    SlowApp(
        "link",
        "15 ms for the way to the next process (simulated)",
        lambda: chain(_unpaced(70), _slow("relay", Heavy, 15), _slow("view", Heavy, 3), _sink),
        EVENT2, "link", "camera.out -> view.x", crossing="link",
    ),
    SlowApp(
        "serialising",
        "15 ms to put a message into bytes for the next process (simulated)",
        lambda: chain(_unpaced(70), _slow("relay", Heavy, 15), _slow("view", Heavy, 3), _sink),
        MULTITHREAD2, "serialising", "camera.out -> view.x", crossing="serialise",
    ),
    SlowApp(
        "crowded machine",
        "an operator computes 5 ms a frame while six other programs keep the cores busy",
        lambda: chain(_unpaced(40), _slow("filter", Array, 5, fuse=False), _sink),
        EVENT2, "crowded machine", "app", hogs=6,
    ),
    SlowApp(
        "scheduling",
        "seven operators that do next to nothing, each in a stage of its own",
        _tiny,
        EVENT2, "scheduling", "app", fuse=False,
    ),
)  # fmt: skip
"""Named by how they were made slow; `where` is that of the cause."""


def main() -> None:
    """Print the table of what is said of each."""
    print("| made slow by | named | evidence |\n|---|---|---|")
    for slow in SLOW_APPS:
        found = explain(slow.run()).bottleneck
        print(f"{row(slow)} {found.evidence} |")


def row(slow: SlowApp) -> str:
    """Return what the table says of it before the evidence, which differs from run to run."""
    return f"| {slow.how} | **{slow.cause}**: `{slow.where}` |"


if __name__ == "__main__":
    main()
