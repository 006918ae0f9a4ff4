"""Comparison of two runs: what became slower or faster, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, TypeAlias, TypeVar

from holoflow.core.text import brief, duration, percent
from holoflow.report import measures
from holoflow.report.columns import lost
from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation
from holoflow.report.numbers import explained, spread
from holoflow.report.run_report import RunReport
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import FlowStats, OperatorStats, Snapshot
from holoflow.stats.statistic import statistics

ALIKE = 5
"""Successive frames that count as one value, as they are not independent."""
FEWEST = 30
"""Values that both runs must have."""
SAMPLES = 5
"""Samples of a rate that both runs must have."""
_CHANCE = 1.949
"""Of the Kolmogorov-Smirnov distance times √(n·m/(n+m)): by chance exceeded once in 1,000 cases."""
_SIGMA = 3.29
"""The same limit for a standard normal variable, two-sided."""


def distance(one: Histogram, other: Histogram) -> float:
    """Return the largest difference (0 to 1) between the shares of values below any bound.

    This is the Kolmogorov-Smirnov distance over the bins of the histograms; 0 if one is empty.
    """
    if not (one.count and other.count):
        return 0.0
    steps: dict[float, float] = {}
    for times, sign in ((one, 1.0), (other, -1.0)):
        for _, upper, count in times.bins():
            # Ends of bins are computed from their numbers, and therefore equal in both histograms.
            steps[upper] = steps.get(upper, 0.0) + sign * count / times.count
    most = below = 0.0
    for upper in sorted(steps):
        below += steps[upper]
        most = max(most, abs(below))
    return most


def differ(one: Histogram, other: Histogram) -> bool:
    """Whether two distributions are further apart than occurs by chance once in 1,000 cases."""
    n, m = one.count, other.count
    if min(n, m) < FEWEST:
        return False
    return distance(one, other) > _CHANCE * math.sqrt(ALIKE * (n + m) / (n * m))


def tails_differ(one: Histogram, other: Histogram, share: float) -> bool:
    """Whether the share of values of `other` beyond that quantile of `one` differs significantly.

    At least ten values of each must be expected beyond it.
    """
    n, m = one.count, other.count
    if min(n, m) * (1 - share) < 10:
        return False
    bound = one.quantile(share)
    beyond = [times.count - times.below([bound])[0] for times in (one, other)]
    return shares_differ(beyond[0], n, beyond[1], m)


def shares_differ(k: int, n: int, j: int, m: int) -> bool:
    """Whether k of n and j of m differ significantly: the test of two proportions."""
    if min(n, m) < FEWEST:
        return False
    both = (k + j) / (n + m)
    if not 0 < both < 1:
        return False
    return abs(k / n - j / m) > _SIGMA * math.sqrt(both * (1 - both) * ALIKE * (1 / n + 1 / m))


def means_differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the means of two sets of samples differ significantly."""
    if min(len(one), len(other)) < SAMPLES:
        return False
    mean, error = _mean_and_error(one)
    other_mean, other_error = _mean_and_error(other)
    return abs(mean - other_mean) > _SIGMA * math.sqrt(error + other_error)


