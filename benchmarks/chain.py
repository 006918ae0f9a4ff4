"""Five pass-through operators behind a source: holoflow against Holoscan by hand and plain calls.

    python benchmarks/chain.py [--repeats 5] [--json]

Rivals, measured side by side, in turn, in one process:

- `hand-written`: the same chain as a Holoscan application in Python, with the same scheduler and
  the same settings. Timed from the source's first tick to the sink's last.
- `direct calls`: `e(d(c(b(a(frame)))))` in a loop over the source. With a time stamp after every
  call where holoflow is tracked ("stamped"), without where it is not ("bare").

holoflow is timed from before Holoscan's start to after its end. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from holoflow import Operator, param
from holoflow.app.graph import App, Endpoint, Flow, Node, Scheduler
from holoflow.engine import RunOptions, execute, runtime
from holoflow.engine.holoscan import make_scheduler
from holoflow.plan import plan

holoscan = runtime.load()
core = holoscan.core

OPERATORS = 5
SCHEDULERS = {
    "greedy": Scheduler("greedy", 1),
    "event, 1 worker": Scheduler("event", 1),
    "event, 2 workers": Scheduler("event", 2),
    "multithread, 2 workers": Scheduler("multithread", 2),
}


class CountOp(Operator):
    """Count up."""

    count: int = param(doc="frames")

    def frames(self) -> Iterator[int]:
        """Yield 1 to `count`."""
        yield from range(1, self.count + 1)


class PassOp(Operator):
    """Pass on what comes."""

    def process(self, value: Any) -> Any:
        """Return `value`."""
        return value


def chain(count: int, scheduler: Scheduler, *, source_apart: bool) -> App:
    """Return the app: a source and five pass-through operators."""
    names = [f"pass{index}" for index in range(OPERATORS)]
    nodes = {
        "count": Node("count", "", CountOp, {"count": count}, fuse=False if source_apart else None)
    }
    nodes.update((name, Node(name, "", PassOp)) for name in names)
    flows = tuple(
        Flow(Endpoint(before, "out"), Endpoint(name, "value"))
        for before, name in zip(["count", *names], names, strict=False)
    )
    return App("chain", None, nodes, flows, scheduler=scheduler)


def run_holoflow(
    count: int, scheduler: Scheduler, output: Path, *, source_apart: bool, tracked: bool
) -> float:
    """Return frames per second."""
    planned = plan(chain(count, scheduler, source_apart=source_apart))
    start = time.perf_counter()
    options = RunOptions(engine="holoscan", output=output, tracked=tracked)
    result = execute(planned, options)
    seconds = time.perf_counter() - start
    if [o.frames for o in result.last.operators] != [count] * (OPERATORS + 1):
        raise RuntimeError(f"not every frame got through: {result}")
    return count / seconds


class HandSource(core.Operator):  # type: ignore[name-defined, misc]
    """Emits a number a tick."""

    def setup(self, spec: Any) -> None:
        """Declare the output."""
        spec.output("out")

    def start(self) -> None:
        """Take the time of the first tick."""
        self.value = 0
        self.began = 0.0

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next number."""
        if not self.value:
            self.began = time.perf_counter()
        self.value += 1
        op_output.emit(self.value, "out")


class HandPass(core.Operator):  # type: ignore[name-defined, misc]
    """Emits what it receives."""

    def setup(self, spec: Any) -> None:
        """Declare the ports."""
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        """Pass the number on."""
        op_output.emit(op_input.receive("in"), "out")


