"""The metrics of a run as Prometheus reads them, named by its conventions.

Units are seconds and bytes, shares are ratios from 0 to 1. Counters begin at 0 with the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from holoflow.core.errors import optional
from holoflow.stats.counters import CAUSES
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Snapshot

Kind: TypeAlias = Literal["info", "counter", "gauge", "histogram"]
Value: TypeAlias = "float | Histogram"
Row: TypeAlias = tuple[tuple[str, ...], Value]
"""The values of the labels, and the value."""


@dataclass(frozen=True)
class Metric:
    """A metric and all its values; those of equal labels belong together."""

    kind: Kind
    name: str
    """Without `holoflow_` before it and, of a counter, `_total` behind it."""
    said: str
    """What it means."""
    labels: tuple[str, ...]
    rows: Sequence[Row]


def metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield the metrics of `snapshot`."""
    run = (snapshot.app, snapshot.run), 1
    yield Metric("info", "run", "The run.", ("app", "run"), [run])
    yield from _measured((), [((), snapshot)], RUN)
    operators = [((stats.fragment, stats.name), stats) for stats in snapshot.operators]
    yield from _measured(("fragment", "operator"), operators, OPERATOR)
    sources = [(key, stats) for key, stats in operators if stats.source]
    yield from _measured(("fragment", "operator"), sources, SOURCE)
    flows = [((stats.source, stats.target), stats) for stats in snapshot.flows]
    yield from _measured(("source", "target"), flows, FLOW)
    paths = [
        ((stats.name, stats.steps[0].operator, stats.steps[-1].operator), stats)
        for stats in snapshot.paths
    ]
    yield from _measured(("path", "source", "sink"), paths, PATH)
    workers = [((stats.fragment, stats.name), stats) for stats in snapshot.workers]
    yield from _measured(("fragment", "worker"), workers, WORKER)
    processes = [((stats.name, stats.host), stats.machine) for stats in snapshot.fragments]
    yield from _measured(("fragment", "host"), processes, PROCESS)
    restarts: list[Row] = [((b.name, b.host), b.restarts) for b in snapshot.fragments]
    yield Metric(
        "counter", "process_restarts", "How often the fragment was started again.",
        ("fragment", "host"), restarts,
    )  # fmt: skip
    refused: list[Row] = [
        ((stats.name, stats.host, cause), count)
        for stats in snapshot.fragments
        for cause, count in stats.refused.items()
    ]
    yield Metric(
        "counter", "refused", "What strangers have sent to links of the fragment.",
        ("fragment", "host", "cause"), refused,
    )  # fmt: skip
    busy = [
        (key, stats.busy / snapshot.seconds)
        for key, stats in operators
        if snapshot.seconds and stats.frames is not None
    ]
    yield Metric(
        "gauge", "operator_utilisation_ratio", "Share of the run spent at work.",
        ("fragment", "operator"), busy,
    )  # fmt: skip
    budgets = [((stats.source, stats.target), stats) for stats in snapshot.budgets]
    yield from _measured(("source", "target"), budgets, BUDGET)


@dataclass(frozen=True)
class Measure:
    """Something that books say."""

    kind: Kind
    name: str
    of: Callable[[Any], Value | Mapping[str, Value] | None]
    """Takes the books. None: it is not known. A mapping: one value for each of `by`."""
    said: str
    by: str = ""
    """Label of what a mapping is by."""


def _measured(
    labels: tuple[str, ...],
    keyed: Iterable[tuple[tuple[str, ...], Any]],
    measures: Iterable[Measure],
) -> Iterator[Metric]:
    keyed = list(keyed)
    for measure in measures:
        rows: list[Row] = []
        for key, stats in keyed:
            value = measure.of(stats)
            if isinstance(value, Mapping):
                rows += [((*key, name), each) for name, each in value.items()]
            elif value is not None:
                rows.append((key, value))
        by = (measure.by,) if measure.by else ()
        yield Metric(measure.kind, measure.name, measure.said, (*labels, *by), rows)


_CAUSES = dict.fromkeys((cause for cause in CAUSES if cause != "device"), 0)
"""Shown also where nothing was dropped, so that the first drop is seen to be one."""

