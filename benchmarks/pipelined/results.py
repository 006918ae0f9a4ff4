"""What repeated runs say: medians, spread, ratios and percentiles, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from rich.table import Table

from pipelined.apps import PIPELINES

BUSY: Final = 0.1
"""Cores that others took from which on a row is marked."""
PERCENTILES: Final = (50.0, 99.0, 99.9)

Runs = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""What was measured, by pipeline and contender, one entry a repetition."""
Row = dict[str, Any]


def percentile(latencies: Sequence[int], which: float) -> float | None:
    """Return a percentile in ms; None where too few frames have been seen to have one beyond it."""
    if len(latencies) * (100 - which) < 100 - 1e-6:
        return None
    return float(np.percentile(latencies, which)) / 1e6


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def percentiles(runs: Iterable[Mapping[str, Any]]) -> Row:
    """Return the percentiles of the latencies of all `runs` together."""
    pooled = [latency for run in runs for latency in run["latencies"]]
    return {f"p{which:g}": percentile(pooled, which) for which in PERCENTILES}


def summary(contenders: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """Return a row for each contender on one pipeline; the first that was measured is holoflow."""
    rows: list[Row] = []
    for name, runs in contenders.items():
        if not runs:
            continue
        rates = [run["rate"] for run in runs]
        rows.append({
            "contender": name,
            "runs": len(runs),
            "rate": statistics.median(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "CPU ms": median(run["cpu"] and run["cpu"] * 1e3 for run in runs),
            "memory MB": statistics.median(run["memory"] for run in runs) / 1e6,
            "others": median(run["others"] for run in runs),
            **percentiles(runs),
        })  # fmt: skip
    for row in rows:
        row["holoflow is"] = rows[0]["rate"] / row["rate"] if row["rate"] else None
    return rows


def load_rows(contenders: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """Return a row for each contender and rate at which its latency was taken."""
    rows: list[Row] = []
    for name, runs in contenders.items():
        for loads in zip(*(run["loads"] for run in runs), strict=True):
            share = loads[0]["load"]
            rows.append({
                "contender": name,
                "load": "all" if share is None else f"{share:.0%}",
                "Hz": statistics.median(load["hz"] for load in loads),
                "rate": statistics.median(load["rate"] for load in loads),
                "others": median(load["others"] for load in loads),
                **percentiles(loads),
            })  # fmt: skip
    return sorted(rows, key=lambda row: row["load"])


HEADS: Final = (
    "", "frames/s", "lowest – highest", "holoflow is", "CPU ms/frame", "MB", "p50 ms", "p99 ms",
    "others",
)  # fmt: skip
LOAD_HEADS: Final = ("", "load", "Hz", "frames/s", "p50 ms", "p99 ms", "p99.9 ms", "others")


def cells(row: Row) -> list[str]:
    """Return the cells of a row of the first table."""
    return [
        row["contender"], number(row["rate"]),
        f"{number(row['lowest'])} – {number(row['highest'])}",
        number(row["holoflow is"], " x"), number(row["CPU ms"]), number(row["memory MB"]),
        number(row["p50"]), number(row["p99"]), marked(row["others"]),
    ]  # fmt: skip


def load_cells(row: Row) -> list[str]:
    """Return the cells of a row of the second table."""
    return [
        row["contender"], row["load"], number(row["Hz"]), number(row["rate"]),
        number(row["p50"]), number(row["p99"]), number(row["p99.9"]), marked(row["others"]),
    ]  # fmt: skip


def number(value: float | None, unit: str = "") -> str:
    """Return `value` with three digits that count; – where it was not measured."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}{unit}"


def marked(others: float | None) -> str:
    """Return how many cores others took, marked where that is too much."""
    if others is None:
        return "–"
    return f"{others:.2f}" + (" !" if others > BUSY else "")


def _filled(runs: Runs) -> Iterable[tuple[str, tuple[str, ...], list[list[str]]]]:
    """Yield title, heads and cells of every table that is not empty."""
    for pipeline, contenders in runs.items():
        title = PIPELINES[pipeline].title
        if rows := summary(contenders):
            yield title, HEADS, [cells(row) for row in rows]
        if rows := load_rows(contenders):
            yield f"{title}: latency at a rate", LOAD_HEADS, [load_cells(row) for row in rows]


def tables(runs: Runs) -> Iterable[Table]:
    """Yield all as tables for a terminal."""
    for title, heads, rows in _filled(runs):
        table = Table(heads[0], title=title)
        for head in heads[1:]:
            table.add_column(head, justify="right")
        for row in rows:
            table.add_row(*row)
        yield table


def markdown(runs: Runs) -> str:
    """Return all as Markdown."""
    parts = []
    for title, heads, rows in _filled(runs):
        lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
        parts.append("\n".join([f"## {title}\n", *(f"| {' | '.join(line)} |" for line in lines)]))
    return "\n\n".join(parts) + "\n"
