"""The fast path: a stage whose operators are called one after the other, and its statistics.

Per frame, the loops do no more than plain calls with a time stamp after each; everything else is
counted once per burst.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from holoflow.engine.control import Control
from holoflow.engine.runner import OperatorRunner
from holoflow.stats.budget import BudgetMeter
from holoflow.stats.operator_stats import OperatorMeter
from holoflow.stats.path_stats import PathMeter

MOST_BURSTS = 8
"""Bursts after which the thread that adds them folds them itself, so that memory is bounded."""


class ChainMeter:
    """The statistics of a chain. One thread adds bursts; `fold` may be called from any thread."""

    def __init__(
        self, meters: Sequence[OperatorMeter], budgets: Sequence[Sequence[BudgetMeter]],
        path: PathMeter,
    ) -> None:  # fmt: skip
        """Fold into `meters` and `budgets` of the operators, source first, and their `path`."""
        self._meters = list(meters)
        self._path = path
        self._lock = threading.Lock()
        places = {meter.name: index for index, meter in enumerate(meters)}
        self._budgets = [
            (budget, places[budget.budget.source], index)
            for index, mine in enumerate(budgets)
            for budget in mine
        ]
        self.bursts: deque[tuple[int, array[int]]] = deque()
        """Begin of each burst and one row per frame: when each operator ended, 0 if the frame did
        not reach it. All in monotonic ns."""

    def fold(self) -> None:
        """Add the new bursts to the statistics."""
        with self._lock:
            begins, tables = [], []
            for _ in range(len(self.bursts)):
                begin, stamps = self.bursts.popleft()
                tables.append(np.frombuffer(stamps, np.int64).reshape(-1, len(self._meters)))
                begins.append(begin)
            if tables:
                self._add(begins, tables)

    def _add(self, begins: list[int], tables: list[np.typing.NDArray[np.int64]]) -> None:
        stamps = np.concatenate(tables)
        reached = stamps > 0
        ends = stamps.max(axis=1)
        # The source began each frame when the one before had reached its end.
        asked = np.concatenate(([0], ends[:-1]))
        asked[np.cumsum([0] + [len(table) for table in tables[:-1]])] = begins
        takes = np.diff(stamps, axis=1, prepend=asked[:, None])
        for index, meter in enumerate(self._meters):
            mine = reached[:, index]
            working = takes[mine, index]
            latency = stamps[mine, index] - stamps[mine, 0]
            meter.add(working, latency / 1e9, stamps[mine, index])
            meter.waits.add(np.zeros(len(working)))
        for budget, source, target in self._budgets:
            mine = reached[:, target]
            begun = stamps[mine, 0] if source == 0 else stamps[mine, source - 1]
            budget.times.add_many(stamps[mine, target] - begun)
        whole = reached[:, -1]
        takes[:, 0] = 0
        self._path.critical += int(whole.sum())
        self._path.add(np.zeros_like(takes)[whole], takes[whole], stamps[whole, -1])


Step: TypeAlias = "tuple[OperatorRunner, Callable[[Any], Any] | None, type]"
"""An operator, its call, and the type of its last result."""

OnFailure: TypeAlias = Callable[[OperatorRunner, int, BaseException], bool]
"""Takes the operator, the index of the frame in the burst and the error; true to continue."""


class Chain:
    """A source followed by operators with one input and at most one output each."""

    def __init__(self, runners: Sequence[OperatorRunner], control: Control) -> None:
        """Run `runners`, the first of which is the source."""
        self._control = control
        self.meter = ChainMeter(
            [runner.meter for runner in runners],
            [runner.budgets for runner in runners],
            control.paths.chain([runner.step for runner in runners]),
        )
        self._runners = list(runners)
        self._steps: list[Step] = []
        self._stopped_at: dict[str, int] = {}
        self._failed_at: dict[str, int] = {}
        self._empty = 0
        self.ended = False
        """Whether the source has no more frames."""

    def run(self, frames: Iterator[Any], size: int, on_failure: OnFailure) -> int:
        """Run up to `size` of `frames`, fewer if the run is ending; return how many."""
        self._stopped_at = dict.fromkeys((runner.name for runner in self._runners), 0)
        self._failed_at = dict(self._stopped_at)
        self._empty = 0
        self._steps = [
            (runner, runner.call, runner.results.whole.last) for runner in self._runners[1:]
        ]
        burst = islice(frames, size)
        run = self._run_tracked if self._control.tracked else self._run_untracked
        count = run(burst, on_failure)
        self._count(count)
        # A source that has failed may continue, but its failure ends the burst.
        failed = self._failed_at[self._runners[0].name]
        self.ended = count + self._empty < size and not failed
        return count

    def _run_untracked(self, burst: Iterator[Any], on_failure: OnFailure) -> int:
        source, steps, stopped_at = self._runners[0], self._steps, self._stopped_at
        given = source.results.whole
        control = self._control
        count = 0
        runner = source
        while True:
            try:
                for payload in burst:
                    if type(payload) is not given.last and not given.gives(payload):
                        self._empty += 1
                        continue
                    count += 1
                    for runner, call, kind in steps:
                        payload = call(payload)  # type: ignore[misc]
                        if type(payload) is not kind and not runner.results.whole.gives(payload):
                            stopped_at[runner.name] += 1
                            break
                    runner = source
                    if control.draining:
                        break
                break
            except BaseException as error:
                self._failed_at[runner.name] += 1
                if not on_failure(runner, count - (runner is not source), error):
                    break
                runner = source
        return count

    def _run_tracked(self, burst: Iterator[Any], on_failure: OnFailure) -> int:
        source, steps, stopped_at = self._runners[0], self._steps, self._stopped_at
        given = source.results.whole
        width, last = len(self._runners), self._runners[-1]
        clock = time.monotonic_ns
        stamps = array("q")
        stamp = stamps.append
        control = self._control
        count = 0
        runner = source
        begin = clock()
        while True:
            try:
                for payload in burst:
                    if type(payload) is not given.last and not given.gives(payload):
                        self._empty += 1
                        continue
                    stamp(clock())
                    count += 1
                    for runner, call, kind in steps:
                        payload = call(payload)  # type: ignore[misc]
                        if type(payload) is not kind and not runner.results.whole.gives(payload):
                            stamp(clock())
                            stopped_at[runner.name] += 1
                            if runner is not last:
                                _pad(stamps, width)
                            break
                        stamp(clock())
                    runner = source
                    if control.draining:
                        break
                break
            except BaseException as error:
                if runner is not source:
                    runner.ages.add(clock() - stamps[(len(stamps) - 1) // width * width])
                _pad(stamps, width)
                self._failed_at[runner.name] += 1
                if not on_failure(runner, count - (runner is not source), error):
                    break
                runner = source
        if stamps:
            self.meter.bursts.append((begin, stamps))
            if len(self.meter.bursts) > MOST_BURSTS:
                self.meter.fold()
        return count

    def give_up(self, runner: OperatorRunner, count: int) -> None:
        """Count a burst in which `runner` does not return from the last of `count` frames."""
        self._failed_at[runner.name] += runner is not self._runners[0]
        self._count(count)

    def _count(self, count: int) -> None:
        """Count the burst: frames that reached an operator went on, stopped or failed there."""
        arrived = count
        for index, runner in enumerate(self._runners):
            meter = runner.meter
            ended = arrived - (self._failed_at[runner.name] if index else 0)
            meter.frames += ended
            arrived = ended - self._stopped_at[runner.name]
            if runner.ports.outputs:
                meter.sent += arrived


def _pad(stamps: array[int], width: int) -> None:
    """Pad the row of a frame that did not reach the end of the chain with zeros."""
    stamps.extend([0] * (-len(stamps) % width))
