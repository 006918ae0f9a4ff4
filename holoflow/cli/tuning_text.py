"""What `holoflow tune` shows: the settings that were tried, and the best one as YAML."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from holoflow.cli import sections
from holoflow.cli.tables import Choice, statistics_table
from holoflow.core import text
from holoflow.report.columns import Column
from holoflow.tune.race import MARGIN
from holoflow.tune.search import NEAR, Tuning, middle, spread
from holoflow.tune.settings import DEFAULT, Candidate, block
from holoflow.tune.trial import Measurement, notices, shortage

if TYPE_CHECKING:
    from rich.console import RenderableType

NOISY = 0.15
"""Spread of the default's trials from which it is said."""
SHOWN = 12
"""Settings in the table; the rest is in the JSON."""


@dataclass(frozen=True)
class Row:
    """A setting with its trials."""

    setting: Candidate
    trials: Sequence[Measurement]
    """At full speed; where the sources cannot be sped up, at their pace."""
    paced: Sequence[Measurement]
    """At the sources' own pace."""
    compared: str
    """Field by which settings are compared: `rate` or `p99`."""
    default: float | None
    """That of the default."""

    @property
    def decisive(self) -> Sequence[Measurement]:
        """The trials by which it is compared."""
        return self.paced if self.compared == "p99" else self.trials

    @property
    def ratio(self) -> float | None:
        """By how much it is better than the default; above 1 is better."""
        own = middle(self.decisive, self.compared)
        if not own or not self.default:
            return None
        return own / self.default if self.compared == "rate" else self.default / own


_COLUMNS: tuple[Column[Row], ...] = (
    Column("setting", "setting", lambda row: row.setting, words=True),
    Column("trials", "trials", lambda row: len({*map(id, (*row.trials, *row.paced))}), text.count),
    Column("rate", "rate /s", lambda row: middle(row.trials, "rate"), text.number),
    Column("p50", "p50 ms", lambda row: middle(row.trials, "p50"), text.milliseconds),
    Column("p99", "p99 ms", lambda row: middle(row.trials, "p99"), text.milliseconds),
    Column("cpu", "CPU ms", lambda row: middle(row.trials, "cpu"), text.milliseconds),
    Column("paced_p50", "paced p50", lambda row: middle(row.paced, "p50"), text.milliseconds),
    Column("paced_p99", "paced p99", lambda row: middle(row.paced, "p99"), text.milliseconds),
    Column("spread", "spread", lambda row: spread(row.decisive, row.compared), text.percent),
    Column("ratio", "to default", lambda row: row.ratio, text.number),
)  # fmt: skip
_CHOICE: Choice = (
    (0, "setting"), (110, "trials"), (0, "rate"), (60, "p50"), (0, "p99"), (80, "cpu"),
)  # fmt: skip
_PACED: Choice = ((90, "paced_p50"), (0, "paced_p99"))
_LAST: Choice = ((70, "spread"), (0, "ratio"))


def rows(tuning: Tuning) -> list[Row]:
    """Return the settings that were tried, the best first, then the nearest to it."""
    by_latency = tuning.live or (tuning.goal == "latency" and bool(tuning.at_own_pace))
    compared = "p99" if by_latency else "rate"
    decisive = tuning.at_own_pace if by_latency else tuning.at_full_speed
    default = middle(decisive.get(DEFAULT, ()), compared)
    found = [
        Row(
            setting,
            (tuning.at_own_pace if tuning.live else tuning.at_full_speed).get(setting, ()),
            tuning.at_own_pace.get(setting, ()),
            compared,
            default,
        )
        for setting in {**tuning.at_full_speed, **tuning.at_own_pace}
    ]
    return sorted(
        found, key=lambda row: (row.setting != tuning.best, row.ratio is None, -(row.ratio or 0.0))
    )


def parts(tuning: Tuning, width: int, *, interrupted: bool) -> Iterator[RenderableType]:
    """Yield all of it, top to bottom, for a terminal of `width`."""
    found = rows(tuning)
    if not found:
        yield sections.said("no trial was completed")
        return
    shown = found[:SHOWN]
    shown += [row for row in found[SHOWN:] if row.setting == DEFAULT]
    yield sections.heading("settings, the best first; medians of their trials; CPU time a frame")
    paced = _PACED if tuning.at_own_pace and not tuning.live else ()
    columns = {column.name: column for column in _COLUMNS}
    yield statistics_table(columns, (*_CHOICE, *paced, *_LAST), shown, width)
    if len(found) > len(shown):
        yield Text(f"and {text.plural(len(found) - len(shown), 'more setting')}, with --json")
    yield Text("")
    yield sections.said(_conclusion(tuning, found[0], interrupted=interrupted), "bold")
    yield from (Text(line) for line in block(tuning.best.values).splitlines() if tuning.best.values)
    for notice in _notices(tuning):
        yield sections.said(f"note: {notice}", "dim")


def as_plain(tuning: Tuning, *, interrupted: bool) -> dict[str, Any]:
    """Return all of it as JSON has it; times in seconds, None for what was not measured."""
    return {
        "app": tuning.app.name,
        "goal": tuning.goal,
        "interrupted": interrupted,
        "cores": list(tuning.cores),
        "best": {"setting": str(tuning.best), "app": tuning.best.document()},
        "settings": [
            {
                "setting": str(row.setting),
                "app": row.setting.document(),
                "default": row.setting == DEFAULT,
                "ratio": row.ratio,
                "spread": spread(row.decisive, row.compared),
                "full_speed": text.plain(tuning.at_full_speed.get(row.setting, ())),
                "own_pace": text.plain(tuning.at_own_pace.get(row.setting, ())),
            }
            for row in rows(tuning)
        ],
        "failed": {str(setting): error for setting, error in tuning.failures.items()},
        "notices": _notices(tuning),
    }


def _conclusion(tuning: Tuning, best: Row, *, interrupted: bool) -> str:
    so_far = " so far" if interrupted else ""
    if tuning.best == DEFAULT:
        gain = text.percent(MARGIN - 1)
        return f"the app is best as it is{so_far}: nothing was better by {gain} in every round"
    times = text.brief(best.ratio)
    if best.ratio is None and interrupted:
        gain = "not compared with the default yet"
    elif best.ratio is None:
        gain = f"the default has less than {text.percent(NEAR)} of the best rate"
    elif best.compared == "rate":
        gain = f"{times} times the rate of the default"
    else:
        gain = f"p99 is {times} times shorter than that of the default"
    return f"best{so_far}: {tuning.best}; {gain}"


def _notices(tuning: Tuning) -> list[str]:
    said = notices(tuning.app)
    trials = [*tuning.at_full_speed.values(), *tuning.at_own_pace.values()]
    if trials and (words := shortage(trials[0][0])):
        said.append(words)
    said += [f"{setting}: {error}" for setting, error in tuning.failures.items()]
    default = next((row for row in rows(tuning) if row.setting == DEFAULT), None)
    noise = default and spread(default.decisive, default.compared)
    if noise and noise > NOISY:
        said.append(
            f"trials of the default differ by {text.percent(noise)} (load "
            f"{text.brief(os.getloadavg()[0], 2)} on {text.plural(len(tuning.cores), 'core')}): "
            "smaller differences mean nothing; try it with nothing else running, or with longer "
            "trials (--seconds)"
        )
    return said
