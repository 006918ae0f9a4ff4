"""The metrics of a run for Prometheus, named by its conventions.

Units are seconds and bytes; shares are ratios from 0 to 1. Counters begin at 0 with the run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from holoflow.core.errors import optional
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    MachineStats,
    OperatorStats,
    PathStats,
    Snapshot,
    WorkerStats,
)
from holoflow.stats.statistic import statistics

Kind: TypeAlias = Literal["info", "counter", "gauge", "histogram"]
Value: TypeAlias = "float | Histogram"
Row: TypeAlias = tuple[tuple[str, ...], Value]
"""Values of the labels, and the value."""


@dataclass(frozen=True)
class Metric:
    """A metric and all its values; values with equal labels belong together."""

    kind: Kind
    name: str
    """Name without the prefix `holoflow_` and, for a counter, without the suffix `_total`."""
    said: str
    """What it means."""
    labels: tuple[str, ...]
    rows: Sequence[Row]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield every statistic of `snapshot` that is declared with a metric, and a few more."""
    run = (snapshot.app, snapshot.run), 1
    yield Metric("info", "run", "The run.", ("app", "run"), [run])
    yield from _declared(Snapshot, (), [((), snapshot)])
    operators = [((stats.fragment, stats.name), stats) for stats in snapshot.operators]
    yield from _declared(OperatorStats, ("fragment", "operator"), operators)
    busy: list[Row] = [
        (key, stats.busy / snapshot.seconds)
        for key, stats in operators
        if snapshot.seconds and stats.frames is not None
    ]
    yield Metric(
        "gauge", "operator_utilisation_ratio", "Share of the run spent at work.",
        ("fragment", "operator"), busy,
    )  # fmt: skip
    flows = [((stats.source, stats.target), stats) for stats in snapshot.flows]
    yield from _declared(FlowStats, ("source", "target"), flows)
    paths = [
        ((stats.name, stats.steps[0].operator, stats.steps[-1].operator), stats)
        for stats in snapshot.paths
    ]
    yield from _declared(PathStats, ("path", "source", "sink"), paths)
    parts: list[Row] = [
        ((*key, part), getattr(stats, part).total)
        for key, stats in paths
        for part in ("working", "waiting", "link", "serialising")
    ]
    yield Metric(
        "counter", "path_seconds", "The latencies of all frames together, split up.",
        ("path", "source", "sink", "part"), parts,
    )  # fmt: skip
    workers = [((stats.fragment, stats.name), stats) for stats in snapshot.workers]
    yield from _declared(WorkerStats, ("fragment", "worker"), workers)
    fragments = [((stats.name, stats.host), stats) for stats in snapshot.fragments]
    yield from _declared(FragmentStats, ("fragment", "host"), fragments)
    machines = [(key, stats.machine) for key, stats in fragments]
    yield from _declared(MachineStats, ("fragment", "host"), machines)
    budgets = [((stats.source, stats.target), stats) for stats in snapshot.budgets]
    yield from _declared(BudgetStats, ("source", "target"), budgets)


def _declared(
    cls: type[Any], labels: tuple[str, ...], keyed: Iterable[tuple[tuple[str, ...], Any]]
) -> Iterator[Metric]:
    """Yield the metrics that `cls` declares, with the values of objects given by their labels."""
    keyed = list(keyed)
    for field, statistic in statistics(cls).items():
        if not statistic.metric:
            continue
        rows: list[Row] = []
        for key, stats in keyed:
            value = getattr(stats, field)
            if statistic.sources and not stats.source:
                continue
            if value is None or (statistic.needs and getattr(stats, statistic.needs) is None):
                continue
            if statistic.by:
                by_key = value if isinstance(value, Mapping) else asdict(value)
                shown = {**dict.fromkeys(statistic.keys, 0), **by_key}
                rows += [((*key, name), each) for name, each in shown.items()]
            else:
                rows.append((key, value))
        unit = statistic.unit if statistic.unit in _BASE_UNITS else ""
        yield Metric(
            statistic.kind, "_".join(filter(None, (statistic.metric, unit))), statistic.help,
            (*labels, statistic.by) if statistic.by else labels, rows,
        )  # fmt: skip


