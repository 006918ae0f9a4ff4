"""Engine `inline`: one thread, a fixed order, a simulated clock, no Holoscan."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from holoflow.engine.admission import lift
from holoflow.engine.calls import stall, waits
from holoflow.engine.control import Control
from holoflow.engine.stage import Progress, Stage
from holoflow.engine.timers import SimulatedTimers, Timers


def run_inline(stages: Sequence[Stage], control: Control, timers: SimulatedTimers | Timers) -> None:
    """Tick `stages` in turn until all are done.

    If none has work, a simulated clock jumps to the next time that a stage waits for. If no stage
    waits for a time but a device is being read, its next frame is waited for.
    """
    woken = threading.Event()
    for stage in stages:
        stage.schedule = woken.set
        if len(stages) > 1:
            stage.notifier = None  # the others would wait too
    running = list(stages)
    while running:
        woken.clear()
        worked = False
        for stage in running:
            if stage.sleeping:
                continue
            progress = stage.tick()
            worked = worked or progress is not Progress.IDLE
        running = [stage for stage in running if not stage.finished]
        if worked or any(not stage.sleeping for stage in running):
            continue
        if lift(running):
            continue
        if timers.armed and isinstance(timers, SimulatedTimers):
            timers.jump()
        elif timers.armed or any(stage.reading for stage in running):
            woken.wait()
        else:
            control.stalled(stall(waits(running)))
