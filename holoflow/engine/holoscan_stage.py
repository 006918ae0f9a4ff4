"""A stage as a Holoscan operator, ticked by Holoscan's schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holoflow.engine.stage import Progress, Stage
from holoflow.holoscan import runtime

holoscan = runtime.load()
core = holoscan.core
State = holoscan.conditions.AsynchronousEventState


class StageOp(core.Operator):  # type: ignore[name-defined, misc]
    """Holoscan's view of a stage: something to tick while its condition says so."""

    def __init__(self, fragment: Any, stage: Stage, on_tick: Callable[[], None], idle: Any) -> None:
        """Wrap `stage`; `idle` is the state of its condition while it sleeps."""
        self.stage = stage
        self.on_tick = on_tick
        # Holoscan reserves the dot.
        name = stage.name.replace(".", "/")
        self.condition = holoscan.conditions.AsynchronousCondition(
            fragment, name=f"{name} has work"
        )
        stage.schedule = lambda: self._set(State.EVENT_DONE)
        stage.park = lambda: self._set(State.EVENT_WAITING if stage.awaits_event() else idle)
        super().__init__(fragment, self.condition, name=name)
        fragment.stage_operators.append(self)

    def retire(self) -> None:
        """Tick the stage no more."""
        self._set(State.EVENT_NEVER)

    def let_go(self) -> None:
        """Drop the stage and all that it holds; Holoscan may keep the operator forever."""
        self.stage.schedule = self.stage.park = None
        del self.stage

    def _set(self, state: Any) -> None:
        self.condition.event_state = state

    def setup(self, spec: Any) -> None:
        """Declare no ports: messages go through holoflow's own queues."""

    def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
        """Tick the stage."""
        self.on_tick()
        if self.stage.tick() is Progress.DONE:
            self._set(State.EVENT_NEVER)
