"""Predictions of an app on a number of hosts, best first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from holoflow.app.graph import App, Fragment
from holoflow.plan.plan import Plan
from holoflow.plan.planner import plan
from holoflow.predict.build import Setting, build, check_setting
from holoflow.predict.costs import Costs
from holoflow.predict.model import Outcome, PathOutcome
from holoflow.predict.profile import Profile
from holoflow.predict.run import Limit, limit, simulate


def in_order(planned: Plan) -> list[tuple[str, ...]]:
    """Return the operators of each stage, each stage after those that feed it."""
    left = [stage.operators for stage in planned.stages]
    feeders = {
        operators: {
            flow.source.operator
            for flow in planned.flows
            if flow.target.operator in operators
            and not flow.back_edge
            and flow.source.operator not in operators
        }
        for operators in left
    }
    done: set[str] = set()
    ordered = []
    while left:
        # A cycle without a back edge is not valid; any order would do.
        ready = next((operators for operators in left if feeders[operators] <= done), left[0])
        left.remove(ready)
        ordered.append(ready)
        done.update(ready)
    return ordered


def cut(app: App, stages: Sequence[tuple[str, ...]], at: Sequence[int]) -> App:
    """Return `app` with fragments part-1, part-2 …, cut before the stages at these positions."""
    bounds = [0, *sorted(at), len(stages)]
    fragments = {}
    for number, (first, last) in enumerate(pairwise(bounds), 1):
        operators = tuple(name for stage in stages[first:last] for name in stage)
        fragments[f"part-{number}"] = Fragment(f"part-{number}", operators)
    return replace(app, fragments=fragments)


def more_cuts(stages: int, at: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the positions `at` with one more cut."""
    for place in range(1, stages):
        if place not in at:
            yield (*at, place)


Places: TypeAlias = Mapping[str, str]
"""Names of hosts by fragment."""

FEW = 64
"""Number of placements up to which all of them are tried."""


def all_places(fragments: Sequence[str], hosts: int, pinned: Places) -> Iterator[Places]:
    """Yield every placement of `fragments` on at most `hosts` hosts that keeps those `pinned`.

    Hosts are alike, so only which fragments are together matters. Hosts without a name in `pinned`
    are called host-1, host-2 and so on.
    """
    for groups in _groups(len(fragments), hosts):
        named = _named(fragments, groups, pinned)
        if named is not None:
            yield named


def count(fragments: int, hosts: int, most: int) -> int:
    """Return the number of placements, counted up to `most`."""
    found = 0
    for _ in _groups(fragments, hosts):
        found += 1
        if found >= most:
            break
    return found


