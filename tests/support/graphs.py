"""Small operators and a short way to build apps of them by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from typing_extensions import NotRequired, TypedDict

from holoflow import Batching, Header, Latest, Operator, Stamped, param
from holoflow.app.graph import App, Endpoint, Flow, Fragment, Node, Scheduler
from holoflow.engine import RunOptions, RunResult, Stopper, execute
from holoflow.plan import plan
from holoflow.stats.snapshot import FlowStats, OperatorStats

# -- engines ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Engine:
    """An engine and, unless it is the inline one, a scheduler."""

    name: Any
    scheduler: Scheduler = field(default_factory=Scheduler)

    def __str__(self) -> str:
        if self.name == "inline":
            return "inline"
        kind = self.scheduler.kind if self.name == "holoscan" else self.name
        return f"{kind}{self.scheduler.workers}"


INLINE = Engine("inline")
GREEDY = Engine("holoscan", Scheduler("greedy", 1))
EVENT1 = Engine("holoscan", Scheduler("event", 1))
EVENT2 = Engine("holoscan", Scheduler("event", 2))
MULTITHREAD2 = Engine("holoscan", Scheduler("multithread", 2))
THREADS2 = Engine("threads", Scheduler("event", 2))
HOLOSCAN = (GREEDY, EVENT1, EVENT2, MULTITHREAD2)
SCHEDULED = (*HOLOSCAN, THREADS2)
PARALLEL = (EVENT2, MULTITHREAD2, THREADS2)

on_all = pytest.mark.parametrize("engine", [INLINE, *SCHEDULED], ids=str)
on_both = pytest.mark.parametrize("engine", [INLINE, EVENT2], ids=str)
on_holoscan = pytest.mark.parametrize("engine", HOLOSCAN, ids=str)
on_schedulers = pytest.mark.parametrize("engine", SCHEDULED, ids=str)
on_parallel = pytest.mark.parametrize("engine", PARALLEL, ids=str)

# -- operators -------------------------------------------------------------------------------


class Source(Operator):
    """Gives 0, 1, … `n` - 1; raises on `fail_at`."""

    n: int = param(10, doc="frames")
    fail_at: int = param(-1, doc="frame that raises")

    def frames(self) -> Iterator[Any]:
        for index in range(self.n):
            if index == self.fail_at:
                raise ValueError(f"bad {index}")
            yield index


class Endless(Operator):
    """Gives 0, 1, … for ever."""

    def frames(self) -> Iterator[Any]:
        index = 0
        while True:
            yield index
            index += 1


class Fallible(Operator):
    """A source whose iterator goes on after it has raised."""

    n: int = param(200, doc="calls")
    fail_at: int = param(100, doc="call that raises")

    def frames(self) -> Iterator[Any]:
        return _FallibleIterator(self.n, self.fail_at)


class _FallibleIterator:
    def __init__(self, n: int, fail_at: int) -> None:
        self.index, self.n, self.fail_at = -1, n, fail_at

    def __iter__(self) -> _FallibleIterator:
        return self

    def __next__(self) -> int:
        self.index += 1
        if self.index == self.n:
            raise StopIteration
        if self.index == self.fail_at:
            raise ValueError(f"bad {self.index}")
        return self.index


class Pass(Operator):
    """Gives what it gets; raises where that is `fail_at`."""

    fail_at: int = param(-1, doc="payload that raises")

    def process(self, x: Any) -> Any:
        if x == self.fail_at:
            raise ValueError(f"bad {x}")
        return x


class Add(Operator):
    """Adds; keeps its place in tuples."""

    amount: int = param(1, doc="summand")

    def process(self, x: Any) -> Any:
        return x + self.amount if isinstance(x, int) else (*x, self.amount)


class Keep(Operator):
    """Keeps every n-th frame of the source."""

    every: int = param(2, doc="n")

    def process(self, x: Any, header: Header) -> Any:
        return None if header.sequence % self.every else x


class Repeat(Operator):
    """Gives what it gets several times; raises before the last where that is `fail_at`."""

    times: int = param(2, doc="times")
    fail_at: int = param(-1, doc="payload that raises")

    def process(self, x: Any) -> Iterator[Any]:
        for index in range(self.times):
            if x == self.fail_at and index == self.times - 1:
                raise ValueError(f"bad {x}")
            yield x


class Halves(TypedDict):
    """What a `Split` gives."""

    low: NotRequired[Any]
    high: NotRequired[Any]


class Split(Operator):
    """Gives its input on both outputs."""

    def process(self, x: Any) -> Halves:
        return {"low": x, "high": ("high", x)}


class Route(Operator):
    """Gives even frames on one output, odd ones on the other."""

    def process(self, x: Any, header: Header) -> Halves:
        return {"high": x} if header.sequence % 2 else {"low": x}


class Join(Operator):
    """Joins two inputs in a tuple; raises where the first is `fail_at`."""

    fail_at: int = param(-1, doc="payload that raises")

    def process(self, a: Any, b: Any) -> Any:
        if a == self.fail_at:
            raise ValueError(f"bad {a}")
        return (a, b)


class JoinOptional(Operator):
    """Joins two inputs, the second of which may be missing."""

    def process(self, a: Any, b: Any = None) -> Any:
        return (a, b)


class Loop(Operator):
    """Adds what comes back."""

    def process(self, x: Any, back: Any = None) -> Any:
        return ("loop", x, None if back is None else back[1])


class WithLatest(Operator):
    """Joins its trigger with the newest of the other."""

    def process(self, x: Any, newest: Latest[Any]) -> Any:
        return (x, newest)


class Batch(Operator):
    """Gives what it gets, `size` at a time; raises where `fail_at` is among it."""

    size: int = param(4, doc="messages in a batch")
    wait: float = param(0.001, doc="seconds")
    fail_at: int = param(-1, doc="payload that raises")

    def batching(self) -> Batching:
        return Batching(self.size, self.wait)

    def process(self, x: Any) -> Any:
        raise AssertionError("is called in batches")

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        values = [item["x"] for item in batch]
        calls.setdefault(self.context.name, []).append(values)
        if self.fail_at in values:
            raise ValueError(f"bad {self.fail_at}")
        return values


@dataclass(frozen=True)
class Got:
    """A message as it came to a sink."""

    payload: Any
    sequence: int
    timestamp: int
    source: str
    metadata: Mapping[str, Any]


recorded: dict[str, list[Got]] = {}
"""What the sinks of the last run got."""
calls: dict[str, list[Any]] = {}
"""What operators of the last run noted down."""


class Sink(Operator):
    """Records what it gets; raises where that is `fail_at`."""

    fail_at: int = param(-1, doc="payload that raises")

    def start(self) -> None:
        recorded[self.context.name] = []

    def process(self, x: Any, header: Header) -> None:
        if x == self.fail_at:
            raise ValueError(f"bad {x}")
        recorded[self.context.name].append(
            Got(x, header.sequence, header.timestamp, header.source, dict(header.metadata))
        )


class Count(Operator):
    """Takes everything and keeps nothing."""

    def process(self, x: Any) -> None:
        del x


class Tick(Operator):
    """Gives frames at given times since the stream began."""

    n: int = param(5, doc="frames")
    period: int = param(10_000_000, doc="nanoseconds")
    wait: bool = param(False, doc="hold back")

    def frames(self) -> Iterator[Stamped[Any]]:
        for index in range(self.n):
            yield Stamped(index, elapsed=index * self.period, wait=self.wait)


class Gate(Operator):
    """Waits for its turn with every payload, so that a test sets the pace."""

    def process(self, x: Any) -> Any:
        gates[self.context.name].pass_through()
        return x


class Turnstile:
    """Lets calls through one at a time, or all."""

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        """Released whenever a call has come."""
        self._go = threading.Semaphore(0)
        self._open = False

    def pass_through(self) -> None:
        self.waiting.release()
        if not self._open:
            assert self._go.acquire(timeout=300)

    def step(self) -> None:
        """Let one call go."""
        self._go.release()

    def open(self) -> None:
        """Let all go."""
        self._open = True
        self._go.release(1000)


gates: dict[str, Turnstile] = {}

# -- apps ------------------------------------------------------------------------------------


def node(name: str, cls: type, parameters: Mapping[str, Any] | None = None, **fields: Any) -> Node:
    """Return an operator of an app."""
    return Node(name, cls.__name__, cls, parameters or {}, **fields)


def flow(source: str, target: str, **fields: Any) -> Flow:
    """Return a flow from `a` or `a.port` to `b` or `b.port`; the ports' names are out and x."""
    return Flow(_endpoint(source, "out"), _endpoint(target, "x"), **fields)