_BASE_UNITS = ("seconds", "bytes", "ratio")
"""Units that are part of a metric's name."""

BUCKETS = (
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds in seconds; equal for all histograms and runs, so that they can be added."""

Family: TypeAlias = Any
"""A metric family of prometheus_client's."""


def to_text(snapshot: Snapshot) -> str:
    """Return the metrics of `snapshot` in Prometheus' text format.

    Raises:
        MissingExtraError: prometheus_client is not installed.
    """
    collector = Collector()
    collector.put(snapshot)
    text: bytes = optional("prometheus_client", "metrics").generate_latest(collector.registry)
    return text.decode()


class Collector:
    """Provides prometheus_client with the metrics of the newest snapshot, in any thread."""

    def __init__(self) -> None:
        """Provide nothing before the first `put`.

        Raises:
            MissingExtraError: prometheus_client is not installed.
        """
        self._core = optional("prometheus_client.core", "metrics")
        self.registry = self._core.CollectorRegistry()
        """Contains only these metrics."""
        self.registry.register(self)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._made: list[Family] | None = []
        self._most: dict[tuple[str, ...], float] = {}

    def put(self, snapshot: Snapshot) -> None:
        """Provide `snapshot` from now on; one of another run resets all counters."""
        with self._lock:
            if self._snapshot is not None and self._snapshot.run != snapshot.run:
                self._most.clear()
            self._snapshot = snapshot
            self._made = None

    def collect(self) -> Iterable[Family]:
        """Return the metrics of the newest snapshot."""
        with self._lock:
            if self._made is None and self._snapshot is not None:
                self._made = [self._family(metric) for metric in metrics(self._snapshot)]
            return self._made or []

    def _family(self, metric: Metric) -> Family:
        families = {
            "info": self._core.InfoMetricFamily,
            "counter": self._core.CounterMetricFamily,
            "gauge": self._core.GaugeMetricFamily,
            "histogram": self._core.HistogramMetricFamily,
        }
        unit = metric.name.rpartition("_")[2]
        made = families[metric.kind](f"holoflow_{metric.name}", metric.said, labels=metric.labels)
        made.unit = unit if unit in _BASE_UNITS else ""
        for key, value in _joined(metric).items():
            if isinstance(value, Histogram):
                made.add_metric(key, *self._buckets((metric.name, *key), value))
            elif metric.kind == "counter":
                made.add_metric(key, self._rising((metric.name, *key), value))
            elif metric.kind == "info":
                made.add_metric(key, {})
            else:
                made.add_metric(key, value)
        return made

    def _buckets(
        self, key: tuple[str, ...], times: Histogram
    ) -> tuple[list[tuple[str, float]], float]:
        """Return the number of values up to each bound, and the sum of all values."""
        counts = {str(bound): n for bound, n in zip(BUCKETS, times.below(BUCKETS), strict=True)}
        counts["+Inf"] = times.count
        buckets = [(bound, self._rising((*key, bound), n)) for bound, n in counts.items()]
        return buckets, self._rising((*key, "sum"), times.total)

    def _rising(self, key: tuple[str, ...], value: float) -> float:
        """Return `value`, or its previous value if rounding has made it smaller.

        To Prometheus, a falling counter is one that was reset.
        """
        self._most[key] = value = max(value, self._most.get(key, value))
        return value


def _joined(metric: Metric) -> dict[tuple[str, ...], float | Histogram]:
    """Return one value for all rows with equal labels, such as two budgets for one path.

    It is their sum; for a gauge, the last value.
    """
    found: dict[tuple[str, ...], float | Histogram] = {}
    for key, value in metric.rows:
        before = found.get(key)
        if before is None or metric.kind == "gauge":
            found[key] = value
        elif isinstance(before, Histogram) and isinstance(value, Histogram):
            found[key] = before = before.copy()
            before.merge(value)
        elif not isinstance(before, Histogram) and not isinstance(value, Histogram):
            found[key] = before + value
    return found
