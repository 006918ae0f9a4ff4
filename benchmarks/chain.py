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
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from five_operators import (
    OPERATORS,
    SCHEDULERS,
    CountOp,
    PassOp,
    holoscan,
    run_hand_written,
    run_holoflow,
)
from rich.console import Console
from rich.table import Table


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
