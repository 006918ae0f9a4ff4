"""The app as a checked value: produced by the reader, used by the planner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from holoflow.app.format import (
    BudgetSchema,
    ClockKind,
    Compression,
    Defaults,
    FragmentSchema,
    InputSchema,
    OnError,
    OperatorSchema,
    PoolPolicy,
    PoolSchema,
    RestartPolicy,
    SchedulerKind,
    SchedulerSchema,
    WhenFull,
    WhenMissed,
    default,
)
from holoflow.app.plugins import Package
from holoflow.assets.source import Asset
from holoflow.core.errors import Location
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator


@dataclass(frozen=True)
class Endpoint:
    """A port of an operator."""

    operator: str
    port: str

    def __str__(self) -> str:
        return f"{self.operator}.{self.port}"


@dataclass(frozen=True)
class Flow:
    """A connection from one output port to one input port."""

    source: Endpoint
    target: Endpoint
    queue: int | None = None
    """Messages that may wait; None is the default of the app."""
    when_full: WhenFull | None = None
    """What happens to a message when the queue is full; None is the default of the app."""
    back_edge: bool = False
    """Closes a declared cycle: the first call gets None here."""
    link: str = default(Defaults, "link")
    compress: Compression = default(InputSchema, "compress")
    """How its messages are compressed on a zeromq link."""
    quality: int = default(InputSchema, "quality")
    """JPEG quality, 1 to 100."""
    encrypt: bool = default(InputSchema, "encrypt")
    """Whether a link to another host is encrypted and authenticated."""
    location: Location | None = None

    def drops(self, when_full: WhenFull) -> bool:
        """Whether a full queue drops messages; `when_full` is the default of the app."""
        return (self.when_full or when_full) != "block"


@dataclass(frozen=True)
class Sync:
    """Join by timestamp instead of by frame or by arrival order."""

    leader: str
    """Input whose messages set the pace."""
    tolerance: float
    """Seconds by which a partner's timestamp may differ."""
    timeout: float | None = None
    """Seconds after which a leader without partners is dropped; None waits forever."""


START_OP = "<start>"
"""What stands for Holoscan's own start operator, which is called once."""


@dataclass(frozen=True)
class Node:
    """An operator of the app."""

    name: str
    type_name: str
    """As written: `capture.video`, `./file.py:ClassOp`, `package.module:ClassOp`."""
    cls: type
    """The class; a subclass of `holoflow.Operator` unless `holoscan_operator` is given."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """As written in the app (quantities with units), with variables and assets filled in."""
    holoscan_operator: HoloscanOperator | None = None
    sync: Sync | Literal["arrival"] | None = None
    """How its inputs are paired; None: by frame if they come from one source, else in order of
    arrival."""
    on_error: OnError = default(Defaults, "on_error")
    fuse: bool | None = None
    """Whether it may share a stage; None leaves it to the planner."""
    in_flight: int | Literal["auto"] = default(Defaults, "in_flight")
    """Of a source: how many of its frames may be under way at once; auto: as many as pay off."""
    copies: int | Literal["auto"] = default(OperatorSchema, "copies")
    """How many frames it may work on at once, if it keeps no state."""
    after: tuple[str, ...] = ()
    """Holoscan operators after each call of which this one is called, and `START_OP`."""
    location: Location | None = None


@dataclass(frozen=True)
class ThreadPool:
    """Threads that are for some operators alone."""

    name: str
    operators: tuple[str, ...]
    size: int
    pin: bool = False
    """Whether each operator keeps to one thread of them."""
    cores: tuple[int, ...] = ()
    policy: PoolPolicy | None = None
    priority: int = default(PoolSchema, "priority")
    runtime: float = 0.0
    """Seconds, as are the next two: for the policy `deadline`."""
    deadline: float = 0.0
    period: float = 0.0


@dataclass(frozen=True)
class Scheduler:
    """Which of Holoscan's schedulers runs a fragment's stages."""

    kind: SchedulerKind = default(SchedulerSchema, "kind")
    workers: int = default(SchedulerSchema, "workers")
    cores: tuple[int, ...] = ()
    """CPU cores that the workers are pinned to, in turn; empty leaves it to the system."""
    linger: float = default(SchedulerSchema, "linger")
    """Seconds for which a stage linked to another process keeps polling after its last work
    before it sleeps: by default about what waking it would cost both processes."""
    pools: tuple[ThreadPool, ...] = ()
    clock: ClockKind = default(SchedulerSchema, "clock")
    stop_on_deadlock: bool = default(SchedulerSchema, "stop_on_deadlock")
    """Whether an app with Holoscan operators ends once nothing can go on any more."""
    stop_on_deadlock_timeout: float = default(SchedulerSchema, "stop_on_deadlock_timeout")
    """Seconds for which nothing goes on before such an app ends."""

    def running(self, stages: int, *, others: bool = False) -> int:
        """Return the number of workers to run: at most one per stage.

        A worker that never has work would still poll for it, 5,000 times a second.

        Args:
            stages: Number of stages in the fragment.
            others: Whether something other than stages needs workers too: then all requested
                workers run.
        """
        if self.kind == "greedy":
            return 1
        return self.workers if others else max(1, min(self.workers, stages))


@dataclass(frozen=True)
class Fragment:
    """A named group of operators that runs in one process, and what that process gets."""

    name: str
    operators: tuple[str, ...]
    host: str | None = None
    """Name or address of the host; None is the one where the app is started."""
    port: int | None = None
    """TCP port at which fragments on other hosts reach it; None leaves it to the planner."""
    gpu: int | None = None
    """The only GPU that the process sees; None: all GPUs."""
    cores: tuple[int, ...] = ()
    """CPU cores that the process may use; empty leaves it to the system."""
    exclusive: bool = False
    """Whether its GPU and its cores are for it alone."""
    scheduler: Scheduler | None = None
    """None is the app's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are set in its process."""
    memory: int | None = None
    """Bytes of private memory that the process may use before it is killed."""
    hang: float = default(Defaults, "hang")
    """Seconds for which an operator may work on one frame, and the process may be silent, before
    it counts as hung and is killed."""
    restart: RestartPolicy = default(FragmentSchema, "restart")
    restarts: int = default(FragmentSchema, "restarts")
    """How often in a row it is started again; a minute without a failure resets the count."""
    location: Location | None = None


