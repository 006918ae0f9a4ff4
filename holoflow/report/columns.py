"""The columns of all tables of a run: reports, pages, comparisons and live views choose of them.

What a column of a statistic is called, means, and how it is written follow from the declaration of
that (`holoflow.stats.statistic`); the others are worked out from several (`measures`). A table
chooses by name: that of the statistic's field, with `.p99` and the like behind those that have
times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from holoflow.core import text
from holoflow.report import measures
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats, Snapshot
from holoflow.stats.statistic import Statistic, columns

R = TypeVar("R")


@dataclass(frozen=True)
class Column(Generic[R]):
    """A column of the rows `R`."""

    name: str
    """By which tables choose it; its key where JSON has it."""
    heading: str
    value: Callable[[R], Any]
    """Gives what it shows of a row in the base unit; None where that was not measured."""
    write: Callable[[Any], str] = str
    help: str = ""
    words: bool = False
    """Whether it holds words, and no numbers."""
    count: bool = False
    """Whether it counts something, since the run began."""
    by: bool = False
    """Whether it counts by cause."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """The meaning of each known cause."""
    width: int = 0
    """Columns that a terminal has at least where it is shown, if a table says nothing else."""

    def cell(self, row: R) -> str:
        """Return what it shows of `row`."""
        return self.write(self.value(row))


@dataclass(frozen=True)
class OperatorRow:
    """An operator in a table."""

    stats: OperatorStats
    """What it did in the time that the table is about."""
    span: Snapshot
    """That time: the whole run, or its last seconds."""
    whole: OperatorStats
    """What it has done since the run began."""
    inputs: tuple[FlowStats, ...] = ()
    """Flows to it, since the run began."""
    recent: tuple[FlowStats, ...] = ()
    """The same flows in the time that the table is about."""


@dataclass(frozen=True)
class FlowRow:
    """A flow in a table."""

    stats: FlowStats
    span: Snapshot

    @property
    def whole(self) -> FlowStats:
        """What it has carried since the run began: tables of flows are about the whole of it."""
        return self.stats


@dataclass(frozen=True)
class PathRow:
    """A path in a table."""

    stats: PathStats
    span: Snapshot
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the budget from its source to its sink (s), by statistic; empty without one."""
    worst: bool = False
    """Whether no other path's p99 is longer."""

    @property
    def whole(self) -> PathStats:
        """What went it."""
        return self.stats

    @property
    def over(self) -> tuple[str, ...]:
        """Which of its limits it exceeds."""
        times = self.stats.end_to_end
        return tuple(name for name, limit in self.limits.items() if times.statistic(name) > limit)


def operator_rows(now: Snapshot, recent: Snapshot | None = None) -> tuple[OperatorRow, ...]:
    """Return the rows of all operators; `recent` has the statistics of the last seconds."""
    span = recent or now
    return tuple(
        OperatorRow(stats, span, whole, _inputs(now, whole), _inputs(span, whole))
        for stats, whole in zip(span.operators, now.operators, strict=True)
    )


def _inputs(snapshot: Snapshot, stats: OperatorStats) -> tuple[FlowStats, ...]:
    return tuple(flow for flow in snapshot.flows if flow.consumer == stats.name)


def flow_rows(snapshot: Snapshot) -> tuple[FlowRow, ...]:
    """Return the rows of all flows."""
    return tuple(FlowRow(stats, snapshot) for stats in snapshot.flows)


def path_rows(snapshot: Snapshot) -> tuple[PathRow, ...]:
    """Return the rows of all paths, the one with the longest p99 first."""
    slowest = sorted(snapshot.paths, key=lambda stats: -stats.end_to_end.quantile(0.99))
    return tuple(
        PathRow(stats, snapshot, _limits(stats, snapshot), worst=not index)
        for index, stats in enumerate(slowest)
    )


def _limits(path: PathStats, snapshot: Snapshot) -> dict[str, float]:
    ends = path.steps[0].operator, path.steps[-1].operator
    limits: dict[str, float] = {}
    for budget in snapshot.budgets:
        if (budget.source, budget.target) == ends:
            limits.update(budget.limits)
    return limits


