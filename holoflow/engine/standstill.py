"""A run in which nobody can go on any more: who waits for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holoflow.engine.result import Failure
from holoflow.engine.stage import Stage
from holoflow.engine.timers import SimulatedTimers, Timers


class Standstill:
    """Sees that no stage of a process can go on; all calls come from one thread."""

    def __init__(self, stages: Sequence[Stage], timers: Timers | SimulatedTimers) -> None:
        """Look at `stages`, which `timers` may wake."""
        self._stages = stages
        self._timers = timers
        self._since: tuple[int, ...] | None = None

    def seen(self) -> Failure | None:
        """Return what to end the run with, where no stage can ever go on, seen twice in a row."""
        stages = self._unfinished()
        still = (
            bool(stages)
            and not self._timers.armed
            and all(s.sleeping and not s.signalled and not s.reading for s in stages)
        )
        ticks = tuple(stage.ticks for stage in stages) if still else None
        before, self._since = self._since, ticks
        return stall(waits(stages)) if ticks is not None and ticks == before else None

    def waits(self) -> dict[str, str]:
        """Return what stages wait for, where none goes on before another process does something."""
        stages = self._unfinished()
        if self._timers.armed or not all(stage.asleep() for stage in stages):
            return {}
        return waits(stages)

    def held(self) -> bool:
        """Whether nothing but a message that does not come makes a stage go on."""
        stages = self._unfinished()
        return not self._timers.armed and all(stage.asleep() for stage in stages)

    def awaits(self) -> dict[str, str]:
        """Return what each stage waits for that is asleep."""
        return waits([s for s in self._unfinished() if s.resting])

    def _unfinished(self) -> list[Stage]:
        return [stage for stage in self._stages if not stage.finished]


def waits(stages: Sequence[Stage]) -> dict[str, str]:
    """Return what each of some stages waits for, by its name."""
    return {stage.name: stage.stalled_by() for stage in stages}


def stall(waits: Mapping[str, str]) -> Failure:
    """Say who waits for what, where no stage can go on."""
    said = "; ".join(f"{stage!r} waits for {what}" for stage, what in waits.items())
    return Failure(
        list(waits)[-1].split("+")[0],
        "",
        f"the app is stalled, no operator can go on: {said}; where operators drop messages or "
        "send several for one, join by time (sync) or give the inputs that wait longer queues",
    )