@dataclass(frozen=True)
class Budget:
    """How long a frame may take from one operator to another."""

    source: str
    target: str
    limits: Mapping[str, float]
    """Seconds by statistic: `p99`, `max`, …"""
    when_missed: WhenMissed = default(BudgetSchema, "when_missed")
    window: float = default(BudgetSchema, "window")
    """Seconds of the sliding window in which it is judged."""
    fail: bool = default(BudgetSchema, "fail")
    """Whether a run that missed it ends with exit status 3."""
    location: Location | None = None


def enough(statistic: str) -> int:
    """Return how many frames are needed to judge `statistic`: `mean`, `max` or a percentile."""
    if not statistic.startswith("p"):
        return 1
    return max(round(1 / (1 - float(statistic[1:]) / 100)), 1)


@dataclass(frozen=True)
class App:
    """A checked app: every operator known, every port connected, every parameter valid."""

    name: str
    path: Path | None
    operators: Mapping[str, Node]
    flows: tuple[Flow, ...]
    fragments: Mapping[str, Fragment] = field(default_factory=dict)
    scheduler: Scheduler = field(default_factory=Scheduler)
    budgets: tuple[Budget, ...] = ()
    services: Mapping[str, HoloscanObject] = field(default_factory=dict)
    """What Holoscan operators ask for, by name."""
    loggers: Mapping[str, HoloscanObject] = field(default_factory=dict)
    """Holoscan's data loggers, by name."""
    assets: Mapping[str, Asset] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    fuse: bool = True
    """False keeps every operator in a stage of its own."""
    queue: int = default(Defaults, "queue")
    """Messages that may wait unless a flow says otherwise (`defaults:`)."""
    when_full: WhenFull = default(Defaults, "when_full")
    """What happens at a full queue unless a flow says otherwise (`defaults:`)."""
    hang: float = default(Defaults, "hang")
    """Seconds for which an operator may work on one frame unless its fragment says otherwise."""
    description: str = ""
    """What the app does, for people."""
    version: str = ""
    """Version of the app itself; empty if it has none."""
    apt: tuple[str, ...] = ()
    """Debian packages that its image needs."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Values of `--set` with which it was read."""
    text: str | None = None
    """What its file would say, if it was built in code; its `path` is then where that would be."""
    plugins: tuple[Package, ...] = ()
    """Installed packages whose operators and fragment templates it uses, sorted."""
    notes: tuple[str, ...] = ()
    """What could not be checked on this machine, each with its place in the file."""

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Name of the fragment of each operator; empty for an app without fragments."""
        return {name: f.name for f in self.fragments.values() for name in f.operators}

    @cached_property
    def consumers(self) -> Mapping[str, Sequence[str]]:
        """The operators that each operator sends to; nothing for those that send to none."""
        found: dict[str, list[str]] = {}
        for flow in self.flows:
            found.setdefault(flow.source.operator, []).append(flow.target.operator)
        return found

    @cached_property
    def producers(self) -> Mapping[str, Sequence[str]]:
        """The operators that each operator gets from; nothing for those that get from none."""
        found: dict[str, list[str]] = {}
        for flow in self.flows:
            found.setdefault(flow.target.operator, []).append(flow.source.operator)
        return found


def reach(start: str, neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    """Return `start` and all operators that can be reached from it by way of `neighbours`.

    Args:
        start: Where to begin.
        neighbours: `App.consumers` to go downstream, `App.producers` to go upstream.
    """
    found = {start}
    frontier = [start]
    while frontier:
        more = set(neighbours.get(frontier.pop(), ())) - found
        found |= more
        frontier += more
    return found
