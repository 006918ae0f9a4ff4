"""What is known of an app that is being watched, and of its last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holoflow.live.protocol import Hello
from holoflow.stats.difference import difference
from holoflow.stats.merge import merge
from holoflow.stats.snapshot import Sample, Snapshot

StateKind: TypeAlias = Literal["looking", "none", "several", "live", "ended"]
"""`looking`: what runs is not known yet. `none`: nothing runs that can be watched. `several`: more
than one app runs, and none was named. `live`: the app runs. `ended`: it ran, and may return."""


@dataclass(frozen=True)
class RunningApp:
    """A run that can be watched."""

    app: str
    run: str
    began: float
    """When the first of its processes began, in seconds since the epoch."""
    fragments: Mapping[str, int]
    """Process id by fragment."""


@dataclass(frozen=True)
class FragmentState:
    """What is known of a fragment's process."""

    pid: int
    live: bool
    """Whether it runs."""
    age: float
    """Seconds since its last message."""


@dataclass(frozen=True)
class LiveState:
    """What is known about the app at one moment."""

    kind: StateKind
    app: str = ""
    """Empty while it is not clear which app it is."""
    run: str = ""
    snapshot: Snapshot | None = None
    """The newest snapshots of all fragments, merged; None before the first."""
    fragments: Mapping[str, FragmentState] = field(default_factory=dict)
    histories: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    """Curves up to the moment of attaching, by fragment."""
    running: tuple[RunningApp, ...] = ()
    """Everything that runs (of the app, if one was named), newest first."""
    problems: tuple[str, ...] = ()
    """Why something cannot be watched."""


@dataclass
class _Fragment:
    hello: Hello
    heard: float = 0.0
    live: bool = True
    snapshot: Snapshot | None = None


class LiveRun:
    """A run, as reported by the processes of its fragments.

    A fragment that has ended keeps its last statistics until it is restarted and sends new ones.
    """

    def __init__(self, app: str, run: str) -> None:
        """Make the state of the run `run` of `app`, before any message."""
        self.app = app
        self.run = run
        self._fragments: dict[str, _Fragment] = {}
        self._merged: Snapshot | None = None

    @property
    def began(self) -> float:
        """When its first process began, in seconds since the epoch."""
        return min(fragment.hello.began for fragment in self._fragments.values())

    @property
    def live(self) -> bool:
        """Whether one of its processes runs."""
        return any(fragment.live for fragment in self._fragments.values())

    @property
    def snapshot(self) -> Snapshot | None:
        """The state of the run; None before the first snapshot."""
        if self._merged is None:
            parts = [f.snapshot for f in self._fragments.values() if f.snapshot is not None]
            self._merged = merge(parts) if parts else None
        return self._merged

    @property
    def histories(self) -> dict[str, tuple[Sample, ...]]:
        """Curves by fragment, up to its hello."""
        return {name: fragment.hello.history for name, fragment in self._fragments.items()}

    def hear(self, hello: Hello, now: float, snapshot: Snapshot | None) -> None:
        """Note a message of the process that said `hello`, unless another has replaced it."""
        fragment = self._fragments.setdefault(hello.fragment, _Fragment(hello))
        if not fragment.live or hello.began >= fragment.hello.began:
            fragment.hello, fragment.live = hello, True
        if fragment.hello is hello:
            fragment.heard = now
            if snapshot is not None:
                fragment.snapshot = snapshot
                self._merged = None

    def end(self, hello: Hello) -> None:
        """Note that the process that said `hello` has gone."""
        fragment = self._fragments[hello.fragment]
        if fragment.hello is hello:
            fragment.live = False

    def running(self) -> RunningApp:
        """Return the processes that run."""
        live = {name: f.hello.pid for name, f in self._fragments.items() if f.live}
        return RunningApp(self.app, self.run, self.began, live)

    def fragments(self, now: float) -> dict[str, FragmentState]:
        """Return the state of every fragment."""
        return {
            name: FragmentState(f.hello.pid, f.live, max(now - f.heard, 0.0))
            for name, f in self._fragments.items()
        }


WINDOW = 5.0
"""Seconds over which rates and percentiles are computed."""


class Recent:
    """Turns the snapshots of a run into statistics of its last seconds."""

    def __init__(self, window: float = WINDOW) -> None:
        """Make a window of so many seconds, without snapshots."""
        self._window = window
        self._seen: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> Snapshot:
        """Return the statistics of the last seconds up to `snapshot`; of the whole run at first."""
        if self._seen and not _goes_on(self._seen[-1], snapshot):
            self._seen.clear()
        if not self._seen or self._seen[-1] is not snapshot:
            self._seen.append(snapshot)
        # At least two are kept, however far apart: one alone allows no difference.
        while len(self._seen) > 2 and snapshot.seconds - self._seen[1].seconds >= self._window:
            self._seen.popleft()
        first = self._seen[0]
        return snapshot if first is snapshot else difference(snapshot, first)


def _goes_on(before: Snapshot, now: Snapshot) -> bool:
    return (before.app, before.run) == (now.app, now.run) and before.seconds <= now.seconds