def _groups(size: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield the partitions of a set: for each item its group, new groups in order."""
    if not size:
        yield ()
        return
    for before in _groups(size - 1, most):
        known = max(before, default=-1) + 1
        for group in range(min(known + 1, most)):
            yield (*before, group)


def _named(fragments: Sequence[str], groups: Sequence[int], pinned: Places) -> Places | None:
    """Return the hosts of groups; None if that contradicts `pinned`."""
    names: dict[int, str] = {}
    for fragment, group in zip(fragments, groups, strict=True):
        if fragment in pinned and names.setdefault(group, pinned[fragment]) != pinned[fragment]:
            return None
    if len(set(names.values())) < len(names):
        return None
    fresh = fresh_names(set(names.values()))
    for group in groups:
        if group not in names:
            names[group] = next(fresh)
    return {fragment: names[group] for fragment, group in zip(fragments, groups, strict=True)}


def fresh_names(taken: set[str]) -> Iterator[str]:
    """Yield names for hosts that are not `taken`."""
    number = 0
    while True:
        number += 1
        if f"host-{number}" not in taken:
            yield f"host-{number}"


def search(
    fragments: Sequence[str], hosts: int, pinned: Places, better: Callable[[Places, Places], bool]
) -> Places:
    """Return a good placement, found by moving fragments from one host as long as it gets better.

    `better(a, b)` says whether a is better than b.
    """
    names = list(dict.fromkeys(pinned.values()))
    fresh = fresh_names(set(names))
    while len(names) < hosts:
        names.append(next(fresh))
    best: Places = {fragment: pinned.get(fragment, names[0]) for fragment in fragments}
    moved = True
    while moved:
        moved = False
        for fragment in fragments:
            if fragment in pinned:
                continue
            for place in _choices(best, names):
                tried = {**best, fragment: place}
                if place != best[fragment] and better(tried, best):
                    best, moved = tried, True
    return best


def _choices(places: Places, names: Sequence[str]) -> list[str]:
    """Return the hosts in use and one that is not, as empty hosts are alike."""
    used = [name for name in names if name in places.values()]
    empty = [name for name in names if name not in places.values()]
    return [*used, *empty[:1]]


FRAMES = 500
"""Frames of each source that are simulated for each placement."""
ALIKE = 0.02
"""Rates that differ by less count as equal, and the latency decides."""
NEAR = 0.2
"""Latencies that differ by less count as equal, and the number of hosts decides."""


@dataclass(frozen=True)
class Prediction:
    """What to expect of an app whose fragments are at `places`."""

    app: App
    """The app; if it had no fragments, with those that it was cut into."""
    places: Places
    outcome: Outcome
    limit: Limit
    rate: float
    """Frames per second at the slowest sink."""

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return max(len(set(self.places.values())), 1)

    @property
    def path(self) -> PathOutcome | None:
        """The slowest path; None if no frame reached a sink."""
        return self.outcome.paths[0] if self.outcome.paths else None


def predict(
    app: App, places: Places, profile: Profile, costs: Costs, setting: Setting
) -> Prediction:
    """Return what to expect of `app` with its fragments at `places`.

    Raises:
        HoloflowError: The run does not say enough.
    """
    model = build(app, places, profile, costs, setting)
    outcome = simulate(model, FRAMES)
    sending = {flow.source.operator for flow in app.flows}
    sinks = [name for name in app.operators if name not in sending]
    rate = min((outcome.rates[name] for name in sinks), default=0.0)
    return Prediction(app, places, outcome, limit(model, outcome), rate)


def ranked(predictions: list[Prediction]) -> list[Prediction]:
    """Return the predictions, best first.

    Those with nearly the highest rate come first, of these those with nearly the lowest latency,
    and of these those with the fewest hosts.
    """
    most = max((prediction.rate for prediction in predictions), default=0.0)
    enough = most * (1 - ALIKE)
    least = min((_latency(p) for p in predictions if p.rate >= enough), default=0.0)

    def key(prediction: Prediction) -> tuple[int, float, float]:
        latency = _latency(prediction)
        if prediction.rate < enough:
            return (2, -prediction.rate, latency)
        if latency > least * (1 + NEAR):
            return (1, latency, prediction.hosts)
        return (0, prediction.hosts, latency)

    return sorted(predictions, key=key)


def _latency(prediction: Prediction) -> float:
    return prediction.path.p50 if prediction.path else float("inf")


def predictions(
    app: App,
    hosts: int,
    profile: Profile,
    costs: Costs,
    setting: Setting,
    pinned: Mapping[str, str],
) -> list[Prediction]:
    """Return predictions for `app` on at most so many `hosts`, best first.

    An app without fragments is cut into fragments between its stages.

    Args:
        app: The app.
        hosts: Largest number of hosts.
        profile: What a run of the app has measured.
        costs: What links cost.
        setting: The hosts and the network.
        pinned: Hosts of fragments that must not be moved.

    Raises:
        HoloflowError: The run does not say enough.
    """
    check_setting(app, setting)

    def of(tried: App, places: Places) -> Prediction:
        return predict(tried, places, profile, costs, setting)

    if not app.fragments:
        return ranked(_cut(app, hosts, of))
    names = list(app.fragments)
    if count(len(names), hosts, FEW + 1) <= FEW:
        return ranked([of(app, places) for places in all_places(names, hosts, pinned)])
    return ranked(_search(app, hosts, pinned, of))


def _search(
    app: App, hosts: int, pinned: Mapping[str, str], of: Callable[[App, Places], Prediction]
) -> list[Prediction]:
    tried: dict[tuple[str, ...], Prediction] = {}

    def prediction(places: Places) -> Prediction:
        key = tuple(places.values())
        if key not in tried:
            tried[key] = of(app, places)
        return tried[key]

    def better(one: Places, other: Places) -> bool:
        pair = [prediction(other), prediction(one)]
        return ranked(pair)[0] is pair[1]

    search(list(app.fragments), hosts, pinned, better)
    return list(tried.values())


def _cut(app: App, hosts: int, of: Callable[[App, Places], Prediction]) -> list[Prediction]:
    """Return predictions with more and more cuts, each next to the best ones before."""
    stages = in_order(plan(app))
    found = [of(app, {})]
    at: tuple[int, ...] = ()
    for _ in range(min(hosts, len(stages)) - 1):
        tries = list(more_cuts(len(stages), at))
        tried = {}
        for cuts in tries:
            parted = cut(app, stages, cuts)
            hosts_of = {name: f"host-{name.removeprefix('part-')}" for name in parted.fragments}
            tried[cuts] = of(parted, hosts_of)
        found += tried.values()
        best = ranked(list(tried.values()))[0]
        at = next(cuts for cuts, prediction in tried.items() if prediction is best)
    return found
