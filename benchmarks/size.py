"""What an app costs by its size: operators, fan-out, joins, fragments, and bytes of a payload.

    python benchmarks/size.py [--quick] [--json]

Seconds of CPU of this process, of which imports are no part: to load the file, to plan, to make
the stages, and to run one frame from start to end, all together and by operator; and microseconds
of CPU by operator and frame of a run of more frames, less that of one frame. Runs are of engine
inline, without statistics of frames (`tracked` is off): Holoscan runs at most 1,020 stages in a
process, and its schedulers would be measured too. An app in fragments is only loaded and planned.
If cost is linear, what is said by operator is the same in all rows of a shape.

Payloads: microseconds of CPU of all processes by frame, over a queue within a process and over
shared memory between two.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.table import Table
from sized import apps

from holoflow.app import load
from holoflow.core.operator import OperatorContext
from holoflow.engine import RunOptions, execute
from holoflow.engine.build import build
from holoflow.engine.control import Control
from holoflow.plan import plan

SIZES: Final = (5, 50, 500, 5_000)
CALLS: Final = 20_000
"""Calls of operators that are timed, at least ten for each operator."""
PAYLOADS: Final = (64, 64_000, 1_000_000, 10_000_000, 100_000_000)
PAYLOAD_FRAMES: Final = 200

T = TypeVar("T")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what `call` returns, and the seconds of CPU that it took."""
    gc.collect()
    began = time.process_time()
    result = call()
    return result, time.process_time() - began


def measure(folder: Path, shape: str, count: int, fragments: int) -> dict[str, Any]:
    """Return the seconds of CPU that an app of `count` operators takes, by what is done."""
    path = apps.write(folder / "sized.yaml", apps.SHAPES[shape](count), fragments=fragments)
    app, loading = timed(lambda: load(path))
    planned, planning = timed(lambda: plan(app))
    row: dict[str, Any] = {
        "shape": shape, "operators": count, "fragments": fragments, "flows": len(app.flows),
        "stages": len(planned.stages), "load": loading, "plan": planning,
        "build": None, "first frame": None, "frame and operator": None,
    }  # fmt: skip
    if fragments == 1:
        contexts = {name: OperatorContext(name, folder) for name in app.operators}
        row["build"] = timed(lambda: build(planned, Control(), contexts, None))[1]
        frames = max(10, CALLS // count)
        one, more = (
            timed(lambda: execute(planned, RunOptions("inline", folder, number, tracked=False)))[1]  # noqa: B023
            for number in (1, 1 + frames)
        )
        row["first frame"] = one
        row["frame and operator"] = (more - one) / frames / count
    return row


def payload(folder: Path, size: int, fragments: int) -> float:
    """Return the seconds of CPU that a frame with a payload of `size` bytes takes."""
    entries = apps.chain(3, fuse="off")
    entries["o0"]["with"] = {"size": size}
    path = apps.write(folder / "payload.yaml", entries, fragments=fragments, link="shared_memory")
    costs = []
    for frames in (1, 1 + PAYLOAD_FRAMES):
        before = _children()
        command = ["-m", "holoflow", "run", str(path), "--output", str(folder), "--frames"]
        subprocess.run([sys.executable, *command, str(frames)], check=True, capture_output=True)
        costs.append(_children() - before)
    return (costs[1] - costs[0]) / PAYLOAD_FRAMES


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(folder: Path, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Measure all shapes in all sizes."""
    sizes = SIZES[:-1] if quick else SIZES
    measure(folder, "joins", 5, 1)  # what is done once
    for shape in apps.SHAPES:
        for count in sizes:
            yield measure(folder, shape, count, 1)
    for count in sizes[1:]:
        yield measure(folder, "joins", count, 16)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no more than 500 operators, 1 MB")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    with TemporaryDirectory() as name:
        found = list(rows(Path(name), quick=arguments.quick))
        payloads = {
            size: [payload(Path(name), size, fragments) for fragments in (1, 2)]
            for size in (PAYLOADS[:3] if arguments.quick else PAYLOADS)
        }
    if arguments.json:
        result = {
            "python": sys.version.split()[0], "load average": [load_before, os.getloadavg()[0]],
            "CPU seconds": found, "CPU seconds by bytes of a payload": payloads,
        }  # fmt: skip
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    done = ("load", "plan", "build", "first frame")
    table = Table(
        "", "operators", "fragments", *(f"{what}: s" for what in done),
        "load + plan: µs/operator", "build: µs/operator", "µs/operator and frame",
    )  # fmt: skip
    for row in found:
        count = row["operators"]
        built = None if row["build"] is None else row["build"] / count
        each = ((row["load"] + row["plan"]) / count, built, row["frame and operator"])
        table.add_row(
            row["shape"], f"{count:,}", str(row["fragments"]),
            *("–" if row[what] is None else f"{row[what]:.3f}" for what in done),
            *("–" if cost is None else f"{cost * 1e6:,.1f}" for cost in each),
        )  # fmt: skip
    Console(width=130).print(table)
    table = Table("bytes of a payload", "queue: µs/frame", "shared memory: µs/frame")
    for size, each in payloads.items():
        table.add_row(f"{size:,}", *(f"{cost * 1e6:,.0f}" for cost in each))
    Console(width=130).print(table)
    print(f"load average {load_before:.1f} to {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
