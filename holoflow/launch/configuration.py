"""What a process needs to run its fragment: how the app's plan is made, and its links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from holoflow.app import load
from holoflow.app.format import SchedulerKind
from holoflow.app.graph import App, Scheduler
from holoflow.core.errors import HoloflowError
from holoflow.core.text import choices, suggestion
from holoflow.engine.control import RunOptions
from holoflow.link.links import Links
from holoflow.link.opening import open_transports
from holoflow.plan import Plan, plan
from holoflow.plan.hosts import given_from_outside, put
from holoflow.stats.counters import Counters


@dataclass(frozen=True)
class LaunchConfiguration:
    """An app file and everything that the command line says about its plan."""

    app: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """Values of `--set`, by name."""
    scheduler: SchedulerKind | None = None
    """Instead of the app's."""
    workers: int | None = None
    """Instead of the app's."""
    fuse: bool = True
    lossless: bool = False
    only: tuple[str, ...] = ()
    """Fragments that run here; the others run on other hosts. Empty if all run here."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Hosts by fragment, overriding the app's."""
    placed: bool = False
    """Whether GPUs and cores are assigned from outside, as to a container."""
    text: str | None = None
    """Of an app built in code: what would be in the file."""

    def plan(self, environment: Mapping[str, str] | None = None) -> Plan:
        """Read the app and plan it.

        Args:
            environment: Variables that the app may use; None for those of the process.

        Raises:
            AppError: The app is invalid.
            HoloflowError: The app has no such fragment, or one cannot be placed on its host.
        """
        return self.plan_of(
            load(self.app, settings=self.settings, environment=environment, text=self.text)
        )

    def plan_of(self, app: App) -> Plan:
        """Plan `app`, which has been read as the configuration says.

        Raises:
            HoloflowError: It has no such fragment, or one cannot be placed on its host.
        """
        unknown = [name for name in self.only if name not in app.fragments]
        if unknown:
            right = suggestion(unknown[0], app.fragments, f"it has {choices(app.fragments)}")
            raise HoloflowError(f"--fragment: {app.name} has no fragment {unknown[0]!r}", right)
        app = put(_rescheduled(app, self.scheduler, self.workers), self.places)
        here = self.only or tuple(app.fragments)
        if self.placed:
            app = given_from_outside(app, here)
        return plan(app, fuse=self.fuse, lossless=self.lossless, here=here)


def _rescheduled(app: App, kind: SchedulerKind | None, workers: int | None) -> App:
    def changed(scheduler: Scheduler) -> Scheduler:
        return replace(scheduler, kind=kind or scheduler.kind, workers=workers or scheduler.workers)

    fragments = {
        name: replace(f, scheduler=f.scheduler and changed(f.scheduler))
        for name, f in app.fragments.items()
    }
    return replace(app, scheduler=changed(app.scheduler), fragments=fragments)


@dataclass(frozen=True)
class WorkerSpec:
    """Everything that a fragment's process receives at its start, as one line of JSON."""

    configuration: LaunchConfiguration
    digest: str
    """Digest of the launcher's plan; the plan of the process must have the same."""
    fragment: str
    generation: int
    """How often the fragment was started before."""
    options: RunOptions
    folder: Path
    """Folder of the run, with its counters and its sockets."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hosts: Mapping[str, str] | None = None
    """Addresses of hosts, by the names that the app gives them."""
    outer: Mapping[str, str | None] | None = None
    """Values in the launcher's environment of variables that the fragment sets for itself: all
    processes must read the app with the same values."""
    path: tuple[str, ...] = ()
    """Import path of the launcher."""


COUNTERS = "counters"
"""File in the run's folder with the counter blocks of all flows."""


def open_links(plan: Plan, counters: Counters, worker_spec: WorkerSpec) -> Links:
    """Return the links between the fragment of `worker_spec` and the others.

    Raises HoloflowError if one cannot be opened.
    """
    transports = open_transports(
        plan,
        worker_spec.fragment,
        worker_spec.folder,
        worker_spec.options.run,
        worker_spec.digest,
        worker_spec.hosts or {},
    )
    return Links(plan, counters, transports)
