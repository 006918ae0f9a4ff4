"""Inputs that take several flows as a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.graphs import (
    Add,
    Batching,
    Engine,
    Operator,
    Sink,
    Source,
    app,
    flow,
    node,
    on_all,
    on_both,
    param,
    run,
)  # fmt: skip

from holoflow.app import load
from holoflow.app.graph import Sync


class Gather(Operator):
    """Puts what comes in into a tuple, in batches if told so."""

    size: int = param(0, doc="messages in a batch; 0 for none")

    def batching(self) -> Batching | None:
        return Batching(self.size, 0.001) if self.size else None

    def process(self, parts: list[Any], tail: Any = None) -> Any:
        return (*parts, tail)

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        return [(*item["parts"], item.get("tail")) for item in batch]


def gathering(**fields: Any) -> Any:
    """The second of the list comes later than the first, and the tail in between."""
    return app(
        [
            node("source", Source), node("add", Add, {"amount": 10}, fuse=False),
            node("again", Add, {"amount": 10}, fuse=False), node("gather", Gather, **fields),
            node("sink", Sink),
        ],
        [
            flow("source", "add.x"), flow("add", "gather.tail"), flow("add", "again.x"),
            flow("source", "gather.parts:0"), flow("again", "gather.parts:1"),
            flow("gather", "sink.x"),
        ],
    )  # fmt: skip


@on_all
@pytest.mark.parametrize("size", [0, 3])
def test_a_list_has_the_order_of_the_app(engine: Engine, size: int) -> None:
    ran = run(gathering(parameters={"size": size}), engine)
    assert ran.payloads() == [(n, n + 20, n + 10) for n in range(10)]


@on_both
def test_one_of_a_list_may_lead(engine: Engine) -> None:
    ran = run(gathering(sync=Sync("parts:1", 0.0)), engine)
    assert ran.payloads() == [(n, n + 20, n + 10) for n in range(10)]


@on_both
def test_a_list_of_one(engine: Engine) -> None:
    nodes = [node("source", Source), node("gather", Gather), node("sink", Sink)]
    ran = run(app(nodes, [flow("source", "gather.parts:0"), flow("gather", "sink.x")]), engine)
    assert ran.payloads() == [(n, None) for n in range(10)]


def test_a_reusable_fragment_may_export_one(tmp_path: Any) -> None:
    (tmp_path / "wall.yaml").write_text(
        "fragment: wall\ninputs: {cameras: [tiles.images]}\n"
        "operators:\n  tiles: {type: visualize.mosaic}\n"
    )
    (tmp_path / "app.yaml").write_text(
        "app: x\noperators:\n  a: {type: capture.synthetic}\n  b: {type: capture.synthetic}\n"
        "  wall: {use: ./wall.yaml, inputs: {cameras: [a.image, {from: b.image, queue: 7}]}}\n"
    )
    flows = load(tmp_path / "app.yaml").flows
    ends = [(str(flow.source), str(flow.target), flow.queue) for flow in flows]
    assert ends == [
        ("a.image", "wall.tiles.images:0", None),
        ("b.image", "wall.tiles.images:1", 7),
    ]
