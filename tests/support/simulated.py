"""Models made by hand, whose answers are known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from holoflow.app.graph import Endpoint
from holoflow.plan.plan import PlannedFlow
from holoflow.predict.model import (
    FlowModel,
    LinkTimes,
    Model,
    ProcessModel,
    SourcePace,
    StageModel,
    Work,
)
from holoflow.stats.histogram import Histogram


def always(seconds: float) -> Histogram:
    """Return times that are all the same."""
    made = Histogram()
    made.add(np.full(100, seconds))
    return made


def exponential(mean: float, seed: int = 0) -> Histogram:
    """Return exponential times."""
    made = Histogram()
    made.add(np.random.default_rng(seed).exponential(mean, 100_000))
    return made


def stage(name: str, times: float | Histogram = 0.0, process: str = "p", **others: Any) -> Any:
    """Return a stage of one operator, which sleeps rather than works unless `cores` says so."""
    held = times if isinstance(times, Histogram) else always(times)
    work = Work(name, held, others.pop("cores", 0.0))
    return StageModel(name, process, (work,), **others)


def source(name: str = "source", rate: float | None = None, **others: Any) -> Any:
    """Return a source."""
    times = others.pop("times", 0.0)
    return stage(name, times, pace=SourcePace(rate, others.pop("live", False)), **others)


def flow(
    sender: str, receiver: str, port: str = "x", rate: float = 1.0,
    link_times: LinkTimes | None = None, **planned: Any,
) -> FlowModel:  # fmt: skip
    """Return a flow."""
    made = PlannedFlow(
        Endpoint(sender, "out"), Endpoint(receiver, port),
        **{
            "queue": 2, "when_full": "block", "fused": False, "latest": False,
            "back_edge": False, "link": "none", **planned,
        },
    )  # fmt: skip
    return FlowModel(made, sender, receiver, rate, link_times)


def line(*stages: Any, workers: int | None = None, flows: Any = None, **others: Any) -> Model:
    """Return a pipeline; all in one process, unless the stages say otherwise."""
    joined = [flow(a.name, b.name) for a, b in pairwise(stages)] if flows is None else flows
    names = list(dict.fromkeys(one.process for one in stages))
    processes = [
        ProcessModel(name, f"host-{name}", workers or len(stages), ("cores",)) for name in names
    ]
    pools = {"cores": others.pop("cores", 1000.0)}
    return Model(tuple(stages), tuple(joined), tuple(processes), pools, **others)
