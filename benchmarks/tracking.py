"""What tracking costs: five pass-through operators behind a source, with and without it.

    python benchmarks/tracking.py [--repeats 7] [--json]

Measured in turn, in one process, the runs with and without tracking right after one another:

- `holoflow, fused`: the chain as it is planned, one stage.
- `holoflow, unfused`: every operator a stage of its own, with a queue before it (`--no-fuse`).
- `hand-written`: the same chain as a Holoscan application in Python, tracked by Holoscan's own
  `holoscan.core.Tracker`: minimum, average and maximum from root to leaf.

Cost = (time of a frame with tracking - time of a frame without) / five operators, in µs: `wall`
from frames per second, `CPU` from the CPU time of the process. The source is tracked as well,
but not divided by. Each is the median over the repeats, with the quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from five_operators import OPERATORS, SCHEDULERS, holoscan, run_hand_written, run_holoflow
from rich.console import Console
from rich.table import Table

WANTED = 2.0
"""µs that holoflow's tracking may cost an operator and frame."""


@dataclass(frozen=True)
class Measured:
    """One run."""

    rate: float
    """Frames per second."""
    cpu: float
    """µs of CPU time a frame."""


@dataclass(frozen=True)
class Cost:
    """What tracking costs an operator and frame, in µs."""

    median: float
    low: float
    """Lower quartile."""
    high: float
    """Upper quartile."""


@dataclass(frozen=True)
class Cell:
    """A chain under a scheduler."""

    untracked: float
    """Frames per second, median."""
    tracked: float
    """Frames per second, median."""
    ratio: float
    """Tracked / untracked."""
    wall: Cost
    cpu: Cost


Runs = tuple[Measured, Measured]
"""Without and with tracking, one right after the other."""


def measure(repeats: int) -> dict[str, dict[str, list[Runs]]]:
    """Run everything in turn, `repeats` times; by chain and scheduler."""
    runs: dict[str, dict[str, list[Runs]]] = {}
    with TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for name, scheduler in SCHEDULERS.items():
                fused = partial(run_holoflow, scheduler=scheduler, output=Path(folder))
                unfused = partial(fused, fuse=False)
                by_hand = partial(run_hand_written, scheduler=scheduler)
                for chain, run, count in (
                    ("holoflow, fused", fused, 300_000),
                    ("holoflow, unfused", unfused, 12_000),
                    ("hand-written", by_hand, 4_000),
                ):
                    # who begins takes turns, so that what slows down with time harms both
                    pair = {tracked: _run(run, count, tracked) for tracked in _turns(repeat)}
                    found = runs.setdefault(chain, {}).setdefault(name, [])
                    found.append((pair[False], pair[True]))
    return runs


def _turns(repeat: int) -> tuple[bool, bool]:
    return (False, True) if repeat % 2 else (True, False)


def _run(run: Callable[..., float], count: int, tracked: bool) -> Measured:
    cpu = time.process_time()
    rate = run(count=count, tracked=tracked)
    return Measured(rate, (time.process_time() - cpu) / count * 1e6)


def evaluate(runs: list[Runs]) -> Cell:
    """Return what the repeats say."""
    untracked = statistics.median(without.rate for without, _ in runs)
    tracked = statistics.median(with_it.rate for _, with_it in runs)
    return Cell(
        untracked=untracked,
        tracked=tracked,
        ratio=tracked / untracked,
        wall=_cost([1e6 / with_it.rate - 1e6 / without.rate for without, with_it in runs]),
        cpu=_cost([with_it.cpu - without.cpu for without, with_it in runs]),
    )


def _cost(differences: list[float]) -> Cost:
    """Return quartiles of what a frame has cost more, for one operator."""
    shares = [difference / OPERATORS for difference in differences]
    low, median, high = (
        statistics.quantiles(shares, n=4, method="inclusive") if len(shares) > 1 else shares * 3
    )
    return Cost(median, low, high)


def _shown(cost: Cost) -> str:
    return f"{cost.median:.2f} ({cost.low:.2f} to {cost.high:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    runs = measure(arguments.repeats)
    cells = {
        chain: {name: evaluate(found) for name, found in by_scheduler.items()}
        for chain, by_scheduler in runs.items()
    }
    if arguments.json:
        result = {
            "repeats": arguments.repeats,
            "holoscan": holoscan.__version__,
            "python": sys.version.split()[0],
            "wanted": WANTED,
            "cells": cells,
            "runs": runs,
        }
        json.dump(result, sys.stdout, indent=2, default=asdict)
        print()
        return
    title = f"what tracking costs an operator and frame, {arguments.repeats} repeats"
    table = Table("chain", "scheduler", title=title)
    for heading in (
        "frames/s without", "with", "ratio", "wall, µs", "CPU, µs", f"≤ {WANTED:g} µs",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for chain, by_scheduler in cells.items():
        for name, cell in by_scheduler.items():
            table.add_row(
                chain, name, f"{cell.untracked:,.0f}", f"{cell.tracked:,.0f}", f"{cell.ratio:.2f}",
                _shown(cell.wall), _shown(cell.cpu), "yes" if cell.wall.median <= WANTED else "no",
            )  # fmt: skip
        table.add_section()
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
