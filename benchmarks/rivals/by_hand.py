"""The operators of an app called by hand, as a careful engineer would: in a loop, in a pool.

Both take an app whose inputs are joined by frame; of several sources, the n-th frames go together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from holoflow.app.graph import App
from holoflow.core.message import Header, Stamped
from holoflow.core.operator import Operator, OperatorContext
from holoflow.core.passed_geometry import pass_geometry
from holoflow.core.ports import base
from holoflow.engine.build import make_operator

SECOND = 1_000_000_000
Results = dict[tuple[str, str], Any]
"""What the operators have made of a frame, by operator and port."""


def started(app: App, output: Path, threads: int) -> dict[str, Operator]:
    """Make and start the operators of `app`; they write into the folder `output`.

    A call of a model may use `threads` threads; 0 for one for each core.
    """
    output.mkdir(parents=True, exist_ok=True)
    operators = {name: make_operator(node) for name, node in app.operators.items()}
    for name, operator in operators.items():
        operator.context = OperatorContext(name=name, output=output, web=False, threads=threads)
        pass_geometry(operator)
        operator.start()
    return operators


def when(item: Any, begin: int) -> tuple[Any, int]:
    """Return the payload of what a source has given, and when it was captured or is due (ns)."""
    if not isinstance(item, Stamped):
        return item, time.time_ns()
    if item.timestamp is not None:
        return item.payload, item.timestamp
    return item.payload, begin + (item.elapsed or 0)


class Job:
    """The operators of an app, started, in an order in which each comes after what feeds it."""

    def __init__(self, app: App, output: Path, threads: int) -> None:
        """Make and start the operators, as `started` does."""
        self.feeds: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in app.operators}
        for flow in app.flows:
            source = (flow.source.operator, flow.source.port)
            self.feeds[flow.target.operator][flow.target.port] = source
        self.sources = [name for name, feeds in self.feeds.items() if not feeds]
        self.order: list[str] = []
        while len(self.order) + len(self.sources) < len(app.operators):
            ready = {*self.sources, *self.order}
            self.order += [
                name
                for name, feeds in self.feeds.items()
                if name not in ready and {operator for operator, _ in feeds.values()} <= ready
            ]
        self.operators = started(app, output, threads)

    def frames(self) -> Iterator[tuple[Header, Results]]:
        """Yield the sources' frames, each when it is due."""
        begin = time.time_ns()
        ports = [next(iter(self.operators[name].ports().outputs)) for name in self.sources]
        streams = [self.operators[name].frames() for name in self.sources]  # type: ignore[attr-defined]
        for number, items in enumerate(zip(*streams, strict=False)):
            drawn = [when(item, begin) for item in items]
            captured = drawn[0][1]
            wait = captured - time.time_ns()
            if wait > 0:
                time.sleep(wait / SECOND)
            results = {
                (name, port): payload
                for name, port, (payload, _) in zip(self.sources, ports, drawn, strict=True)
            }
            yield Header(number, captured, self.sources[0]), results

    def line(self, names: Sequence[str]) -> list[Callable[[Any], Any]] | None:
        """Return what to call in turn where `names` are a line without headers; None otherwise."""
        before = self.sources[0]
        for name in names:
            ports = self.operators[name].ports()
            feeds = [operator for operator, _ in self.feeds[name].values()]
            if feeds != [before] or ports.header is not None or len(ports.outputs) > 1:
                return None
            before = name
        return [self.operators[name].process for name in names]  # type: ignore[attr-defined]

    def call(self, name: str, header: Header, results: Results) -> None:
        """Call an operator on what there is of a frame, and add what it makes of it."""
        operator = self.operators[name]
        ports = operator.ports()
        inputs: dict[str, Any] = {}
        for port, source in self.feeds[name].items():
            value = results.get(source)
            if value is None:
                return
            if port == base(port):
                inputs[port] = value
            else:
                inputs.setdefault(base(port), []).append(value)
        if ports.header is not None:
            inputs[ports.header] = header
        made = operator.process(**inputs)  # type: ignore[attr-defined]
        if isinstance(made, Stamped):
            header, made = replace(header, metadata=made.metadata or {}), made.payload
        if len(ports.outputs) == 1:
            made = {next(iter(ports.outputs)): made}
        results.update({(name, port): value for port, value in (made or {}).items()})

    def stop(self) -> None:
        """Stop the operators."""
        for operator in reversed(self.operators.values()):
            operator.stop()


def run_loop(app: App, output: Path, frames: int) -> None:
    """Call all operators on one frame after the other, for `frames` frames."""
    job = Job(app, output, 0)
    line = job.line(job.order)
    if line is not None and not _is_stamped(job):
        source = job.operators[job.sources[0]]
        for value in islice(source.frames(), frames):  # type: ignore[attr-defined]
            for process in line:
                value = process(value)
    else:
        for header, results in islice(job.frames(), frames):
            for name in job.order:
                job.call(name, header, results)
    job.stop()


def _is_stamped(job: Job) -> bool:
    return any(job.operators[name].ports().stamped for name in job.sources)


def run_pool(app: App, output: Path, frames: int, *, workers: int) -> None:
    """Call the operators that keep no state on up to `workers` + 1 frames at once.

    A thread draws frames and hands them to the pool, as long as not too many are under way; another
    takes them from there in their order and calls, on one after the other, all operators that keep
    state, and what is behind these.
    """
    job = Job(app, output, 1)
    first: list[str] = []
    for name in job.order:
        feeds = {operator for operator, _ in job.feeds[name].values()}
        if feeds <= {*job.sources, *first} and job.operators[name].stateless:
            first.append(name)
    last = [name for name in job.order if name not in first]
    waiting: SimpleQueue[tuple[Header, Future[Results]] | None] = SimpleQueue()
    room = Semaphore(workers + 1)

    def work(header: Header, results: Results) -> Results:
        for name in first:
            job.call(name, header, results)
        return results

    def finish() -> None:
        while (item := waiting.get()) is not None:
            header, future = item
            results = future.result()
            for name in last:
                job.call(name, header, results)
            room.release()

    finisher = Thread(target=finish)
    finisher.start()
    with ThreadPoolExecutor(workers) as pool:
        room.acquire()
        for header, results in islice(job.frames(), frames):
            waiting.put((header, pool.submit(work, header, results)))
            room.acquire()
        waiting.put(None)
        finisher.join()
    job.stop()
