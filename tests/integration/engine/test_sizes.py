"""What the statistics say of the size of messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from support.graphs import Count, Pass, chain, node, on_both, run

from holoflow import Operator, param


class Arrays(Operator):
    """Gives arrays of 1,000 bytes."""

    n: int = param(200, doc="frames")

    def frames(self) -> Iterator[Any]:
        for _ in range(self.n):
            yield np.zeros(1000, np.uint8)


@on_both
def test_size_is_that_of_the_arrays(engine):
    made = run(chain(node("source", Arrays), node("sink", Count, fuse=False)), engine)
    assert made.flow_into("sink").size == 1000


@on_both
def test_size_is_unknown_in_fused_flows_and_where_nothing_was_sent(engine):
    middle = node("middle", Pass)
    graph = chain(node("source", Arrays, {"n": 0}), middle, node("sink", Count, fuse=False))
    made = run(graph, engine)
    assert made.flow_into("middle").size is None
    assert made.flow_into("sink").size is None
