"""Predictions of an app on so many hosts, the best first."""

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
    """Return the operators of each stage, each stage behind those that feed it."""
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
        # A cycle without a back edge is not a valid app; the first would do.
        ready = next((operators for operators in left if feeders[operators] <= done), left[0])
        left.remove(ready)
        ordered.append(ready)
        done.update(ready)
    return ordered


def cut(app: App, stages: Sequence[tuple[str, ...]], at: Sequence[int]) -> App:
    """Return `app` with fragments part-1, part-2 …, cut before the stages of these places."""
    bounds = [0, *sorted(at), len(stages)]
    fragments = {}
    for number, (first, last) in enumerate(pairwise(bounds), 1):
        operators = tuple(name for stage in stages[first:last] for name in stage)
        fragments[f"part-{number}"] = Fragment(f"part-{number}", operators)
    return replace(app, fragments=fragments)


def more_cuts(stages: int, at: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the places of one cut more than `at`."""
    for place in range(1, stages):
        if place not in at:
            yield (*at, place)


Places: TypeAlias = Mapping[str, str]
"""Names of hosts by fragment."""

FEW = 64
"""Ways that are all tried."""


def all_places(fragments: Sequence[str], hosts: int, pinned: Places) -> Iterator[Places]:
    """Yield every way to put `fragments` on at most so many hosts, keeping those `pinned`.

    Hosts are alike, so that only who is together counts. Those that have no name from `pinned`
    are called host-1, host-2 and so on.
    """
    for groups in _groups(len(fragments), hosts):
        named = _named(fragments, groups, pinned)
        if named is not None:
            yield named


def count(fragments: int, hosts: int, most: int) -> int:
    """Return how many ways there are, counted up to `most`."""
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
    """Return the hosts of groups; None where that does not go with `pinned`."""
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
    """Return a good way: beginning with one host, fragments move as long as it gets better.

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
    """Return the hosts that are used, and one that is not: empty ones are alike."""
    used = [name for name in names if name in places.values()]
    empty = [name for name in names if name not in places.values()]
    return [*used, *empty[:1]]


FRAMES = 500
"""Frames of each source that are simulated for each way to place fragments."""
ALIKE = 0.02
"""Rates that differ by less are alike, and the latency decides."""
NEAR = 0.2
"""Latencies that differ by less are alike, and fewer hosts are better."""


@dataclass(frozen=True)
class Prediction:
    """What is to be expected of an app whose fragments are at `places`."""

    app: App
    """With the fragments that it is cut into, where it has none of its own."""
    places: Places
    outcome: Outcome
    limit: Limit
    rate: float
    """Frames a second at the slowest sink."""

    @property
    def hosts(self) -> int:
        """How many hosts it takes."""
        return max(len(set(self.places.values())), 1)

    @property
    def path(self) -> PathOutcome | None:
        """The slowest path; None where no frame came to a sink."""
        return self.outcome.paths[0] if self.outcome.paths else None


def predict(
    app: App, places: Places, profile: Profile, costs: Costs, setting: Setting
) -> Prediction:
    """Return what is to be expected; raises HoloflowError where the run says too little."""
    model = build(app, places, profile, costs, setting)
    outcome = simulate(model, FRAMES)
    sending = {flow.source.operator for flow in app.flows}
    sinks = [name for name in app.operators if name not in sending]
    rate = min((outcome.rates[name] for name in sinks), default=0.0)
    return Prediction(app, places, outcome, limit(model, outcome), rate)


def ranked(predictions: list[Prediction]) -> list[Prediction]:
    """Return the best first.

    Those whose rate is about the highest come first, and of these those whose latency is about
    the lowest, on as few hosts as will do.
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
    """Return predictions for `app` on at most so many hosts, the best first.

    An app without fragments is cut into some between its stages. Raises HoloflowError where the
    run says too little.
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
    """Return predictions with more and more cuts, each beside the best ones before."""
    stages = in_order(plan(app))
    found = [of(app, {})]
    at: tuple[int, ...] = ()
    for _ in range(min(hosts, len(stages)) - 1):
        ways = list(more_cuts(len(stages), at))
        tried = {}
        for way in ways:
            parted = cut(app, stages, way)
            hosts_of = {name: f"host-{name.removeprefix('part-')}" for name in parted.fragments}
            tried[way] = of(parted, hosts_of)
        found += tried.values()
        best = ranked(list(tried.values()))[0]
        at = next(way for way, prediction in tried.items() if prediction is best)
    return found
