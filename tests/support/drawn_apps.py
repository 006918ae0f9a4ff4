"""Apps drawn by a seed, and what they must give, by a model that knows no queues and no threads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from holoflow import Header, Operator, Stamped, param
from holoflow.app.graph import App, Flow, Node, Sync
from holoflow.core.errors import Location
from holoflow.operators.flow.merge import MergeOp
from holoflow.operators.flow.share import ShareOp
from support.graphs import Sink, app, flow, fragment, node

Value = tuple[Any, ...]
Message = tuple[int, Value]
"""Sequence number and payload."""

PERIOD = 10_000_000


class Emit(Operator):
    """Gives (0,), (1,), …, one every so many periods."""

    n: int = param(10, doc="frames")
    every: int = param(1, doc="periods")

    def frames(self) -> Iterator[Stamped[tuple[Any, ...]]]:
        for index in range(self.n):
            yield Stamped((index,), elapsed=index * self.every * PERIOD)


class Sift(Operator):
    """Sends nothing for some frames."""

    drops: list[int] = param(doc="their numbers")

    def process(self, x: Any, header: Header) -> tuple[Any, ...] | None:
        return None if header.sequence in self.drops else (*x, "s")


class Burst(Operator):
    """Sends several messages for one, or none."""

    counts: list[int] = param(doc="how many, for frame after frame, again and again")

    def process(self, x: Any, header: Header) -> Iterator[tuple[Any, ...]]:
        for j in range(self.counts[header.sequence % len(self.counts)]):
            yield (*x, j)


class Falter(Operator):
    """Fails on some frames."""

    fails: list[int] = param(doc="their numbers")

    def process(self, x: Any, header: Header) -> tuple[Any, ...]:
        if header.sequence in self.fails:
            raise ValueError("no good")
        return (*x, "f")


class Pair(Operator):
    """Joins two."""

    def process(self, a: Any, b: Any) -> tuple[Any, ...]:
        return (a, b)


class PairMaybe(Operator):
    """Joins two, of which one may be missing."""

    def process(self, a: Any, b: Any = None) -> tuple[Any, ...]:
        return (a, b)


@dataclass
class Stream:
    """What an operator sends, as the model knows it."""

    name: str
    origin: str
    messages: list[Message]
    every: int
    """Periods between two frames of its origin."""
    single: bool = True
    """At most one message a frame."""
    uneven: bool = False
    """Not one message for each frame, and the types or policies tell so."""


@dataclass
class Drawn:
    """An app and what it must give."""

    seed: int
    graph: App
    sinks: dict[str, list[Message]]
    mixed: dict[str, list[list[Value]]]
    """Sinks behind a merge of several sources, and what comes to each of its inputs: in which
    order it takes them is not known."""
    stops: dict[str, int]
    """The first frame on which an operator that stops the run fails; any of them may be first."""
    uneven: bool
    """Whether joins in order of arrival that nothing was said of must be refused."""

    def __str__(self) -> str:
        lines = [f"seed {self.seed}"]
        for made in self.graph.operators.values():
            what = f"{made.name}: {made.type_name} {dict(made.parameters)} {made.on_error}"
            lines.append(f"  {what} sync={made.sync}")
        lines += [f"  {f.source} -> {f.target} queue={f.queue}" for f in self.graph.flows]
        lines += [f"  {f.name}: {f.operators}" for f in self.graph.fragments.values()]
        return "\n".join(lines)


def drawn(seed: int) -> Drawn:
    """Draw an app."""
    return _Builder(random.Random(seed), seed).build()


def by_frame(a: list[Message], b: list[Message], *, optional: bool) -> list[Message]:
    """Join the j-th of each frame; one that has fewer serves its last again."""
    joined: list[Message] = []
    of_b: dict[int, list[Value]] = {}
    of_a: dict[int, list[Value]] = {}
    for messages, found in ((a, of_a), (b, of_b)):
        for frame, value in messages:
            found.setdefault(frame, []).append(value)
    for frame, ours in of_a.items():
        theirs: list[Any] = of_b.get(frame, [None] if optional else [])
        for j in range(max(len(ours), len(theirs)) if theirs else 0):
            pair = ours[min(j, len(ours) - 1)], theirs[min(j, len(theirs) - 1)]
            joined.append((frame, pair))
    return joined


def by_time(a: Stream, b: Stream, tolerance: int, *, optional: bool) -> list[Message]:
    """Join to each of `a` the nearest of `b`, of two as near the earlier."""
    joined: list[Message] = []
    for frame, value in a.messages:
        time = frame * a.every
        best = min(
            {i for i, _ in b.messages}, key=lambda i: (abs(i * b.every - time), i), default=None
        )
        if best is not None and abs(best * b.every - time) <= tolerance:
            # Of several of one time, the last that came before, else the first.
            of_that_time = [w for i, w in b.messages if i == best]
            partner = of_that_time[-1 if best * b.every < time else 0]
            joined.append((frame, (value, partner)))
        elif optional:
            joined.append((frame, (value, None)))
    return joined


def merged(ways: list[list[Message]]) -> list[Message]:
    """Put messages in the order of their frames, those of one frame in that of their ways."""
    ordered = [(frame, way, value) for way, sent in enumerate(ways) for frame, value in sent]
    ordered.sort(key=lambda message: message[:2])
    return [(frame, value) for frame, _, value in ordered]


@dataclass
class _Builder:
    random: random.Random
    seed: int
    nodes: list[Node] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    stops: dict[str, int] = field(default_factory=dict)
    mixed: dict[str, list[list[Value]]] = field(default_factory=dict)
    uneven: bool = False
    crossed: bool = False

    def build(self) -> Drawn:
        for _ in range(self.random.choice([1, 1, 2])):
            self.source()
        for _ in range(self.random.randint(2, 7)):
            ways = [self.sift, self.burst, self.falter, self.join, self.join]
            self.random.choice([*ways, self.merge, self.deal, self.mix])()
        sinks = {}
        for stream in [s for s in self.streams if s.name not in self.used]:
            name = self.add(Sink)
            self.connect(stream, name, "x")
            sinks[name] = stream.messages
        fragments = []
        if self.random.random() < 0.5:
            names = [n.name for n in self.nodes]
            # Sources of one process have one clock; the model knows of no other.
            first = [n.name for n in self.nodes if n.cls is Emit or self.random.random() < 0.5]
            rest = [name for name in names if name not in first]
            if first and rest:
                fragments = [fragment("one", *first), fragment("two", *rest)]
        graph = app(self.nodes, self.flows, fragments=fragments)
        return Drawn(self.seed, graph, sinks, self.mixed, self.stops, self.uneven)

    def add(self, cls: type, parameters: Any = None, **fields: Any) -> str:
        name = f"n{len(self.nodes)}"
        fuse = self.random.choice([None, None, False])
        at = Location("app.yaml", len(self.nodes) + 1, 1)
        self.nodes.append(node(name, cls, parameters, fuse=fuse, location=at, **fields))
        return name

    def connect(self, stream: Stream, target: str, port: str, shortest: int = 1) -> None:
        queue = self.random.choice([None, None, *range(shortest, 4)])
        self.flows.append(flow(stream.name, f"{target}.{port}", queue=queue))
        self.used.add(stream.name)

    def numbers(self) -> list[int]:
        share = self.random.choice([0.1, 0.5, 0.9])
        return [i for i in range(30) if self.random.random() < share]

    def source(self) -> None:
        n, every = self.random.randint(0, 25), self.random.choice([1, 1, 2, 3])
        name = self.add(Emit, {"n": n, "every": every})
        self.streams.append(Stream(name, name, [(i, (i,)) for i in range(n)], every))

    def single(
        self, came: Stream | None, cls: type, parameters: Any, port: str = "x", **fields: Any
    ) -> tuple[Stream, Stream]:
        came = came or self.random.choice(self.streams)
        name = self.add(cls, parameters, **fields)
        self.connect(came, name, port)
        made = replace(came, name=name, messages=[])
        self.streams.append(made)
        return came, made

    def sift(self, came: Stream | None = None) -> Stream:
        drops = self.numbers()
        came, made = self.single(came, Sift, {"drops": drops})
        made.messages = [(i, (*v, "s")) for i, v in came.messages if i not in drops]
        made.uneven = True
        return made

    def burst(self, came: Stream | None = None) -> Stream:
        counts = [self.random.randint(0, 3) for _ in range(self.random.randint(1, 4))]
        came, made = self.single(came, Burst, {"counts": counts})
        made.messages = [
            (i, (*v, j)) for i, v in came.messages for j in range(counts[i % len(counts)])
        ]
        made.single, made.uneven = False, True
        return made

    def falter(self, came: Stream | None = None) -> Stream:
        fails = self.numbers()
        skip = self.random.random() < 0.8
        came, made = self.single(
            came, Falter, {"fails": fails}, on_error="skip" if skip else "stop"
        )
        made.messages = [(i, (*v, "f")) for i, v in came.messages if i not in fails]
        made.uneven |= skip
        failed = [i for i, _ in came.messages if i in fails]
        if failed and not skip:
            self.stops[made.name] = failed[0]
        return made

    def gather(self, ways: list[Stream]) -> str:
        name = self.add(MergeOp)
        for index, way in enumerate(ways):
            self.connect(way, name, f"messages:{index}")
        return name

    def in_order(self, ways: list[Stream]) -> None:
        messages = merged([way.messages for way in ways])
        made = replace(ways[0], name=self.gather(ways), messages=messages, single=False)
        made.uneven = True
        self.streams.append(made)

    def merge(self) -> None:
        first = self.random.choice(self.streams)
        same = [stream for stream in self.streams if stream.origin == first.origin]
        self.in_order([first, *self.random.choices(same, k=self.random.randint(1, 2))])

    def deal(self) -> None:
        """Deal frames out to operators that may lose some, and gather them."""
        dealt, of = self.random.choice(self.streams), self.random.randint(2, 3)
        ways = []
        for part in range(of):
            came, way = self.single(dealt, ShareOp, {"of": of, "part": part}, "message")
            way.messages = [(i, v) for i, v in came.messages if i % of == part]
            way.uneven = True
            if self.random.random() < 0.7:
                way = self.random.choice([self.sift, self.burst, self.falter])(way)
            ways.append(way)
        self.in_order(ways)

    def mix(self) -> None:
        a, b = self.random.choice(self.streams), self.random.choice(self.streams)
        if a.origin != b.origin:
            name = self.add(Sink)
            self.connect(Stream(self.gather([a, b]), "", [], 1), name, "x")
            self.mixed[name] = [[value for _, value in way.messages] for way in (a, b)]

    def join(self) -> None:
        a, b = self.random.choice(self.streams), self.random.choice(self.streams)
        same = a.origin == b.origin
        if not same and self.crossed:
            return  # two joins of two sources may rightly wait for each other
        self.crossed |= not same
        optional = self.random.random() < 0.4
        sync: Any = None
        if self.random.random() < (0.3 if same else 0.6):
            tolerance = self.random.choice([0, 1, 2, 4])
            sync = Sync("a", tolerance * PERIOD / 1e9)
            messages = by_time(a, b, tolerance, optional=optional)
        elif same:
            messages = by_frame(a.messages, b.messages, optional=optional)
        else:
            pairs = zip(a.messages, b.messages, strict=False)
            messages = [(i, (v, w)) for (i, v), (_, w) in pairs]
            uneven = a.uneven or b.uneven
            self.uneven |= uneven
            sync = "arrival" if uneven else None
        name = self.add(PairMaybe if optional else Pair, sync=sync)
        # A join by time has to see the second of two messages that have one time.
        shortest = 2 if isinstance(sync, Sync) and not (a.single and b.single) else 1
        self.connect(a, name, "a", shortest)
        self.connect(b, name, "b", shortest)
        single = a.single and b.single if same and sync is None else a.single
        uneven = a.uneven or b.uneven or sync is not None
        self.streams.append(Stream(name, a.origin, messages, a.every, single, uneven))
