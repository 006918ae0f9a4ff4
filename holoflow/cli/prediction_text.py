"""What `holoflow predict` shows: the best way to place fragments, the others, what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from holoflow.cli import sections
from holoflow.cli.tables import table
from holoflow.core import text
from holoflow.predict.profile import overhead_of, pace_of
from holoflow.report.measures import rate_in, statistic

if TYPE_CHECKING:
    from rich.console import RenderableType

    from holoflow.app.graph import App
    from holoflow.predict.build import Setting
    from holoflow.predict.costs import Costs
    from holoflow.predict.model import Outcome
    from holoflow.predict.prediction import Prediction
    from holoflow.predict.profile import Profile
    from holoflow.stats.snapshot import PathStats

SHOWN = 12
"""Ways to place fragments in the table; the rest is in the JSON."""
_RESOURCES = 6
_WAYS = (
    (0, "placement"), (0, "hosts"), (0, "rate /s"), (0, "p50 ms"), (60, "p99 ms"),
    (90, "limited by"),
)  # fmt: skip


def parts(
    app: App, found: Sequence[Prediction], profile: Profile, costs: Costs, setting: Setting,
    width: int,
) -> Iterator[RenderableType]:  # fmt: skip
    """Yield all of it, top to bottom, for a terminal of `width`."""
    best = found[0]
    yield sections.said(f"{app.name}: best on {text.plural(best.hosts, 'host')}", "bold")
    yield from (sections.said(line) for line in _places(best))
    if not app.fragments and best.app.fragments:
        yield sections.said("the app has no fragments; with these it could be spread so:")
        yield from (sections.said(f"  {line}") for line in _fragments(best))
    yield Text("")
    yield sections.heading("slowest path, and frames at the slowest sink")
    rows = [_measured_row(profile), *map(_row, found[:SHOWN])]
    yield table(_WAYS, rows, width)
    if len(found) > SHOWN:
        yield Text(f"and {len(found) - SHOWN} more ways, with --json")
    yield Text("")
    yield sections.heading("what is used most, in the best one")
    yield table(
        ((0, "what"), (0, "used")),
        [
            {"what": f"{r.kind} {r.name}", "used": text.percent(r.used)}
            for r in best.outcome.resources[:_RESOURCES]
        ],
        width,
    )
    dropped = _dropped(best.outcome)
    if dropped:
        yield Text("")
        yield from (sections.said(f"dropped {line}") for line in dropped)
    yield Text("")
    yield sections.heading("what this rests on")
    yield from (sections.said(line) for line in rests_on(app, profile, costs, setting))


def as_plain(
    app: App, found: Sequence[Prediction], profile: Profile, costs: Costs, setting: Setting
) -> dict[str, Any]:
    """Return all of it as JSON has it; times in seconds."""
    slowest = _slowest(profile)
    return {
        "app": app.name,
        "best": _plain(found[0]),
        "alternatives": [_plain(prediction) for prediction in found[1:]],
        "measured": {
            "rate": _measured_rate(profile),
            "path": slowest.name if slowest else None,
            "p50": slowest.end_to_end.quantile(0.5) if slowest else None,
            "p99": slowest.end_to_end.quantile(0.99) if slowest else None,
        },
        "setting": {
            "cores": setting.cores, "shared": setting.shared, "bandwidth": setting.bandwidth,
            "delay": setting.delay, "encrypt": setting.encrypt, "rates": dict(setting.rates),
        },
        "rests_on": rests_on(app, profile, costs, setting),
    }  # fmt: skip


def _plain(prediction: Prediction) -> dict[str, Any]:
    outcome, path = prediction.outcome, prediction.path
    return {
        "places": dict(prediction.places),
        "fragments": {
            name: list(fragment.operators) for name, fragment in prediction.app.fragments.items()
        },
        "hosts": prediction.hosts,
        "rate": prediction.rate,
        "p50": path.p50 if path else None,
        "p99": path.p99 if path else None,
        "limit": {
            "kind": prediction.limit.kind, "where": prediction.limit.where,
            "used": prediction.limit.used, "words": prediction.limit.words,
        },
        "rates": dict(outcome.rates),
        "paths": [
            {"name": p.name, "frames": p.frames, "mean": p.mean, "p50": p.p50, "p99": p.p99}
            for p in outcome.paths
        ],
        "resources": [
            {"kind": r.kind, "name": r.name, "used": r.used} for r in outcome.resources
        ],
        "flows": [
            {
                "name": flow.name, "sent": flow.sent, "delivered": flow.delivered,
                "dropped": dict(flow.dropped),
            }
            for flow in outcome.flows
        ],
        "lost": dict(outcome.lost),
    }  # fmt: skip


def rests_on(app: App, profile: Profile, costs: Costs, setting: Setting) -> list[str]:
    """Return what the predictions rest on, a sentence each."""
    last = profile.snapshot
    fewest = min(profile.operators[name].calls for name in app.operators)
    where = sorted({fragment.host for fragment in last.fragments})
    lines = [
        f"the run: working times of all operators, {fewest:,} calls or more each, in "
        f"{text.duration(last.seconds)} on {', '.join(where)}; sizes of messages, one in 64",
        f"links, waking, background: measured on {costs.measured}; "
        "`holoflow predict --calibrate` measures this machine",
    ]
    measured = [overhead_of(profile, name, costs)[1] for name in app.operators]
    lines.append(
        "what a call takes besides its operator: from the run"
        if all(measured)
        else "what a call takes besides its operator: measured with the links"
    )
    cores = f"{text.brief(setting.cores)} cores"
    encryption = {None: "as the app says", True: "on", False: "off"}[setting.encrypt]
    lines.append(
        f"assumed: {cores} {'for all hosts together' if setting.shared else 'on each host'}, "
        f"{text.brief(setting.bandwidth / 1e6)} Mbit/s each way, {text.duration(setting.delay)} "
        f"from host to host, encryption {encryption}; hosts as fast as that of the run; each "
        "fragment's GPU is its own"
    )
    fed = {flow.target.operator for flow in app.flows}
    for name in app.operators:
        if name not in fed:
            rate, note = pace_of(profile, name)
            given = setting.rates.get(name, rate)
            gives = "as fast as it is let" if given is None else f"{text.brief(given)} frames/s"
            lines.append(f"source {name}: {gives}")
            if note and name not in setting.rates:
                lines.append(note)
    unknown = [name for name in app.operators if profile.operators[name].cpu is None]
    if unknown:
        lines.append(
            f"CPU time of {', '.join(unknown[:8])} was not sampled: taken to be all of the working "
            "time"
        )
    batches = [name for name in app.operators if profile.operators[name].batch > 1]
    if batches:
        lines.append(f"batches of {', '.join(batches[:8])}: what waits is taken at once")
    return [*lines, *profile.notes]


def _places(prediction: Prediction) -> list[str]:
    hosts: dict[str, list[str]] = {}
    for fragment, host in prediction.places.items():
        hosts.setdefault(host, []).append(fragment)
    return [f"  {host}: {', '.join(fragments)}" for host, fragments in hosts.items()]


def _fragments(prediction: Prediction) -> list[str]:
    lines = ["fragments:"]
    for name, fragment in prediction.app.fragments.items():
        operators = ", ".join(fragment.operators)
        host = prediction.places[name]
        lines.append(f"  {name}: {{operators: [{operators}], host: {host}}}")
    return lines


def _where(places: Mapping[str, str]) -> str:
    hosts: dict[str, list[str]] = {}
    for fragment, host in places.items():
        hosts.setdefault(host, []).append(fragment)
    return " | ".join("+".join(fragments) for fragments in hosts.values()) or "one process"


def _row(prediction: Prediction) -> dict[str, str]:
    path = prediction.path
    where = _where(prediction.places)
    if prediction.app.fragments and all(n.startswith("part-") for n in prediction.app.fragments):
        where = " | ".join("+".join(f.operators) for f in prediction.app.fragments.values())
    return {
        "placement": where,
        "hosts": str(prediction.hosts),
        "rate /s": text.number(prediction.rate),
        "p50 ms": text.milliseconds(path.p50 if path else None),
        "p99 ms": text.milliseconds(path.p99 if path else None),
        "limited by": prediction.limit.words,
    }


def _measured_row(profile: Profile) -> dict[str, str]:
    slowest = _slowest(profile)
    hosts = {fragment.host for fragment in profile.snapshot.fragments}
    return {
        "placement": "(measured)",
        "hosts": str(len(hosts)),
        "rate /s": text.number(_measured_rate(profile)),
        "p50 ms": statistic(slowest.end_to_end, "p50") if slowest else text.NOT_MEASURED,
        "p99 ms": statistic(slowest.end_to_end, "p99") if slowest else text.NOT_MEASURED,
        "limited by": "",
    }


def _slowest(profile: Profile) -> PathStats | None:
    paths = [path for path in profile.snapshot.paths if path.frames]
    return max(paths, key=lambda path: path.end_to_end.quantile(0.5), default=None)


def _measured_rate(profile: Profile) -> float:
    sending = {flow.producer for flow in profile.snapshot.flows}
    sinks = [stats for stats in profile.snapshot.operators if stats.name not in sending]
    return min((rate_in(profile.snapshot, stats) or 0.0 for stats in sinks), default=0.0)


def _dropped(outcome: Outcome) -> list[str]:
    lines = [
        f"{flow.name}: {text.causes(flow.dropped)} of {flow.sent:,}"
        for flow in outcome.flows
        if any(flow.dropped.values())
    ]
    return [*lines, *(f"by the device of {name}: {lost:,}" for name, lost in outcome.lost.items())]
