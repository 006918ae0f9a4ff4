"""The search for the best setting: step by step, each step a race that begins with the best so far.

All trials that have been made are kept, so that what is known can be shown at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, TypeAlias

from holoflow.app.graph import App
from holoflow.tune.race import race
from holoflow.tune.settings import DEFAULT, Candidate, entrants, own_values, steps
from holoflow.tune.trial import Measurement, TrialError

Goal: TypeAlias = Literal["rate", "latency"]
Run: TypeAlias = "Callable[[Candidate, bool], Measurement]"
"""Tries a setting, at full speed or at the sources' own pace; raises TrialError."""
NEAR = 0.9
"""Share of the best rate from which settings are compared by their latency."""
MOST_NEAR = 8
"""Settings whose latency is compared, at most."""


@dataclass
class Tuning:
    """Looks for the best setting of an app."""

    app: App
    cores: Sequence[int]
    goal: Goal
    live: bool
    """Whether a source cannot be sped up: then latency is compared from the beginning."""
    run: Run
    tell: Callable[[str], None] = lambda _: None
    """Told what is tried next."""
    best: Candidate = DEFAULT
    """The best so far."""
    at_full_speed: dict[Candidate, list[Measurement]] = field(default_factory=dict)
    at_own_pace: dict[Candidate, list[Measurement]] = field(default_factory=dict)
    failures: dict[Candidate, str] = field(default_factory=dict)

    def go(self) -> Candidate:
        """Return the best setting; blocks for minutes.

        Raises:
            TrialError: The app fails as it is.
        """
        self.tell("the default")
        first = self._tried(DEFAULT, full_speed=not self.live)
        own = own_values(self.app)
        for step in steps(self.app, self.cores, first.busy):
            self.best = self._race(step.name, entrants(self.best, step, own), paced=self.live)
        if self.goal == "latency" and not self.live:
            self.best = self._race("latency at the sources' own pace", self._near(), paced=True)
        elif self.best != DEFAULT:
            self.best = self._race(
                "the default against the best", (DEFAULT, self.best), paced=self.live
            )
        return self.best

    def _race(self, name: str, who: Sequence[Candidate], *, paced: bool) -> Candidate:
        def score(setting: Candidate) -> float | None:
            self.tell(f"{name}: {setting}")
            try:
                measured = self._tried(setting, full_speed=not paced)
            except TrialError:
                if setting == DEFAULT:
                    raise
                return None
            return better_latency(measured) if paced else measured.rate

        return race(who, score)

    def _tried(self, setting: Candidate, *, full_speed: bool) -> Measurement:
        try:
            measured = self.run(setting, full_speed)
        except TrialError as error:
            self.failures[setting] = str(error)
            raise
        kept = self.at_full_speed if full_speed else self.at_own_pace
        kept.setdefault(setting, []).append(measured)
        return measured

    def _near(self) -> tuple[Candidate, ...]:
        """Return the settings whose latency is compared; the first is to be beaten."""
        return near(self.at_full_speed, self.best)


def better_latency(measured: Measurement) -> float | None:
    """Return a score that is higher for a shorter p99."""
    return 1 / measured.p99 if measured.p99 else None


def near(trials: dict[Candidate, list[Measurement]], best: Candidate) -> tuple[Candidate, ...]:
    """Return the settings with nearly the best rate, those with short latencies first.

    The first of all is the default, if it is among them, and otherwise the `best`.
    """
    rates = {setting: middle(measured, "rate") or 0.0 for setting, measured in trials.items()}
    enough = NEAR * rates.get(best, 0.0)
    fast = [setting for setting, rate in rates.items() if rate >= enough]
    fast.sort(key=lambda setting: middle(trials[setting], "p99") or float("inf"))
    first = DEFAULT if DEFAULT in fast else best
    return tuple(dict.fromkeys((first, best, *fast)))[:MOST_NEAR]


def middle(measured: Sequence[Measurement], name: str) -> float | None:
    """Return the median of a field over several trials; None if none has it."""
    values = _values(measured, name)
    return median(values) if values else None


def spread(measured: Sequence[Measurement], name: str) -> float | None:
    """Return the range of a field over several trials as a share of its median; None for one."""
    values = _values(measured, name)
    if len(values) < 2 or not median(values):
        return None
    return (max(values) - min(values)) / median(values)


def _values(measured: Sequence[Measurement], name: str) -> list[float]:
    return [value for one in measured if (value := getattr(one, name)) is not None]