class HandLast(core.Operator):  # type: ignore[name-defined, misc]
    """The last one has nobody to emit to."""

    def setup(self, spec: Any) -> None:
        """Declare the input."""
        spec.input("in")

    def start(self) -> None:
        """Begin to count."""
        self.seen = 0
        self.ended = 0.0

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Receive and take the time."""
        op_input.receive("in")
        self.seen += 1
        self.ended = time.perf_counter()


class HandChain(core.Application):  # type: ignore[name-defined, misc]
    """The chain as a user of Holoscan writes it."""

    def __init__(self, count: int) -> None:
        """Run `count` frames."""
        self.count = count
        super().__init__()

    def compose(self) -> None:
        """Wire source and operators."""
        condition = holoscan.conditions.CountCondition(self, self.count)
        self.source = before = HandSource(self, condition, name="count")
        for index in range(OPERATORS):
            cls = HandPass if index < OPERATORS - 1 else HandLast
            operator = cls(self, name=f"pass{index}")
            self.add_flow(before, operator)
            before = operator
        self.last = before


def run_hand_written(count: int, scheduler: Scheduler) -> float:
    """Return frames per second."""
    app = HandChain(count)
    app.scheduler(make_scheduler(app, scheduler))
    app.run()
    if app.last.seen != count:
        raise RuntimeError(f"{app.last.seen} of {count} frames got through")
    seconds: float = app.last.ended - app.source.began
    return count / seconds


def run_direct(count: int, *, stamped: bool) -> float:
    """Return frames per second of plain calls."""
    source = CountOp(count=count)
    a, b, c, d, e = (PassOp().process for _ in range(OPERATORS))
    clock = time.monotonic_ns
    start = time.perf_counter()
    if stamped:
        stamps: list[int] = []
        stamp = stamps.append
        for value in source.frames():
            stamp(clock())
            value = a(value)
            stamp(clock())
            value = b(value)
            stamp(clock())
            value = c(value)
            stamp(clock())
            value = d(value)
            stamp(clock())
            e(value)
            stamp(clock())
            if len(stamps) > 10_000:
                stamps.clear()
    else:
        for value in source.frames():
            e(d(c(b(a(value)))))
    return count / (time.perf_counter() - start)


def measure(repeats: int) -> dict[str, dict[str, list[float]]]:
    """Run everything in turn, `repeats` times; frames per second by scheduler and variant."""
    rates: dict[str, dict[str, list[float]]] = {name: {} for name in SCHEDULERS}
    with TemporaryDirectory() as folder:
        output = Path(folder)
        for _ in range(repeats):
            for name, scheduler in SCHEDULERS.items():
                runs: dict[str, Callable[[], float]] = {
                    "direct, bare": partial(run_direct, 500_000, stamped=False),
                    "direct, stamped": partial(run_direct, 300_000, stamped=True),
                    "hand-written": partial(run_hand_written, 4_000, scheduler),
                }
                for tracked in (True, False):
                    for apart in (False, True):
                        variant = ("tracked" if tracked else "untracked") + (
                            ", source apart" if apart else ""
                        )
                        count = 20_000 if apart else 300_000 if tracked else 1_000_000
                        runs[f"holoflow, {variant}"] = partial(
                            run_holoflow, count, scheduler, output,
                            source_apart=apart, tracked=tracked,
                        )  # fmt: skip
                for variant, run in runs.items():
                    rates[name].setdefault(variant, []).append(run())
    return rates


def ratios(median: dict[str, float]) -> dict[str, float]:
    """Return what the medians of one scheduler say, by what is compared."""
    return {
        "tracked / hand-written": median["holoflow, tracked"] / median["hand-written"],
        "untracked / hand-written": median["holoflow, untracked"] / median["hand-written"],
        "tracked / direct calls, stamped": median["holoflow, tracked"] / median["direct, stamped"],
        "tracked / direct calls, bare": median["holoflow, tracked"] / median["direct, bare"],
        "untracked / direct calls, bare": median["holoflow, untracked"] / median["direct, bare"],
        "tracked, source apart / hand-written": median["holoflow, tracked, source apart"]
        / median["hand-written"],
        "untracked, source apart / hand-written": median["holoflow, untracked, source apart"]
        / median["hand-written"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    rates = measure(arguments.repeats)
    medians = {
        name: {variant: statistics.median(values) for variant, values in variants.items()}
        for name, variants in rates.items()
    }
    result = {name: ratios(median) for name, median in medians.items()}
    if arguments.json:
        json.dump(
            {
                "repeats": arguments.repeats,
                "holoscan": holoscan.__version__,
                "python": sys.version.split()[0],
                "ratios": result,
                "median frames per second": medians,
                "frames per second": rates,
            },
            sys.stdout,
            indent=2,
        )
        print()
        return
    for title, table, form in (
        ("frames per second (median)", medians, "{:,.0f}"),
        ("ratios", result, "{:.2f}"),
    ):
        shown = Table("", *SCHEDULERS, title=title)
        for row in next(iter(table.values())):
            shown.add_row(row, *(form.format(table[name][row]) for name in SCHEDULERS))
        Console(width=130).print(shown)


if __name__ == "__main__":
    main()