def _endpoint(text: str, port: str) -> Endpoint:
    operator, _, given = text.partition(".")
    return Endpoint(operator, given or port)


def app(nodes: Sequence[Node], flows: Sequence[Flow], **fields: Any) -> App:
    """Return an app."""
    fields.setdefault("fragments", {})
    if isinstance(fields["fragments"], (list, tuple)):
        fields["fragments"] = {f.name: f for f in fields["fragments"]}
    return App("app", None, {n.name: n for n in nodes}, tuple(flows), **fields)


def chain(*nodes: Node, **fields: Any) -> App:
    """Return an app of one chain."""
    flows = [flow(a.name, b.name) for a, b in pairwise(nodes)]
    return app(nodes, flows, **fields)


def fragment(name: str, *operators: str, **fields: Any) -> Fragment:
    """Return a fragment."""
    return Fragment(name, operators, **fields)


# -- runs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    result: RunResult
    sinks: Mapping[str, list[Got]]
    calls: Mapping[str, list[Any]]

    def payloads(self, sink: str = "sink") -> list[Any]:
        """Payloads that a sink got."""
        return [got.payload for got in self.sinks[sink]]

    def operator(self, name: str) -> OperatorStats:
        """Statistics of an operator."""
        return next(b for b in self.result.last.operators if b.name == name)

    def flow(self, source: str, target: str) -> FlowStats:
        """Statistics of a flow, named as in `flow`."""
        ends = str(_endpoint(source, "out")), str(_endpoint(target, "x"))
        return next(b for b in self.result.last.flows if (b.source, b.target) == ends)

    def flow_into(self, name: str) -> FlowStats:
        """Statistics of the first flow into an operator."""
        return next(b for b in self.result.last.flows if b.target.split(".")[0] == name)


