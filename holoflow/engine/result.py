"""What is asked of a run, what is seen of it while it runs, and what comes of it."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from holoflow.app.graph import RestartPolicy
from holoflow.flow.books import Sample, Snapshot
from holoflow.flow.records import Records

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
    guarded: bool = False
    """Whether arrays that operators are given are read-only, to find those that change them."""
    tracked: bool = True
    """Whether times are taken of every frame and operator."""
    trace: int | None = None
    """Keep the raw calls on the newest so many frames of each source."""
    returns: RestartPolicy = "never"
    """When the process is going to be started again, so that its links stay open for it."""
    incarnation: int = 0
    """How often the process of these operators had been started before in this run."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    """Identifies the run, in all its processes."""


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
    """Empty where it was the process that failed, and no operator of it."""
    frame: str
    """Which frame: `frame 100 of camera`; or `start`, `stop`; empty where it is none of them."""
    cause: str
    """The exception, `ValueError: …`, or how the process ended."""
    error: BaseException | None = None
    trace: str = ""
    """The traceback of an error in another process."""
    fragment: str = ""
    """Whose process it was, where there are several."""

    def __str__(self) -> str:
        who = [f"operator {self.operator!r}"] if self.operator else []
        who += [f"fragment {self.fragment!r}"] if self.fragment else []
        return (
            f"{' of '.join(who) or 'the run'} failed"
            + (f" on {self.frame}" if self.frame else "")
            + f": {self.cause}"
        )


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `last.flows` add up."""

    outcome: Outcome
    engine: EngineName
    last: Snapshot
    failure: Failure | None = None
    history: tuple[Sample, ...] = ()
    """Curves over the run."""
    records: Records | None = None
    """The raw calls on the newest frames, where they were asked for."""

    @property
    def over_budget(self) -> bool:
        """Whether a budget was missed for which the app asks to be told by the exit status."""
        return any(
            budget.missed and (budget.fail or budget.when_missed == "stop")
            for budget in self.last.budgets
        )
