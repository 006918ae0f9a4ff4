"""What is asked of a run, what is seen of it while it runs, and what comes of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from holoflow.flow.books import FlowBooks, OperatorBooks

EngineName: TypeAlias = Literal["holoscan", "inline"]
Outcome: TypeAlias = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan."""

    engine: EngineName | None = None
    """None takes `holoscan` where the package imports, else `inline`."""
    output: Path = field(default_factory=Path)
    """Folder for what operators write; made if it is missing."""
    frames: int | None = None
    """Every source ends after so many frames."""
    seconds: float | None = None
    """Every source ends after so many seconds."""
    lossless: bool = False
    """Every flow blocks and nothing hangs on arrival times."""
    web: bool = True
    """Whether operators may serve pages."""
    tracked: bool = True
    """Whether times are taken of every frame and operator."""


class Stopper:
    """Asks a run to end: once drains it, twice stops it now. Safe from any thread or signal."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self.drain = threading.Event()
        self.now = threading.Event()

    def ask(self) -> None:
        """Ask for an end; the second call asks for it at once."""
        if self.drain.is_set():
            self.now.set()
        self.drain.set()


@dataclass(frozen=True)
class Failure:
    """Why a run failed."""

    operator: str
    frame: str
    """Which frame: `frame 100 of camera`; or `start`, `stop`; empty where it is none of them."""
    cause: str
    """The exception, `ValueError: …`."""
    error: BaseException | None = None

    def __str__(self) -> str:
        return (
            f"operator {self.operator!r} failed"
            + (f" on {self.frame}" if self.frame else "")
            + f": {self.cause}"
        )


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment."""

    seconds: float
    """Since the sources began."""
    operators: tuple[OperatorBooks, ...]
    flows: tuple[FlowBooks, ...]
    announcements: tuple[tuple[str, str], ...] = ()
    """What operators announced: ("live page", "http://127.0.0.1:8080")."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `last.flows` add up."""

    outcome: Outcome
    engine: EngineName
    last: Snapshot
    failure: Failure | None = None
