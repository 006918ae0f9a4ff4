"""Starting the process of a fragment with what it gets on this machine."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from holoflow.engine.result import RunOptions
from holoflow.launch.charge import Charge
from holoflow.launch.farewell import Standing
from holoflow.launch.process import Process
from holoflow.launch.recipe import Recipe
from holoflow.launch.spec import Spec
from holoflow.plan.checks import cores_of, environment_of
from holoflow.plan.fingerprint import digest
from holoflow.plan.machine import read_machine
from holoflow.plan.plan import Plan


@dataclass(frozen=True)
class Launching:
    """How fragments are started here."""

    recipe: Recipe
    """What the plan was made from."""
    log: Callable[[logging.LogRecord], None]
    """Shows what processes log and print; a record has the fragment's name as `fragment`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hosts: Mapping[str, str] | None = None
    """Addresses of hosts, by the names that the app gives them."""


class Starter:
    """Starts processes of one run."""

    def __init__(self, plan: Plan, options: RunOptions, launching: Launching, folder: Path) -> None:
        """Prepare to start those of `plan`, whose run has `folder`."""
        self._plan = plan
        self._options = replace(options, output=options.output.absolute())
        self._launching = launching
        self._folder = folder
        self._machine = read_machine()
        self._digest = digest(plan)

    @property
    def standing(self) -> Standing:
        """What it takes to stand in for a fragment that has died."""
        hosts = self._launching.hosts or {}
        return Standing(self._folder, self._options.run, self._digest, hosts)

    def start(self, charge: Charge, now: float, left: float | None) -> Process:
        """Start the process of a fragment; its sources end after the seconds that are `left`.

        Raises HoloflowError where the system does not let it.
        """
        variables = environment_of(charge.fragment, self._machine)
        spec = Spec(
            recipe=self._launching.recipe,
            digest=self._digest,
            fragment=charge.name,
            incarnation=charge.restarts,
            options=replace(
                self._options, seconds=left, returns=charge.policy, incarnation=charge.restarts
            ),
            folder=self._folder,
            log_level=self._launching.log_level,
            hosts=self._launching.hosts,
            outer={name: os.environ.get(name) for name in variables},
            path=tuple(sys.path),
        )
        cores = cores_of(self._plan, charge.fragment, self._machine)
        charge.process = Process(spec, {**os.environ, **variables}, cores, now)
        return charge.process
