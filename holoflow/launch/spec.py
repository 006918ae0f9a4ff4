"""What a process must know to run its fragment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holoflow.engine.result import RunOptions
from holoflow.launch.recipe import Recipe


@dataclass(frozen=True)
class Spec:
    """Everything that a fragment's process is told at its start, in one line of JSON."""

    recipe: Recipe
    digest: str
    """Of the launcher's plan (`recipe.digest`): that of the process must be equal."""
    fragment: str
    incarnation: int
    """How often the fragment had been started before."""
    options: RunOptions
    folder: Path
    """The run's: its ledger and its sockets are there."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    hosts: Mapping[str, str] | None = None
    """Addresses of hosts, by the names that the app gives them."""
    outer: Mapping[str, str | None] | None = None
    """What the launcher's environment has for variables that the fragment sets for itself: the
    app must read the same in all processes."""
    path: tuple[str, ...] = ()
    """Where the launcher finds Python modules."""
