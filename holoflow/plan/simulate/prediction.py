"""Predictions of an app on so many hosts, the best first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from holoflow.app.graph import App
from holoflow.plan.planner import plan
from holoflow.plan.simulate.build import Setting, build, check_setting
from holoflow.plan.simulate.costs import Costs
from holoflow.plan.simulate.limits import Limit, limit
from holoflow.plan.simulate.outcome import Outcome, PathOutcome
from holoflow.plan.simulate.pieces import cut, in_order, more_cuts
from holoflow.plan.simulate.placements import FEW, Places, all_places, count, search
from holoflow.plan.simulate.profile import Profile
from holoflow.plan.simulate.run import simulate

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