def lost(*all_stats: OperatorStats | FlowStats) -> dict[str, int]:
    """Return what operators and flows have lost, by cause: all that is declared as a loss."""
    total = Counter[str]()
    for stats in all_stats:
        for name, statistic in columns(type(stats)).items():
            count = getattr(stats, name)
            if statistic.loss:
                total.update(count if statistic.by else {statistic.column: count})
    return {cause: count for cause, count in total.items() if count}


def losing(row: OperatorRow) -> float:
    """Return how much is lost at an operator per second of the time that the table is about."""
    count = sum(lost(row.stats, *row.recent).values())
    return count / (measures.seconds_of(row.span, row.stats.fragment) or 1.0)


def queued(row: OperatorRow) -> tuple[int, int] | None:
    """Return how many messages wait at an operator, and how many may; None without queues."""
    room = sum(flow.queue for flow in row.inputs)
    return (sum(flow.waiting for flow in row.inputs), room) if room else None


def waits(row: OperatorRow) -> dict[str, float]:
    """Return the mean seconds of waiting before a call, by reason."""
    stats, calls = row.stats, max(row.stats.calls, 1)
    if stats.source:
        return {"room": stats.held / calls, "pace": stats.paced / calls}
    return {reason: seconds / calls for reason, seconds in vars(stats.waiting).items()}


def _causes(counts: Mapping[str, int]) -> str:
    return text.causes(counts) or "0"


def _times(values: Mapping[str, float]) -> str:
    """Return `p99 50.0, max 80.0`: milliseconds by name."""
    shown = ", ".join(f"{name} {text.milliseconds(value)}" for name, value in values.items())
    return shown or text.NOT_MEASURED


_WRITE: Mapping[str, Callable[[Any], str]] = {
    "seconds": text.milliseconds, "ratio": text.percent, "bytes": text.size,
}  # fmt: skip
"""By unit; all others are counts."""


def _declared(cls: type[Any]) -> Iterator[Column[Any]]:
    for name, statistic in columns(cls).items():
        if statistic.kind == "histogram":
            yield from (_time(name, shown, statistic) for shown in statistic.shown)  # fmt: skip
            continue
        counts = statistic.kind == "counter"
        write = _causes if statistic.by else _WRITE.get(statistic.unit, text.count)
        yield Column(
            name, statistic.column, attrgetter(f"{'whole' if counts else 'stats'}.{name}"), write,
            statistic.help, count=counts, by=bool(statistic.by), causes=statistic.keys,
            width=statistic.width,
        )  # fmt: skip


def _time(name: str, shown: str, statistic: Statistic) -> Column[Any]:
    def value(row: Any) -> float | None:
        times: Histogram = getattr(row.stats, name)
        return times.statistic(shown) if times.count else None

    only = len(statistic.shown) == 1
    heading = statistic.column if only else f"{statistic.column} {shown}"
    return Column(f"{name}.{shown}", heading, value, text.milliseconds, statistic.help)


def _named(*made: Column[Any], of: type[Any]) -> dict[str, Column[Any]]:
    """Return `made` and the declared columns by name."""
    return {column.name: column for column in (*_declared(of), *made)}


