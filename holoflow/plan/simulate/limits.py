"""What limits a simulated run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.plan.simulate.model import Model
from holoflow.plan.simulate.outcome import Outcome, Resource, ResourceKind

FULL = 0.93
"""Share from which something is taken to be fully used."""
_KEPT = 0.98
"""Share of its own pace that a source must come to."""

LimitKind: TypeAlias = "ResourceKind | Literal['pace', 'queue', 'stuck']"

_WORDS: Mapping[ResourceKind, str] = {
    "stage": "{name} works all the time",
    "workers": "the workers of fragment {name} are all busy",
    "cores": "the cores of {name} are all busy",
    "link": "the link's threads of {name} are always busy",
    "network": "the network {name} is full",
}
_RANKS: Mapping[ResourceKind, int] = {"cores": 0, "network": 1, "link": 2, "stage": 3, "workers": 4}
"""What comes first where several are full: cores that are short keep everything else busy."""


@dataclass(frozen=True)
class Limit:
    """What limits it."""

    kind: LimitKind
    where: str
    used: float
    """Share of the time in which it is used, 0 to 1."""
    words: str


def limit(model: Model, outcome: Outcome) -> Limit:
    """Return what limits the rate of `outcome`."""
    if outcome.stuck:
        return Limit("stuck", "", 0.0, "it comes to a stop: what is waited for never comes")
    full = [resource for resource in outcome.resources if resource.used >= FULL]
    if full:
        first = min(full, key=lambda resource: (_RANKS[resource.kind], -resource.used))
        words = _WORDS[first.kind].format(name=first.name)
        return Limit(first.kind, first.name, first.used, f"{words} ({first.used:.0%})")
    busiest = _said(outcome.resources[0]) if outcome.resources else "nothing busy"
    late = _late(model, outcome)
    if late is None:
        return Limit("pace", "", 0.0, f"the pace of the sources ({busiest})")
    words = f"{busiest}, and queues too short for how times vary, or for the way to another host"
    return Limit("queue", late, 0.0, words)


def _said(resource: Resource) -> str:
    what = {"stage": "", "workers": "workers of ", "cores": "cores of ", "link": "link of "}
    kind = what.get(resource.kind, "network ")
    return f"{kind}{resource.name} {resource.used:.0%} busy"


def _late(model: Model, outcome: Outcome) -> str | None:
    """Return a source that does not come to its pace."""
    for stage in model.stages:
        if stage.pace is not None:
            name, rate = stage.work[0].operator, stage.pace.rate
            if rate is None or outcome.rates[name] < _KEPT * rate:
                return name
    return None
