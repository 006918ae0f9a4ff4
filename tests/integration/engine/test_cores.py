"""Which CPU cores the workers run on."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import pytest
from support.graphs import (
    Engine,
    Operator,
    Scheduler,
    Source,
    calls,
    chain,
    node,
    on_schedulers,
    run,
)  # fmt: skip

from holoflow import HoloflowError

THERE = sorted(os.sched_getaffinity(0))


class Where(Operator):
    """Notes the cores that it may run on."""

    def process(self, x: Any) -> Any:
        calls.setdefault(self.context.name, []).append(os.sched_getaffinity(0))
        return x


@on_schedulers
@pytest.mark.parametrize("core", THERE[:2])
def test_pinned(engine: Engine, core: int) -> None:
    graph = chain(
        node("source", Source), node("a", Where), node("b", Where, fuse=False),
        scheduler=Scheduler(cores=(core,)),
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    assert ran.calls["a"] == ran.calls["b"] == [{core}] * 10
    # The threads of the caller are left alone.
    assert os.sched_getaffinity(0) == set(THERE)
    assert os.sched_getaffinity(threading.get_native_id()) == set(THERE)


@on_schedulers
def test_not_pinned(engine: Engine) -> None:
    ran = run(chain(node("source", Source), node("a", Where)), engine)
    assert ran.calls["a"] == [set(THERE)] * 10


@on_schedulers
def test_a_core_that_is_not_there(engine: Engine) -> None:
    """Nothing is started."""
    missing = max(THERE) + 1

    class Started(Operator):
        def start(self) -> None:
            calls["started"] = [True]

        def process(self, x: Any) -> None:
            pass

    graph = chain(
        node("source", Source), node("a", Started), scheduler=Scheduler(cores=(THERE[0], missing))
    )
    with pytest.raises(
        HoloflowError, match=f"core {missing} is not available; this process may use"
    ):
        run(graph, replace(engine))
    assert "started" not in calls
