"""Metrics of a run as Prometheus reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, TypeAlias

from holoflow.extras import optional
from holoflow.flow.books import Snapshot
from holoflow.flow.export.metrics import Metric, metrics
from holoflow.flow.histogram import Histogram

BUCKETS = (
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds, in seconds; the same for all histograms and runs, so that they can be added."""

Family: TypeAlias = Any
"""A metric family of prometheus_client's."""


def to_text(snapshot: Snapshot) -> str:
    """Return the metrics of `snapshot` in Prometheus' text format; raises `MissingExtraError`."""
    collector = Collector()
    collector.put(snapshot)
    text: bytes = optional("prometheus_client", "metrics").generate_latest(collector.registry)
    return text.decode()


class Collector:
    """Gives prometheus_client the metrics of the newest snapshot; any thread may ask."""

    def __init__(self) -> None:
        """Begin with nothing; raises `MissingExtraError`."""
        self._core = optional("prometheus_client.core", "metrics")
        self.registry = self._core.CollectorRegistry()
        """Holds these metrics alone."""
        self.registry.register(self)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._made: list[Family] | None = []
        self._most: dict[tuple[str, ...], float] = {}

    def put(self, snapshot: Snapshot) -> None:
        """Show `snapshot` from now on. One of another run begins all counters anew."""
        with self._lock:
            if self._snapshot is not None and self._snapshot.run != snapshot.run:
                self._most.clear()
            self._snapshot = snapshot
            self._made = None

    def collect(self) -> Iterable[Family]:
        """Return what there is to show."""
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
        made.unit = unit if unit in ("seconds", "bytes", "ratio") else ""
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
        """Return the count at or below each bound, and the sum of all values."""
        counts = {str(bound): n for bound, n in zip(BUCKETS, times.below(BUCKETS), strict=True)}
        counts["+Inf"] = times.count
        buckets = [(bound, self._rising((*key, bound), n)) for bound, n in counts.items()]
        return buckets, self._rising((*key, "sum"), times.total)

    def _rising(self, key: tuple[str, ...], value: float) -> float:
        """Return `value`, or what it was where rounding has made it less.

        To Prometheus a counter that falls is one that began anew.
        """
        self._most[key] = value = max(value, self._most.get(key, value))
        return value


def _joined(metric: Metric) -> dict[tuple[str, ...], float | Histogram]:
    """Return one value for all rows of equal labels, such as two budgets of one way.

    It is their sum, of a gauge the last.
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
