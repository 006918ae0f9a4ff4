"""The parts of a report for a terminal; each fits `width` columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from holoflow.cli.tables import Cell, Choice, Columns, bar, legend, statistics_table, table
from holoflow.core import text
from holoflow.core.text import printable
from holoflow.report import measures
from holoflow.report.columns import (
    FLOWS,
    OPERATORS,
    PATHS,
    Column,
    PathRow,
    counts_besides,
    flow_rows,
    operator_rows,
)
from holoflow.report.diagnosis.finding import Explanation, Finding
from holoflow.report.measures import SHORT_LABELS, split, totals
from holoflow.stats.snapshot import BudgetStats, OperatorStats, PathStats, Snapshot

_PATHS = (
    (0, "name"), (40, "frames"), (62, "end_to_end.mean"), (0, "end_to_end.p50"),
    (72, "end_to_end.p90"), (76, "end_to_end.p95"), (30, "end_to_end.p99"),
    (100, "end_to_end.p99.9"), (50, "end_to_end.max"), (104, "end_to_end.std"),
    (108, "jitter.mean"), (112, "tail"), (116, "flatness"), (120, "critical"),
)  # fmt: skip
_OPERATORS = (
    (0, "name"), (45, "frames"), (90, "rate_in"), (70, "rate_out"), (0, "utilisation"),
    (50, "working.p50"), (60, "working.p99"), (95, "working.max"), (75, "latency.p50"),
    (65, "latency.p99"),
)  # fmt: skip
_FLOWS = (
    (60, "waits.p50"), (70, "waits.p99"), (80, "mean_depth"), (90, "queue"), (100, "when_full"),
)  # fmt: skip
_BUDGETS = (
    (0, "budget"), (0, "limit ms"), (50, "run ms"), (40, "worst ms"), (60, "judged"),
    (55, "missed"), (0, "verdict"),
)  # fmt: skip
_WORKERS = ((0, "thread"), (0, "busy"), (40, "at work s"))


def heading(words: str) -> Text:
    """Return the heading of a part."""
    return Text(printable(words), style="bold underline")


def said(words: str, style: str = "") -> Text:
    """Return a sentence, which may be wrapped."""
    return Text(printable(words), style=style)


def line(words: str) -> Text:
    """Return a line that is never wrapped or cut, so that file names can be copied from it."""
    return Text(printable(words), no_wrap=True, overflow="ignore")


def findings(explanation: Explanation, *, all_of_them: bool) -> Iterator[RenderableType]:
    """Yield the bottleneck with its evidence and what would help, then what else matters."""
    found = explanation.bottleneck
    style = {"nothing": "bold green", "unknown": "bold"}.get(found.cause, "bold yellow")
    yield said(_finding("bottleneck", found), style)
    advice = found.advice if all_of_them else found.advice[:1]
    yield from (said(f"  would help: {words}") for words in advice)
    for other in explanation.others if all_of_them else ():
        yield said(_finding("also", other))
        yield from (said(f"  would help: {words}") for words in other.advice)


def _finding(kind: str, found: Finding) -> str:
    if found.cause in ("nothing", "unknown"):
        return f"{kind}: {'none' if found.cause == 'nothing' else 'not known'}; {found.evidence}"
    return f"{kind}: {found.where} ({found.cause}): {found.evidence}"


def critical_path(explanation: Explanation) -> Iterator[RenderableType]:
    """Yield the path that determines the latency, if there is one."""
    path = explanation.critical
    if path is not None:
        yield said(
            f"critical path: {path.name}: p50 {measures.statistic(path.end_to_end, 'p50')} ms, "
            f"p99 {measures.statistic(path.end_to_end, 'p99')} ms"
        )


def paths(snapshot: Snapshot, stats: Sequence[PathStats], width: int) -> RenderableType:
    """Return the end-to-end times of paths."""
    return statistics_table(PATHS, _PATHS, [PathRow(item, snapshot) for item in stats], width)


def budgets(snapshot: Snapshot, width: int) -> RenderableType:
    """Return the budgets, one line per limit."""
    rows = [_limit(stats, name) for stats in snapshot.budgets for name in stats.limits]
    return table(_BUDGETS, rows, width)


def _limit(stats: BudgetStats, name: str) -> dict[str, Cell]:
    return {
        "budget": stats.name,
        "limit ms": f"{name} {text.milliseconds(stats.limits[name])}",
        "run ms": measures.statistic(stats.times, name),
        "worst ms": text.milliseconds(stats.worst.get(name)),
        "judged": text.count(stats.judged),
        "missed": text.count(stats.missed),
        "verdict": verdict(stats),
    }


def verdict(stats: BudgetStats) -> Text:
    """Return whether a budget was kept; `–` if it was never judged."""
    if not stats.judged:
        return Text(text.NOT_MEASURED)
    return Text("kept", style="green") if stats.kept else Text("missed", style="bold red")


def budget_lines(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a sentence for each budget."""
    for stats in snapshot.budgets:
        limits = ", ".join(f"{n} {text.duration(s)}" for n, s in stats.limits.items())
        worst = ", ".join(f"{n} {text.duration(s)}" for n, s in stats.worst.items())
        if not stats.judged:
            yield said(f"budget {stats.name}: {limits}: never judged")
            continue
        how = "kept" if stats.kept else f"missed {stats.missed:,} of {stats.judged:,} times"
        sentence = f"budget {stats.name}: {limits}: {how}"
        sentence += f", worst window {worst}" if worst else ""
        sentence += f", {text.plural(stats.dropped, 'late frame')} dropped" if stats.dropped else ""
        yield said(sentence, "green" if stats.kept else "bold red")