def run(
    graph: App,
    engine: Engine = INLINE,
    *,
    lossless: bool = False,
    fuse: bool = True,
    stopper: Stopper | None = None,
    observe: Any = None,
    every: float = 0.5,
    **options: Any,
) -> Run:
    """Run an app, check that its counts add up and that it leaves no thread behind."""
    recorded.clear()
    calls.clear()
    graph = replace(graph, scheduler=replace(engine.scheduler, cores=graph.scheduler.cores))
    before = set(threading.enumerate())
    result = execute(
        plan(graph, fuse=fuse, lossless=lossless),
        RunOptions(engine=engine.name, lossless=lossless, **{"guarded": True, **options}),
        stopper=stopper,
        observe=observe,
        every=every,
    )
    assert result.engine == engine.name
    check_books(result)
    assert left_over(before) == []
    return Run(result, dict(recorded), dict(calls))


def left_over(before: set[threading.Thread]) -> list[str]:
    """Names of the threads that have come since."""
    # Threads of Holoscan's own that called Python show up as dummies while they end.
    return [
        thread.name
        for thread in threading.enumerate()
        if thread not in before and not isinstance(thread, threading._DummyThread)
    ]


def check_books(result: RunResult) -> None:
    """Check that every flow adds up and that nothing is left waiting."""
    for stats in result.last.flows:
        assert stats.waiting == 0, stats
        assert stats.sent == stats.delivered + stats.lost, stats
        assert min(stats.sent, stats.delivered, *stats.dropped.values(), 0) == 0, stats
