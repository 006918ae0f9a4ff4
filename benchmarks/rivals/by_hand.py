"""The operators of an app called by hand, as a careful engineer would: in a loop, in a pool.

Both take an app with one source, whose inputs are joined by frame.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from holoflow.app.graph import App
from holoflow.core.message import Header, Stamped
from holoflow.core.operator import Operator, OperatorContext
from holoflow.core.passed_geometry import pass_geometry
from holoflow.engine.build import make_operator

Results = dict[tuple[str, str], Any]
"""What the operators have made of a frame, by operator and port."""


class Job:
    """The operators of an app, started, in an order in which each comes after what feeds it."""

    def __init__(self, app: App, output: Path, threads: int) -> None:
        """Make and start the operators; they write into the folder `output`.

        A call of a model may use `threads` threads; 0 for one for each core.
        """
        output.mkdir(parents=True, exist_ok=True)
        self.operators: dict[str, Operator] = {}
        for name, node in app.operators.items():
            self.operators[name] = operator = make_operator(node)
            operator.context = OperatorContext(name=name, output=output, web=False, threads=threads)
            pass_geometry(operator)
        self._feeds: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in app.operators}
        for flow in app.flows:
            source = (flow.source.operator, flow.source.port)
            self._feeds[flow.target.operator][flow.target.port] = source
        self.source = next(name for name, feeds in self._feeds.items() if not feeds)
        self.order: list[str] = []
        while len(self.order) < len(app.operators) - 1:
            ready = {self.source, *self.order}
            self.order += [
                name
                for name, feeds in self._feeds.items()
                if name not in ready and {operator for operator, _ in feeds.values()} <= ready
            ]
        for operator in self.operators.values():
            operator.start()

    def frames(self) -> Iterator[tuple[Header, Any]]:
        """Yield the source's frames."""
        frames = self.operators[self.source].frames()  # type: ignore[attr-defined]
        for number, frame in enumerate(frames):
            elapsed = number
            if isinstance(frame, Stamped):
                elapsed = frame.elapsed if frame.elapsed is not None else number
                frame = frame.payload
            yield Header(number, elapsed, self.source), frame

    def call(self, name: str, header: Header, results: Results) -> None:
        """Call an operator on what there is of a frame, and add what it makes of it."""
        operator = self.operators[name]
        ports = operator.ports()
        inputs = {port: results.get(source) for port, source in self._feeds[name].items()}
        if any(value is None for value in inputs.values()):
            return
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


def run_loop(app: App, output: Path, frames: int) -> tuple[float, list[float]]:
    """Call all operators on one frame after the other; return the seconds and the latencies."""
    job = Job(app, output, 0)
    latencies = []
    begin = time.perf_counter()
    started = begin
    for header, frame in islice(job.frames(), frames):
        results: Results = {
            (job.source, port): frame for port in job.operators[job.source].ports().outputs
        }
        for name in job.order:
            job.call(name, header, results)
        ended = time.perf_counter()
        latencies.append(ended - started)
        started = ended
    seconds = time.perf_counter() - begin
    job.stop()
    return seconds, latencies


def run_pool(
    app: App, output: Path, frames: int, *, ordered: frozenset[str], workers: int, flight: int
) -> tuple[float, list[float]]:
    """Call the operators on up to `flight` frames at once; the `ordered` ones frame by frame.

    The source and what is `ordered` (it keeps state between frames, or writes) run in the calling
    thread, the others in a pool of `workers`.
    """
    job = Job(app, output, 1)
    first = [name for name in job.order if name not in ordered]
    last = [name for name in job.order if name in ordered]
    latencies = []
    waiting: deque[tuple[float, Header, Future[Results]]] = deque()

    def work(header: Header, frame: Any) -> Results:
        ports = job.operators[job.source].ports().outputs
        results: Results = {(job.source, port): frame for port in ports}
        for name in first:
            job.call(name, header, results)
        return results

    def finish() -> None:
        started, header, future = waiting.popleft()
        results = future.result()
        for name in last:
            job.call(name, header, results)
        latencies.append(time.perf_counter() - started)

    begin = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        source = islice(job.frames(), frames)
        while True:
            started = time.perf_counter()
            try:
                header, frame = next(source)
            except StopIteration:
                break
            waiting.append((started, header, pool.submit(work, header, frame)))
            if len(waiting) >= flight:
                finish()
        while waiting:
            finish()
    seconds = time.perf_counter() - begin
    job.stop()
    return seconds, latencies
