"""The columns of all tables of a run, from which reports, pages, comparisons and live views choose.

Heading, meaning and format of a statistic's column follow from its declaration
(`holoflow.stats.statistic`); other columns are computed from several statistics (`measures`). A
table chooses columns by name: the name of the statistic's field, followed by `.p99` and the like
for a histogram.
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
    """A column of a table with rows of type `R`."""

    name: str
    """Name by which tables choose it, and its key in JSON."""
    heading: str
    value: Callable[[R], Any]
    """Returns its value in a row, in the base unit; None if it was not measured."""
    write: Callable[[Any], str] = str
    help: str = ""
    words: bool = False
    """Whether it has words instead of numbers."""
    count: bool = False
    """Whether it is a count since the run began."""
    by: bool = False
    """Whether it is a count by cause."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """The meaning of each known cause."""
    width: int = 0
    """Least width of a terminal, in characters, at which it is shown, unless the table says
    otherwise."""

    def cell(self, row: R) -> str:
        """Return the text of its cell in `row`."""
        return self.write(self.value(row))


@dataclass(frozen=True)
class OperatorRow:
    """An operator in a table."""

    stats: OperatorStats
    """Its statistics in the time that the table covers."""
    span: Snapshot
    """The statistics of that time: the whole run, or its last seconds."""
    whole: OperatorStats
    """Its statistics since the run began."""
    inputs: tuple[FlowStats, ...] = ()
    """Flows to it, since the run began."""
    recent: tuple[FlowStats, ...] = ()
    """The same flows in the time that the table covers."""


@dataclass(frozen=True)
class FlowRow:
    """A flow in a table."""

    stats: FlowStats
    span: Snapshot

    @property
    def whole(self) -> FlowStats:
        """Its statistics since the run began, which tables of flows always show."""
        return self.stats


@dataclass(frozen=True)
class PathRow:
    """A path in a table."""

    stats: PathStats
    span: Snapshot
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits in seconds of the budget from its source to its sink, by statistic; empty without
    one."""
    worst: bool = False
    """Whether no other path has a longer p99."""

    @property
    def whole(self) -> PathStats:
        """Its statistics."""
        return self.stats

    @property
    def over(self) -> tuple[str, ...]:
        """The limits that it exceeds."""
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
    """Return what operators and flows have lost, by cause: every count declared as a loss."""
    total = Counter[str]()
    for stats in all_stats:
        for name, statistic in columns(type(stats)).items():
            count = getattr(stats, name)
            if statistic.loss:
                total.update(count if statistic.by else {statistic.column: count})
    return {cause: count for cause, count in total.items() if count}


def losing(row: OperatorRow) -> float:
    """Return how much an operator loses per second in the time that the table covers."""
    count = sum(lost(row.stats, *row.recent).values())
    return count / (measures.seconds_of(row.span, row.stats.fragment) or 1.0)


def queued(row: OperatorRow) -> tuple[int, int] | None:
    """Return how many messages wait at an operator and how many may wait; None without queues."""
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
    """Format values as `p99 50.0, max 80.0`: milliseconds by name."""
    shown = ", ".join(f"{name} {text.milliseconds(value)}" for name, value in values.items())
    return shown or text.NOT_MEASURED


_WRITE: Mapping[str, Callable[[Any], str]] = {
    "seconds": text.milliseconds, "ratio": text.percent, "bytes": text.size,
}  # fmt: skip
"""Format by unit; anything else is a count."""


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
        "Calls per second; for a source, frames.",
    ),
    Column(
        "rate_out", "out/s", lambda row: measures.rate_out(row.span, row.stats), text.number,
        "Messages sent per second.",
    ),
    Column(
        "rate_asked", "asked/s", lambda row: measures.asked(row.stats), text.number,
        "Frames per second that are requested of a source.",
    ),
    Column(
        "utilisation", "busy", lambda row: measures.utilisation(row.span, row.stats),
        text.percent, "Share of the time in which it worked.",
    ),
    Column(
        "queued", "queue", queued,
        lambda held: text.NOT_MEASURED if held is None else f"{held[0]:,}/{held[1]:,}",
        "Messages that wait at it, and how many may wait.",
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
    Column("tail", "tail", lambda row: _of_all(row, "tail"), text.milliseconds, "Max. minus p95."),
    Column(
        "flatness", "flatness", lambda row: _of_all(row, "flatness"), text.milliseconds,
        "p90 minus p10.",
    ),
    Column(
        "critical", "critical",
        lambda row: row.stats.critical / row.stats.frames if row.stats.frames else None,
        text.percent, "Share of frames for which this path was the last at every join.",
    ),
    Column("worst", "", lambda row: "▶" if row.worst else " ", words=True),
    Column("limits", "limit", attrgetter("limits"), _times, "Limits of the budget for this path."),
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
    """Return the declared counts of a table that are not among the `chosen` columns."""
    taken = {"lost", *chosen}
    return [column for name, column in columns.items() if column.count and name not in taken]


def by_cause(column: Column[R], rows: Sequence[R]) -> list[Column[R]]:
    """Return a column for each cause that occurs in `rows`, or `column` itself if none does."""
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