RUN = (
    Measure(
        "gauge", "run_age_seconds", lambda run: run.seconds,
        "Time since the sources began.",
    ),
)  # fmt: skip
OPERATOR = (
    Measure(
        "counter", "operator_frames", lambda stats: stats.frames,
        "Calls that ended; of a source, frames sent.",
    ),
    Measure("counter", "operator_sent", lambda stats: stats.sent, "Messages sent."),
    Measure(
        "counter", "operator_skipped", lambda stats: stats.skipped,
        "Calls that failed and were skipped.",
    ),
    Measure(
        "counter", "operator_busy_seconds",
        lambda stats: None if stats.frames is None else stats.busy,
        "Time at work.",
    ),
    Measure(
        "counter", "operator_held_seconds", lambda stats: stats.held,
        "Time in which its stage could not begin because a queue behind it was full.",
    ),
    Measure(
        "counter", "operator_waiting_seconds", lambda stats: asdict(stats.waiting),
        "Time that messages waited for a call, by reason.", by="reason",
    ),
    Measure(
        "gauge", "operator_cpu_ratio", lambda stats: stats.cpu,
        "Share of the working time that was spent on a CPU.",
    ),
    Measure(
        "histogram", "operator_working_seconds", lambda stats: stats.working,
        "Time that a frame was worked on.",
    ),
    Measure(
        "histogram", "operator_latency_seconds", lambda stats: stats.latency,
        "From a frame's capture to the end of the call.",
    ),
)  # fmt: skip
SOURCE = (
    Measure(
        "counter", "operator_paced_seconds", lambda stats: stats.paced,
        "Time in which a source held frames back until they were due.",
    ),
    Measure(
        "counter", "operator_dropped", lambda stats: {"device": 0, **stats.dropped},
        "Frames lost before they became messages, by cause.", by="cause",
    ),
)  # fmt: skip
FLOW = (
    Measure("counter", "flow_messages_sent", lambda stats: stats.sent, "Messages sent."),
    Measure(
        "counter", "flow_messages_delivered", lambda stats: stats.delivered,
        "Messages that were used.",
    ),
    Measure(
        "counter", "flow_messages_dropped", lambda stats: {**_CAUSES, **stats.dropped},
        "Messages that were dropped, by cause.", by="cause",
    ),
    Measure("gauge", "flow_queue_messages", lambda stats: stats.waiting, "Messages that wait now."),
    Measure(
        "gauge", "flow_queue_capacity_messages", lambda stats: stats.queue,
        "Messages that may wait.",
    ),
    Measure(
        "histogram", "flow_wait_seconds", lambda stats: stats.waits,
        "From the end of the call that made a message to its use.",
    ),
)  # fmt: skip
PATH = (
    Measure(
        "histogram", "path_latency_seconds", lambda stats: stats.end_to_end,
        "From the source to the end of the sink's call.",
    ),
    Measure(
        "counter", "path_seconds",
        lambda stats: {
            part: getattr(stats, part).total
            for part in ("working", "waiting", "link", "serialising")
        },
        "The latencies of all frames together, split up.", by="part",
    ),
    Measure(
        "counter", "path_critical_frames", lambda stats: stats.critical,
        "Frames whose latency this path has set.",
    ),
)  # fmt: skip
WORKER = (
    Measure(
        "counter", "worker_busy_seconds", lambda stats: stats.busy,
        "Time in which a worker ran a stage that had work.",
    ),
)  # fmt: skip
PROCESS = (
    Measure("counter", "process_cpu_seconds", lambda machine: machine.cpu, "CPU time spent."),
    Measure("gauge", "process_memory_bytes", lambda machine: machine.memory, "Memory in use."),
    Measure("gauge", "process_cores", lambda machine: machine.cores, "CPU cores it may use."),
    Measure(
        "gauge", "process_interpreter_lock_ratio", lambda machine: machine.gil,
        "Share of the time in which Python's interpreter lock had to be waited for.",
    ),
    Measure(
        "gauge", "process_crowded_ratio", lambda machine: machine.crowded,
        "Share of the time in which a thread that was ready had to wait for a core.",
    ),
)  # fmt: skip
BUDGET = (
    Measure("counter", "budget_judged", lambda stats: stats.judged, "Judgements."),
    Measure(
        "counter", "budget_missed", lambda stats: stats.missed,
        "Judgements that found a limit exceeded.",
    ),
    Measure(
        "counter", "budget_dropped_frames", lambda stats: stats.dropped,
        "Frames that were dropped because they were late.",
    ),
    Measure(
        "gauge", "budget_limit_seconds", lambda stats: stats.limits,
        "What a statistic may be at most.", by="statistic",
    ),
    Measure(
        "gauge", "budget_now_seconds", lambda stats: stats.now,
        "What a statistic is over the newest window.", by="statistic",
    ),
)  # fmt: skip


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