def split_table(path: PathStats, snapshot: Snapshot, width: int) -> Iterator[RenderableType]:
    """Yield where a path's time goes: one row per operator, with bars and a legend."""
    parts = split(path, snapshot)
    whole = sum(part.total for part in parts)
    kinds = list(totals(parts))
    if whole <= 0:
        return
    headings = {kind: SHORT_LABELS[kind] for kind in kinds}
    names = max([text_width(part.operator) for part in parts] + [len("operator")])
    room = width - min(names, 20) - 2 - sum(max(len(h), 7) + 2 for h in headings.values()) - 9
    bars = min(max(room, 16), 60)
    columns: Columns = (
        (0, "operator"), (60, "all"),
        *((70, heading) for heading in headings.values()), (0, ""),
    )  # fmt: skip
    rows: list[dict[str, Cell]] = [
        {
            "operator": part.operator,
            "all": text.milliseconds(part.total),
            **{h: text.milliseconds(part.seconds.get(k)) for k, h in headings.items()},
            "": bar(part.seconds, part.begin, whole, bars),
        }
        for part in parts
    ]
    sums = totals(parts)
    rows.append(
        {
            "operator": "all",
            "all": text.milliseconds(whole),
            **{h: text.milliseconds(sums.get(k)) for k, h in headings.items()},
            "": bar(sums, 0.0, whole, bars),
        }
    )
    yield table(columns, rows, width)
    yield legend(sums)


def text_width(words: str) -> int:
    """Return how many columns `words` take."""
    return Text(words).cell_len


def operators(snapshot: Snapshot, stats: Sequence[OperatorStats], width: int) -> RenderableType:
    """Return the statistics of operators."""
    names = {item.name for item in stats}
    rows = [row for row in operator_rows(snapshot) if row.stats.name in names]
    return statistics_table(OPERATORS, (*_OPERATORS, *_counts(OPERATORS, _OPERATORS)), rows, width)


def _counts(columns: Mapping[str, Column[Any]], choice: Choice) -> Choice:
    """Return what is counted besides `choice`."""
    besides = counts_besides(columns, (name for _, name in choice))
    return [(column.width, column.name) for column in besides]


def workers(snapshot: Snapshot, width: int) -> RenderableType:
    """Return how busy the schedulers' threads were."""
    several = len({stats.fragment for stats in snapshot.workers}) > 1
    return table(
        _WORKERS,
        (
            {
                "thread": f"{stats.fragment}: {stats.name}" if several else stats.name,
                "busy": text.percent(measures.utilisation(snapshot, stats)),
                "at work s": text.number(stats.busy),
            }
            for stats in snapshot.workers
        ),
        width,
    )


def flows(snapshot: Snapshot, width: int) -> RenderableType:
    """Return what became of the messages of every flow."""
    choice = ((0, "name"), *_counts(FLOWS, _FLOWS), *_FLOWS)
    return statistics_table(FLOWS, choice, flow_rows(snapshot), width)


def fragments(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a line for every fragment that was restarted or refused connections."""
    for stats in snapshot.fragments:
        if stats.restarts:
            yield said(f"restarted {stats.name}: {text.plural(stats.restarts, 'time')}", "yellow")
        if stats.refused:
            yield said(f"refused at {stats.name}: {text.causes(stats.refused)}", "yellow")


def losses(snapshot: Snapshot) -> Iterator[RenderableType]:
    """Yield a line for every flow and operator that lost something."""
    for flow in snapshot.flows:
        if flow.lost:
            of = f" of {flow.sent:,}" if flow.sent else ""
            yield said(f"dropped {flow.name}: {text.causes(flow.dropped)}{of}", "yellow")
    for stats in snapshot.operators:
        if any(stats.dropped.values()):
            yield said(f"dropped before {stats.name}: {text.causes(stats.dropped)}", "yellow")
