"""Engine `threads`: a pool of Python threads ticks the stages, where there is no Holoscan."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Sequence

from holoflow.core.errors import describe
from holoflow.engine.control import Control, Failure
from holoflow.engine.stage import Stage


def run_threads(
    stages: Sequence[Stage], control: Control, workers: int, cores: Sequence[int] = ()
) -> None:
    """Tick `stages` in `workers` threads until all are done.

    With `cores`, each thread stays on one of them, in turn.
    """
    pool = _Pool(stages, control)
    threads = [
        threading.Thread(
            target=pool.work,
            args=(cores[number % len(cores)] if cores else None,),
            name=f"worker {number}",
            daemon=True,
        )
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Pool:
    """The stages of a run: those with work wait here for a thread, in the order they were woken."""

    def __init__(self, stages: Sequence[Stage], control: Control) -> None:
        self._control = control
        self._ready = deque(stages)
        self._left = len(stages)
        self._ticked: dict[Stage, bool] = {}
        """Stages that a thread ticks, and whether each was scheduled since it began to."""
        self._idle = 0
        """Threads that wait for a stage."""
        self._changed = threading.Condition()
        for stage in stages:
            stage.schedule = functools.partial(self._schedule, stage)

    def _schedule(self, stage: Stage) -> None:
        with self._changed:
            if stage in self._ticked:
                self._ticked[stage] = True
                return
            self._ready.append(stage)
            if self._idle:
                self._changed.notify()

    def work(self, core: int | None) -> None:
        """Tick stages until all are done, on `core` alone if one is given."""
        if core is not None:
            os.sched_setaffinity(0, {core})
        ticked: Stage | None = None
        try:
            while (stage := self._next(ticked)) is not None:
                stage.tick()
                ticked = stage
        except BaseException as error:
            self._control.fail(Failure("engine", "", describe(error), error))
            self._end()

    def _next(self, ticked: Stage | None) -> Stage | None:
        """Put back the stage that was `ticked`, and return the next; None at the end."""
        with self._changed:
            if ticked is not None:
                scheduled = self._ticked.pop(ticked)
                if ticked.finished:
                    self._left -= 1
                elif scheduled or not ticked.sleeping:
                    self._ready.append(ticked)
            while self._left > 0 and not self._ready:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            if self._left <= 0:
                self._changed.notify_all()
                return None
            stage = self._ready.popleft()
            self._ticked[stage] = False
            return stage

    def _end(self) -> None:
        with self._changed:
            self._left = 0
            self._changed.notify_all()
