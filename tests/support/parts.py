"""Apps in parts that run beside one another in one process, joined by links of memory."""

from __future__ import annotations

import threading
from typing import Any

from holoflow.engine import RunOptions, execute
from holoflow.engine.control import RunResult
from holoflow.link.links import Links
from holoflow.plan import plan
from holoflow.plan.plan import part
from holoflow.stats.counters import SENT, Counters, delivered, dropped, lost, waiting
from support.graphs import App, Got, calls, recorded
from support.loopback import Loopback


class Parts:
    """A run of all fragments of an app, each in a thread of its own."""

    def __init__(self, graph: App, *, lossless: bool = False, **returns: Any) -> None:
        recorded.clear()
        calls.clear()
        self.plan = plan(graph, lossless=lossless)
        self.counters = Counters.of(self.plan)
        self.loopback = Loopback()
        self.results: dict[str, RunResult] = {}
        self._lossless = lossless
        self._returns = returns

    def run(self) -> Parts:
        for thread in self.start(*self.plan.app.fragments).values():
            thread.join()
        return self

    def start(self, *names: str) -> dict[str, threading.Thread]:
        self._ready = threading.Barrier(len(names))
        threads = {n: threading.Thread(target=self._run, args=(n,), daemon=True) for n in names}
        for thread in threads.values():
            thread.start()
        return threads

    def _run(self, fragment: str) -> None:
        transports: Any = {"shared_memory": self.loopback, "zeromq": self.loopback}
        self.results[fragment] = execute(
            part(self.plan, fragment),
            RunOptions(
                engine="inline",
                lossless=self._lossless,
                run="x",
                returns=self._returns.get(fragment, "never"),
            ),
            links=Links(self.plan, self.counters, transports),
            ready=lambda: self._ready.wait() >= 0,
        )

    @property
    def sinks(self) -> dict[str, list[Got]]:
        return dict(recorded)

    def stats(self, source: str, target: str) -> tuple[int, int, dict[str, int]]:
        for planned, block in zip(self.plan.flows, self.counters.blocks, strict=True):
            ends = planned.source.operator, planned.target.operator
            if ends == (source, target):
                return block[SENT], delivered(block), dropped(block)
        raise KeyError(source, target)


def check(parts: Parts) -> None:
    for planned, block in zip(parts.plan.flows, parts.counters.blocks, strict=True):
        if not planned.fused:
            assert block[SENT] == delivered(block) + lost(block) + waiting(block)