def _mean_and_error(samples: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its squared standard error."""
    n = len(samples)
    mean = sum(samples) / n
    return mean, sum((value - mean) ** 2 for value in samples) / (n - 1) / n


T = TypeVar("T")

MIDDLE, TAIL, RATE = 0.05, 0.10, 0.05
"""Relative changes of the median, of p99 and of a rate that are reported."""
SLIGHT, PART = 1e-4, 0.01
"""Seconds, and share of the interval between frames, up to which a difference is ignored."""
RULE = (
    f"A time has changed if both runs have {FEWEST} frames or more, their distributions "
    "are further apart than occurs by chance once in 1,000 cases (Kolmogorov-Smirnov distance, "
    f"{ALIKE} frames counted as one), and the median differs by more than {percent(MIDDLE)}; its "
    f"tail, if p99 differs by more than {percent(TAIL)} and significantly more frames lie beyond "
    f"it; neither if the difference is {duration(SLIGHT)} or less, or {percent(PART)} of "
    "the interval between frames if they come so fast that this is less; a rate, if it "
    f"differs by more than {percent(RATE)} and more than it varied during the runs; drops, if "
    "their share differs significantly."
)
"""When a difference is reported as a change; printed with the comparison."""

Change: TypeAlias = Literal["slower", "faster", "slower tail", "faster tail", ""]
Kind: TypeAlias = Literal["path", "operator", "flow", "budget"]


@dataclass(frozen=True)
class TimeComparison:
    """One kind of time of a path, an operator or a flow, in both runs."""

    kind: Kind
    name: str
    what: str
    """`end to end`, `working`, `wait`."""
    a: Histogram
    b: Histogram
    change: Change
    """Of b compared with a; empty if there is no significant difference."""

    def ratio(self, statistic: str) -> float | None:
        """Return b's statistic divided by a's; None if one is empty or a's is 0."""
        if not (self.a.count and self.b.count):
            return None
        before = self.a.statistic(statistic)
        return self.b.statistic(statistic) / before if before > 0 else None


@dataclass(frozen=True)
class Rate:
    """The calls of an operator per second; None if they were not measured."""

    name: str
    a: float | None
    b: float | None
    changed: bool

    @property
    def ratio(self) -> float | None:
        """The rate of b divided by that of a."""
        return self.b / self.a if self.a and self.b is not None else None


@dataclass(frozen=True)
class Drops:
    """What was lost at an operator or on a flow, by cause."""

    kind: Kind
    name: str
    a: Mapping[str, int]
    b: Mapping[str, int]
    sent: tuple[int, int]
    """Of how many messages of the flow, or calls of the operator."""
    changed: bool


@dataclass(frozen=True)
class Comparison:
    """The differences between run b and run a."""

    a: RunReport
    b: RunReport
    times: tuple[TimeComparison, ...]
    rates: tuple[Rate, ...]
    drops: tuple[Drops, ...]
    """Of operators and flows that lost something in one of the runs."""
    added: tuple[tuple[Kind, str], ...]
    removed: tuple[tuple[Kind, str], ...]
    verdicts: tuple[Explanation, Explanation]

    @property
    def changes(self) -> tuple[str, ...]:
        """Everything that has changed significantly, a sentence each."""
        return tuple(_changes(self))


def compare(a: RunReport, b: RunReport) -> Comparison:
    """Compare run `b` with the earlier run `a`."""
    names_a, names_b = dict.fromkeys(_names(a.snapshot)), dict.fromkeys(_names(b.snapshot))
    return Comparison(
        a=a,
        b=b,
        times=tuple(_times(a.snapshot, b.snapshot)),
        rates=tuple(_rates(a, b)),
        drops=tuple(_drops(a.snapshot, b.snapshot)),
        added=tuple(item for item in names_b if item not in names_a),
        removed=tuple(item for item in names_a if item not in names_b),
        verdicts=(explain(a.snapshot), explain(b.snapshot)),
    )


def to_plain(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON-compatible values; times are in seconds."""
    a, b = comparison.a, comparison.b
    return {
        "rule": RULE,
        "runs": [
            {
                "app": report.app,
                "run": report.snapshot.run,
                "started": report.started,
                "outcome": report.outcome,
                "engine": report.engine,
                "seconds": report.snapshot.seconds,
                "frames": measures.source_frames(report.snapshot),
                "budgets": {
                    item.name: item.kept if item.judged else None
                    for item in report.snapshot.budgets
                },
                "explanation": explained(verdict),
            }
            for report, verdict in zip((a, b), comparison.verdicts, strict=True)
        ],
        "changes": list(comparison.changes),
        "times": [
            {
                "kind": item.kind,
                "name": item.name,
                "what": item.what,
                "a": spread(item.a),
                "b": spread(item.b),
                "ratio": {name: item.ratio(name) for name in ("mean", "p50", "p99", "max")},
                "change": item.change or None,
            }
            for item in comparison.times
        ],
        "rates": [
            {"name": r.name, "a": r.a, "b": r.b, "ratio": r.ratio, "changed": r.changed}
            for r in comparison.rates
        ],
        "drops": [
            {
                "kind": item.kind,
                "name": item.name,
                "a": dict(item.a),
                "b": dict(item.b),
                "sent": list(item.sent),
                "changed": item.changed,
            }
            for item in comparison.drops
        ],
        "added": [{"kind": kind, "name": name} for kind, name in comparison.added],
        "removed": [{"kind": kind, "name": name} for kind, name in comparison.removed],
    }


def _names(snapshot: Snapshot) -> Iterator[tuple[Kind, str]]:
    yield from (("path", stats.name) for stats in snapshot.paths)
    yield from (("operator", stats.name) for stats in snapshot.operators)
    yield from (("flow", stats.name) for stats in snapshot.flows)
    yield from (("budget", stats.name) for stats in snapshot.budgets)


def _both(a: Iterable[T], b: Sequence[T], name: Callable[[T], str]) -> Iterator[tuple[T, T]]:
    """Yield the pairs of what both runs have, in the order of the second."""
    before = {name(item): item for item in a}
    return ((before[name(item)], item) for item in b if name(item) in before)


def _times(a: Snapshot, b: Snapshot) -> Iterator[TimeComparison]:
    spans = a.seconds, b.seconds
    for kind, one, other in _pairs(a, b):
        for name, statistic in statistics(type(other)).items():
            if what := statistic.compared:
                yield _pair(kind, other.name, what, getattr(one, name), getattr(other, name), spans)


def _pairs(a: Snapshot, b: Snapshot) -> Iterator[tuple[Kind, Any, Any]]:
    """Yield the paths, operators and flows that both have."""
    groups: tuple[tuple[Kind, Sequence[Any], Sequence[Any]], ...] = (
        ("path", a.paths, b.paths),
        ("operator", a.operators, b.operators),
        ("flow", a.flows, b.flows),
    )
    for kind, before, after in groups:
        for one, other in _both(before, after, attrgetter("name")):
            yield kind, one, other


def _pair(
    kind: Kind, name: str, what: str, a: Histogram, b: Histogram, spans: tuple[float, float]
) -> TimeComparison:
    intervals = [s / times.count for s, times in zip(spans, (a, b), strict=True) if times.count]
    slight = min([SLIGHT, *(PART * interval for interval in intervals)])
    return TimeComparison(kind, name, what, a, b, _change(a, b, slight))


def _change(a: Histogram, b: Histogram, slight: float) -> Change:
    middle = _step(a, b, 0.5, MIDDLE, slight) if differ(a, b) else 0
    if middle:
        return "slower" if middle > 0 else "faster"
    tail = _step(a, b, 0.99, TAIL, slight)
    # Most values are in the run with the shorter tail.
    shorter, longer = (a, b) if tail > 0 else (b, a)
    if tail and tails_differ(shorter, longer, 0.99):
        return "slower tail" if tail > 0 else "faster tail"
    return ""


def _step(a: Histogram, b: Histogram, share: float, least: float, slight: float) -> int:
    """Return 1 if b's quantile is larger by more than `least` (a ratio), -1 if smaller, else 0.

    Differences of up to `slight` seconds are ignored.
    """
    before, now = a.quantile(share), b.quantile(share)
    if abs(now - before) <= slight:
        return 0
    return (now > before * (1 + least)) - (before > now * (1 + least))


def _rates(a: RunReport, b: RunReport) -> Iterator[Rate]:
    pairs = _both(a.snapshot.operators, b.snapshot.operators, lambda stats: stats.name)
    for one, other in pairs:
        before = measures.rate_in(a.snapshot, one)
        now = measures.rate_in(b.snapshot, other)
        changed = (
            before is not None
            and now is not None
            and max(before, now) > min(before, now) * (1 + RATE)
            and means_differ(_sampled(a, one.name), _sampled(b, other.name))
        )
        yield Rate(other.name, before, now, changed)


def _sampled(report: RunReport, operator: str) -> list[float]:
    """Return the sampled rates of an operator, without the first and last, incomplete samples."""
    return [s.frames.get(operator, 0) / s.span for s in report.history[1:-1] if s.span > 0]


def _drops(a: Snapshot, b: Snapshot) -> Iterator[Drops]:
    for kind, one, other in _pairs(a, b):
        if kind == "path":
            continue
        before, after = lost(one), lost(other)
        if before or after:
            of = _of(one, before), _of(other, after)
            changed = _lose_differently(before, of[0], after, of[1])
            yield Drops(kind, other.name, before, after, of, changed)


def _of(stats: FlowStats | OperatorStats, losses: Mapping[str, int]) -> int:
    """Return of how many messages or calls those in `losses` were lost."""
    return stats.sent if isinstance(stats, FlowStats) else stats.calls + sum(losses.values())


def _lose_differently(a: Mapping[str, int], sent_a: int, b: Mapping[str, int], sent_b: int) -> bool:
    k, j = (sum(losses.values()) for losses in (a, b))
    return shares_differ(min(max(k, 0), sent_a), sent_a, min(max(j, 0), sent_b), sent_b)


def _changes(comparison: Comparison) -> Iterator[str]:
    for item in comparison.times:
        if item.change:
            statistic = "p99" if item.change.endswith("tail") else "p50"
            ratio = item.ratio(statistic)
            by = f": {statistic} {_factor(ratio)}" if ratio is not None else ""
            yield f"{item.kind} {item.name}: {item.what} {item.change}{by}"
    for rate in comparison.rates:
        if rate.changed and rate.ratio is not None:
            more = "more" if rate.ratio > 1 else "fewer"
            yield f"operator {rate.name}: {more} frames per second: {_factor(rate.ratio)}"
    for drop in comparison.drops:
        if drop.changed:
            a, b = (
                sum(lost.values()) / sent
                for lost, sent in zip((drop.a, drop.b), drop.sent, strict=True)
            )
            more = "more" if b > a else "fewer"
            yield f"{drop.kind} {drop.name}: {more} dropped: {percent(a)} to {percent(b)}"
    for one, other in _both(
        comparison.a.snapshot.budgets, comparison.b.snapshot.budgets, lambda stats: stats.name
    ):
        if one.judged and other.judged and one.kept != other.kept:
            yield f"budget {other.name}: {'kept' if other.kept else 'missed'} now"
    yield from (f"{kind} {name}: added" for kind, name in comparison.added)
    yield from (f"{kind} {name}: removed" for kind, name in comparison.removed)


def _factor(ratio: float) -> str:
    """Format a ratio as `+12%`, `-30%` or `3.1-fold`."""
    if ratio >= 2:
        return f"{brief(ratio)}-fold"
    return f"{'+' if ratio > 1 else '-'}{percent(abs(ratio - 1))}"
