"""The plan: what runs where, as a value that can be printed, compared and tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.app.graph import App, Compression, Endpoint, Fragment, Scheduler, WhenFull

LinkKind: TypeAlias = Literal["none", "shared_memory", "zeromq", "ucx"]


@dataclass(frozen=True)
class Stage:
    """Operators that are scheduled as one: a chain, each feeding only the next."""

    operators: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the stage: its operators, joined by `+`."""
        return "+".join(self.operators)


@dataclass(frozen=True)
class PlannedFlow:
    """A flow with all decided."""

    source: Endpoint
    target: Endpoint
    queue: int
    """Messages that may wait; 0 where the flow is fused, so that none ever waits."""
    when_full: WhenFull
    fused: bool
    """Lies inside a stage: a plain call."""
    latest: bool
    """Its input holds the newest value."""
    back_edge: bool
    link: LinkKind
    compress: Compression = "none"
    """How its messages are packed on a zeromq link."""
    quality: int = 90
    """Of JPEG, 1 to 100."""
    encrypt: bool = True
    """Whether a zeromq link to another host is encrypted and authenticated."""
    by_frame: bool = False
    """Its input is joined with others by frame, or merged with them in the order of frames."""
    watermark: bool = False
    """Its row says how many frames of its origin are through, as a join behind needs to know."""
    several: bool = False
    """May carry several messages of one frame."""


@dataclass(frozen=True)
class Process:
    """A fragment and how its process runs it."""

    fragment: str
    stages: tuple[Stage, ...]
    scheduler: Scheduler
    placement: Fragment
    """Where it runs, and what it gets there."""
    others: bool = False
    """Whether operators that are no stages take workers, too: Holoscan's own, those of ucx."""

    @property
    def workers(self) -> int:
        """Threads of the scheduler that run, however many the app asks for."""
        return self.scheduler.running(len(self.stages), others=self.others)


@dataclass(frozen=True)
class Plan:
    """Operators in stages, stages in processes, flows in queues or links."""

    app: App
    processes: tuple[Process, ...]
    flows: tuple[PlannedFlow, ...]
    notices: tuple[str, ...] = ()
    """What is allowed but may surprise, a sentence each."""
    here: frozenset[str] | None = None
    """Fragments that are started together on this machine, whatever hosts the app names; None
    where that is not known, and the hosts decide."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages of all processes."""
        return tuple(stage for process in self.processes for stage in process.stages)

    def stage_of(self, operator: str) -> Stage:
        """Return the stage that holds `operator`."""
        return next(stage for stage in self.stages if operator in stage.operators)