OPERATORS: Mapping[str, Column[OperatorRow]] = _named(
    Column("name", "operator", lambda row: row.stats.name, words=True),
    Column("type", "type", lambda row: row.stats.type, words=True),
    Column(
        "rate_in", "in/s", lambda row: measures.rate_in(row.span, row.stats), text.number,
        "Calls per second; of a source, frames.",
    ),
    Column(
        "rate_out", "out/s", lambda row: measures.rate_out(row.span, row.stats), text.number,
        "Messages sent per second.",
    ),
    Column(
        "rate_asked", "asked/s", lambda row: measures.asked(row.stats), text.number,
        "Frames per second that a source is asked for.",
    ),
    Column(
        "utilisation", "busy", lambda row: measures.utilisation(row.span, row.stats),
        text.percent, "Share of the time in which it worked.",
    ),
    Column(
        "queued", "queue", queued,
        lambda held: text.NOT_MEASURED if held is None else f"{held[0]:,}/{held[1]:,}",
        "Messages that wait at it, of those that may.",
    ),
    Column("waits", "waits", waits, _times, "Mean wait before a call, by reason."),
    Column(
        "lost", "dropped", lambda row: lost(row.whole, *row.inputs), _causes,
        "Lost at it and on the way to it, by cause.", count=True, by=True,
    ),
    of=OperatorStats,
)  # fmt: skip

FLOWS: Mapping[str, Column[FlowRow]] = _named(
    Column("name", "flow", lambda row: row.stats.name, words=True),
    Column(
        "share_lost", "lost", lambda row: measures.share_lost(row.stats), text.percent,
        "Share of its messages that were dropped.",
    ),
    Column(
        "mean_depth", "depth",
        lambda row: measures.mean_depth(row.span, row.stats),
        text.number, "Messages that waited on average.",
    ),
    Column(
        "queue", "queue", lambda row: row.stats.queue or None, text.count, "Messages that may wait."
    ),
    Column(
        "when_full", "when full",
        lambda row: row.stats.when_full if row.stats.queue else text.NOT_MEASURED, words=True,
    ),
    Column(
        "link", "link",
        lambda row: row.stats.link if row.stats.link != "none" else text.NOT_MEASURED, words=True,
    ),
    of=FlowStats,
)  # fmt: skip

# Tables of paths say `end to end` above them.
PATHS: Mapping[str, Column[PathRow]] = _named(
    Column("name", "path", lambda row: row.stats.name, words=True),
    Column("frames", "frames", lambda row: row.stats.frames, text.count),
    Column("rate", "out/s", lambda row: row.stats.frames / (row.span.seconds or 1.0), text.number),
    Column("tail", "tail", lambda row: _of_all(row, "tail"), text.milliseconds, "p95 to p100"),
    Column(
        "flatness", "flatness", lambda row: _of_all(row, "flatness"), text.milliseconds,
        "p10 to p90",
    ),
    Column(
        "critical", "critical",
        lambda row: row.stats.critical / row.stats.frames if row.stats.frames else None,
        text.percent, "Share of frames on which this way came last at every join.",
    ),
    Column("worst", "", lambda row: "▶" if row.worst else " ", words=True),
    Column("limits", "limit", attrgetter("limits"), _times, "Of the budget of its ends."),
    *(
        replace(column, heading=column.name.removeprefix("end_to_end."))
        for column in _declared(PathStats)
        if column.name.startswith("end_to_end.")
    ),
    of=PathStats,
)  # fmt: skip


def _of_all(row: PathRow, name: str) -> float | None:
    times = row.stats.end_to_end
    return getattr(times.statistics(), name) if times.count else None


def counts_besides(columns: Mapping[str, Column[R]], chosen: Iterable[str]) -> list[Column[R]]:
    """Return the declared counts that a table has besides the columns that were `chosen`."""
    taken = {"lost", *chosen}
    return [column for name, column in columns.items() if column.count and name not in taken]


def by_cause(column: Column[R], rows: Sequence[R]) -> list[Column[R]]:
    """Return a column for each cause that occurred in `rows`; `column` itself if it has none."""
    if not column.by:
        return [column]
    occurred = (cause for row in rows for cause, count in column.value(row).items() if count)
    return [
        replace(
            column, name=f"{column.name}.{cause}", heading=f"{column.heading}: {cause}",
            value=_of_cause(column, cause), write=text.count, by=False,
            help=column.causes.get(cause, column.help),
        )
        for cause in dict.fromkeys(occurred)
    ]  # fmt: skip


def _of_cause(column: Column[R], cause: str) -> Callable[[R], int]:
    return lambda row: column.value(row).get(cause, 0)
