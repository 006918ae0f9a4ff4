"""The metrics of a run, named by Prometheus' conventions.

Units are seconds and bytes, shares are ratios from 0 to 1. Counters begin at 0 with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from holoflow.flow.books import Snapshot
from holoflow.flow.histogram import Histogram
from holoflow.flow.ledger import CAUSES

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
    operators = [((books.fragment, books.name), books) for books in snapshot.operators]
    yield from _measured(("fragment", "operator"), operators, OPERATOR)
    sources = [(key, books) for key, books in operators if books.source]
    yield from _measured(("fragment", "operator"), sources, SOURCE)
    flows = [((books.source, books.target), books) for books in snapshot.flows]
    yield from _measured(("source", "target"), flows, FLOW)
    paths = [
        ((books.name, books.steps[0].operator, books.steps[-1].operator), books)
        for books in snapshot.paths
    ]
    yield from _measured(("path", "source", "sink"), paths, PATH)
    workers = [((books.fragment, books.name), books) for books in snapshot.workers]
    yield from _measured(("fragment", "worker"), workers, WORKER)
    processes = [((books.name, books.host), books.machine) for books in snapshot.fragments]
    yield from _measured(("fragment", "host"), processes, PROCESS)
    restarts: list[Row] = [((b.name, b.host), b.restarts) for b in snapshot.fragments]
    yield Metric(
        "counter", "process_restarts", "How often the fragment was started again.",
        ("fragment", "host"), restarts,
    )  # fmt: skip
    refused: list[Row] = [
        ((books.name, books.host, cause), count)
        for books in snapshot.fragments
        for cause, count in books.refused.items()
    ]
    yield Metric(
        "counter", "refused", "What strangers have sent to links of the fragment.",
        ("fragment", "host", "cause"), refused,
    )  # fmt: skip
    busy = [
        (key, books.busy / snapshot.seconds)
        for key, books in operators
        if snapshot.seconds and books.frames is not None
    ]
    yield Metric(
        "gauge", "operator_utilisation_ratio", "Share of the run spent at work.",
        ("fragment", "operator"), busy,
    )  # fmt: skip
    budgets = [((books.source, books.target), books) for books in snapshot.budgets]
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
        for key, books in keyed:
            value = measure.of(books)
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
        "counter", "operator_frames", lambda books: books.frames,
        "Calls that ended; of a source, frames sent.",
    ),
    Measure("counter", "operator_sent", lambda books: books.sent, "Messages sent."),
    Measure(
        "counter", "operator_skipped", lambda books: books.skipped,
        "Calls that failed and were skipped.",
    ),
    Measure(
        "counter", "operator_busy_seconds",
        lambda books: None if books.frames is None else books.busy,
        "Time at work.",
    ),
    Measure(
        "counter", "operator_held_seconds", lambda books: books.held,
        "Time in which its stage could not begin because a queue behind it was full.",
    ),
    Measure(
        "counter", "operator_waiting_seconds", lambda books: asdict(books.waiting),
        "Time that messages waited for a call, by reason.", by="reason",
    ),
    Measure(
        "gauge", "operator_cpu_ratio", lambda books: books.cpu,
        "Share of the working time that was spent on a CPU.",
    ),
    Measure(
        "histogram", "operator_working_seconds", lambda books: books.working,
        "Time that a frame was worked on.",
    ),
    Measure(
        "histogram", "operator_latency_seconds", lambda books: books.latency,
        "From a frame's capture to the end of the call.",
    ),
)  # fmt: skip
SOURCE = (
    Measure(
        "counter", "operator_paced_seconds", lambda books: books.paced,
        "Time in which a source held frames back until they were due.",
    ),
    Measure(
        "counter", "operator_dropped", lambda books: {"device": 0, **books.dropped},
        "Frames lost before they became messages, by cause.", by="cause",
    ),
)  # fmt: skip
FLOW = (
    Measure("counter", "flow_messages_sent", lambda books: books.sent, "Messages sent."),
    Measure(
        "counter", "flow_messages_delivered", lambda books: books.delivered,
        "Messages that were used.",
    ),
    Measure(
        "counter", "flow_messages_dropped", lambda books: {**_CAUSES, **books.dropped},
        "Messages that were dropped, by cause.", by="cause",
    ),
    Measure("gauge", "flow_queue_messages", lambda books: books.waiting, "Messages that wait now."),
    Measure(
        "gauge", "flow_queue_capacity_messages", lambda books: books.queue,
        "Messages that may wait.",
    ),
    Measure(
        "histogram", "flow_wait_seconds", lambda books: books.waits,
        "From the end of the call that made a message to its use.",
    ),
)  # fmt: skip
PATH = (
    Measure(
        "histogram", "path_latency_seconds", lambda books: books.end_to_end,
        "From the source to the end of the sink's call.",
    ),
    Measure(
        "counter", "path_seconds",
        lambda books: {
            part: getattr(books, part).total
            for part in ("working", "waiting", "link", "serialising")
        },
        "The latencies of all frames together, split up.", by="part",
    ),
    Measure(
        "counter", "path_critical_frames", lambda books: books.critical,
        "Frames whose latency this path has set.",
    ),
)  # fmt: skip
WORKER = (
    Measure(
        "counter", "worker_busy_seconds", lambda books: books.busy,
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
    Measure("counter", "budget_judged", lambda books: books.judged, "Judgements."),
    Measure(
        "counter", "budget_missed", lambda books: books.missed,
        "Judgements that found a limit exceeded.",
    ),
    Measure(
        "counter", "budget_dropped_frames", lambda books: books.dropped,
        "Frames that were dropped because they were late.",
    ),
    Measure(
        "gauge", "budget_limit_seconds", lambda books: books.limits,
        "What a statistic may be at most.", by="statistic",
    ),
    Measure(
        "gauge", "budget_now_seconds", lambda books: books.now,
        "What a statistic is over the newest window.", by="statistic",
    ),
)  # fmt: skip
