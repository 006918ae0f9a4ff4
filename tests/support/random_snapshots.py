"""Snapshots of all kinds, also such as no run leaves, for tests of what shows them.

They are made from a seed: drawn field by field they would take hypothesis a second each.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    MachineStats,
    OperatorStats,
    PathStats,
    Sample,
    Snapshot,
    Step,
    Waiting,
    WorkerStats,
)

NAMES = (
    "camera", "detect", "a-rather-long-name-of-an-operator-that-does-not-fit", "<script>alert(1)",
    "</title>&amp;\"'", "bold[red]", "\x1b[2Jclear", "画像処理", "µ → ∑", "b",
)  # fmt: skip
PORTS = ("out", "image", "<b>", "boxes")
SECONDS = (0.0, 1e-9, 3.3e-6, 0.0021, 0.5, 10.0, 86_400.0 * 30)
STATISTICS = ("p99", "max", "mean", "p99.9", "p12.3")


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.choose = self.random.choice

    def few(self) -> int:
        return self.random.randrange(40)

    def count(self) -> int:
        return self.choose((0, 1, self.few(), self.random.randrange(10**9)))

    def seconds(self) -> float:
        return self.choose(SECONDS)

    def share(self) -> float | None:
        return self.choose((None, 0.0, self.random.random(), 1.0))

    def yes(self) -> bool:
        return self.random.random() < 0.5

    def some(self, make: Any, most: int = 4) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.random.randrange(most + 1)))

    def times(self) -> Histogram:
        """Make a histogram, often empty, of values of many magnitudes."""
        made = Histogram()
        values = self.some(lambda: self.choose((0.0, 1e-8, 2e-3, 2.1e-3, 0.4, 3600.0)))
        made.add(np.repeat(np.array(values), self.random.randrange(1, 60)))
        return made

    def causes(self) -> dict[str, int]:
        return {self.choose(("full", "late", "<i>")): self.few() for _ in range(self.few() % 3)}

    def name(self) -> str:
        return self.choose(NAMES)

    def end(self) -> str:
        return f"{self.name()}.{self.choose(PORTS)}"

    def step(self) -> Step:
        return Step(
            self.choose(("work", "work", "link", "serialise")), self.name(),
            self.choose((*PORTS, "")), self.seconds(), self.seconds(), self.yes(),
        )  # fmt: skip

    def operator(self) -> OperatorStats:
        return OperatorStats(
            self.name(), self.count(), self.count(), self.few(), self.seconds(), self.causes(),
            fragment=self.choose(("", "main", "edge")), stage=self.choose(("", "a+b", "c")),
            type=self.name(), source=self.yes(), live=self.yes(), heavy=self.yes(),
            batch=self.choose((1, 1, 4)), working=self.times(), waits=self.times(),
            waiting=Waiting(self.seconds(), self.seconds(), self.seconds(), self.seconds()),
            latency=self.times(), jitter=self.times(), held=self.seconds(), paced=self.seconds(),
            cpu=self.share(),
        )  # fmt: skip

    def flow(self) -> FlowStats:
        return FlowStats(
            self.end(), self.end(), self.count(), self.count(), self.causes(), self.few(),
            self.few(), self.choose(("block", "drop_oldest")), self.choose(("none", "zeromq")),
            self.yes(), self.yes(), self.times(), self.times(),
            self.choose((None, 0.0, 1234.5)),
        )  # fmt: skip

    def path(self) -> PathStats:
        return PathStats(
            self.some(self.step, 5), self.few(), self.times(), self.times(), self.times(),
            self.times(), self.times(), self.times(), self.yes(), self.seconds(),
        )  # fmt: skip

    def limits(self) -> dict[str, float]:
        return {self.choose(STATISTICS): self.seconds() for _ in range(self.few() % 3)}

    def budget(self) -> BudgetStats:
        return BudgetStats(
            self.name(), self.name(), self.limits(), "warn", self.seconds(), self.yes(),
            self.times(), self.limits(), self.few(), self.limits(), self.few(), self.few(),
            self.few(),
        )  # fmt: skip

    def fragment(self) -> FragmentStats:
        machine = MachineStats(self.few(), self.seconds(), self.count(), self.share(), self.share())
        return FragmentStats(
            self.choose(("main", "edge", "<u>")), self.few(), self.name(), self.name(),
            self.name(), self.few(), self.seconds(), machine, call=self.name(),
            call_for=self.seconds(), still=self.seconds(), awaits={self.name(): self.name()},
            held=self.yes(), over=self.yes(),
        )  # fmt: skip

    def worker(self) -> WorkerStats:
        return WorkerStats(self.choose(("main", "edge")), self.name(), self.seconds())

    def sample(self) -> Sample:
        flow = "camera.out -> detect.image"
        return Sample(
            self.seconds(), self.seconds(), {self.name(): self.few()}, {flow: self.seconds()},
            {flow: self.few()}, {self.name(): self.times()},
        )  # fmt: skip

    def snapshot(self) -> Snapshot:
        return Snapshot(
            self.name(), "a1b2", 1.79e9, self.seconds(), self.some(self.operator),
            self.some(self.flow), self.some(self.path), self.some(self.worker),
            self.some(self.fragment, 2), self.some(self.budget, 2), (), self.few(),
            self.choose(("", self.name())),
        )  # fmt: skip


seeds = st.integers(0, 2**32)
snapshots = seeds.map(lambda seed: _Maker(seed).snapshot())
histories = seeds.map(lambda seed: (maker := _Maker(seed)).some(maker.sample))
