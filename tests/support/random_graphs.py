"""Random apps whose results hang on nothing but their sources, `repeatable` ones at that.

Joins by arrival order only where streams stay in step or come from sources that meet nowhere
else, joins by time only there, and of sources with times of their own: everywhere else a graph
may rightly stall, or give something else each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from holoflow.app.graph import App, Flow, Node, Sync
from support.graphs import (
    Add,
    Batch,
    Got,
    Join,
    JoinOptional,
    Keep,
    Loop,
    Pass,
    Repeat,
    Route,
    Sink,
    Source,
    Split,
    Tick,
    app,
    flow,
    node,
)  # fmt: skip


@dataclass
class _Stream:
    """An output, what decides which frames it carries, and the sources it comes from."""

    output: str
    key: Any
    component: int
    timed: bool
    """Whether its frames have times of their sources' own."""


@dataclass
class _Builder:
    draw: Any
    nodes: list[Node] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    streams: list[_Stream] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def add(self, cls: type, parameters: Any = None, **fields: Any) -> str:
        name = f"n{len(self.nodes)}"
        fuse = self.draw(st.sampled_from([None, None, False]))
        self.nodes.append(node(name, cls, parameters, fuse=fuse, **fields))
        return name

    def connect(self, source: str, target: str, **fields: Any) -> None:
        queue = self.draw(st.sampled_from([None, None, None, 1, 2, 3, 4]))
        self.flows.append(flow(source, target, queue=queue, **fields))
        self.used.add(source)

    def source(self, component: int) -> None:
        n = self.draw(st.integers(0, 12))
        timed = self.draw(st.booleans())
        if timed:
            period = self.draw(st.integers(1, 3))
            name = self.add(Tick, {"n": n, "period": period})
        else:
            name = self.add(Source, {"n": n})
        self.streams.append(_Stream(name, name, component, timed))

    def single(self, cls: type, parameters: Any, key: Any) -> None:
        came = self.draw(st.sampled_from(self.streams))
        name = self.add(cls, parameters)
        self.connect(came.output, name)
        self.streams.append(_Stream(name, key(came.key), came.component, came.timed))

    def split(self, cls: type) -> None:
        came = self.draw(st.sampled_from(self.streams))
        name = self.add(cls)
        self.connect(came.output, name)
        for port in ("low", "high"):
            key = came.key if cls is Split else (came.key, name, port)
            self.streams.append(_Stream(f"{name}.{port}", key, came.component, came.timed))

    def in_step(self) -> None:
        """Join two streams that carry the same frames, or the same one with itself."""
        a = self.draw(st.sampled_from(self.streams))
        b = self.draw(st.sampled_from([s for s in self.streams if s.key == a.key]))
        name = self.add(Join)
        self.connect(a.output, f"{name}.a")
        self.connect(b.output, f"{name}.b")
        self.streams.append(_Stream(name, a.key, a.component, a.timed))

    def apart(self) -> None:
        """Join streams of sources that have not met."""
        a = self.draw(st.sampled_from(self.streams))
        others = [s for s in self.streams if s.component != a.component]
        if not others:
            return
        b = self.draw(st.sampled_from(others))
        kinds = ["arrival", "optional", *(["sync"] if a.timed and b.timed else [])]
        kind = self.draw(st.sampled_from(kinds))
        leader = self.draw(st.sampled_from("ab")) if kind == "sync" else "a"
        tolerance = self.draw(st.integers(0, 4)) * 1e-9
        sync = None if kind == "arrival" else Sync(leader, tolerance)
        name = self.add(JoinOptional if kind == "optional" else Join, sync=sync)
        self.connect(a.output, f"{name}.a")
        self.connect(b.output, f"{name}.b")
        met = b.component
        for stream in self.streams:
            if stream.component == met:
                stream.component = a.component
        self.streams.append(_Stream(name, name, a.component, a.timed))

    def circle(self) -> None:
        came = self.draw(st.sampled_from(self.streams))
        name, back = self.add(Loop), self.add(Pass)
        self.connect(came.output, name)
        self.connect(name, back)
        self.connect(back, f"{name}.back", back_edge=True)
        self.streams += [
            _Stream(name, came.key, came.component, came.timed),
            _Stream(back, came.key, came.component, came.timed),
        ]


@st.composite
def random_graphs(draw: Any) -> App:
    """Draw an app; every output that nobody else takes ends in a sink, some others do too."""
    builder = _Builder(draw)
    for component in range(draw(st.integers(1, 3))):
        builder.source(component)
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(
            st.sampled_from(
                ["pass", "add", "keep", "repeat", "batch", "split", "route", "in_step", "apart",
                 "apart", "circle"]
            )
        )  # fmt: skip
        number = draw(st.integers(1, 3))
        if kind == "pass":
            builder.single(Pass, {}, lambda key: key)
        elif kind == "add":
            builder.single(Add, {"amount": number}, lambda key: key)
        elif kind == "keep":
            builder.single(Keep, {"every": number}, lambda key, n=number: (key, "keep", n))
        elif kind == "repeat":
            builder.single(Repeat, {"times": number - 1}, lambda key, n=number: (key, "repeat", n))
        elif kind == "batch":
            wait = draw(st.sampled_from([0.0, 0.0005]))
            builder.single(Batch, {"size": number, "wait": wait}, lambda key: key)
        elif kind in ("split", "route"):
            builder.split(Split if kind == "split" else Route)
        else:
            getattr(builder, kind)()
    outputs = list(dict.fromkeys(stream.output for stream in builder.streams))
    for output in outputs:
        if output not in builder.used or draw(st.integers(0, 4)) == 0:
            sink = builder.add(Sink)
            builder.connect(output, sink)
    return app(builder.nodes, builder.flows, queue=draw(st.sampled_from([1, 2, 3])))


def repeatable(graph: App, sinks: Mapping[str, Sequence[Got]]) -> dict[str, list[Got]]:
    """Return what sinks got, without the times at which sources gave frames that have none."""
    untimed = {node.name for node in graph.operators.values() if node.cls is Source}
    return {
        sink: [replace(got, timestamp=0) if got.source in untimed else got for got in all_got]
        for sink, all_got in sinks.items()
    }


def outline(graph: App) -> str:
    """Return the graph as text, for who has to find out why it fails."""
    return "\n".join(
        [
            *(f"{n.name}: {n.type_name} {n.parameters} fuse={n.fuse} sync={n.sync}"
              for n in graph.operators.values()),
            *(f"{f.source} -> {f.target} {f.queue} {f.when_full}" for f in graph.flows),
            f"queue={graph.queue}",
        ]
    )  # fmt: skip
