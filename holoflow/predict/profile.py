"""What a run has measured of an app, as far as a prediction needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from holoflow.app.graph import App
from holoflow.app.mistakes import short
from holoflow.core import text
from holoflow.core.errors import HoloflowError
from holoflow.core.text import percent
from holoflow.predict.costs import Costs, LinkName
from holoflow.stats.merge import merge
from holoflow.stats.snapshot import FlowStats, FragmentStats, OperatorStats, Snapshot

_PACED = 0.01
"""Least share of the time for which a source with a rate of its own holds frames back."""
_HELD = 0.05
"""Share of the time with a full queue behind it from which a source could have been faster."""
_CROWDED = 0.1
"""Share of the time spent waiting for a core from which measured working times are too long."""


@dataclass(frozen=True)
class Profile:
    """A run of the app, from which others are predicted."""

    snapshot: Snapshot
    operators: Mapping[str, OperatorStats]
    flows: Mapping[tuple[str, str], FlowStats]
    """By source and target, each as `operator.port`."""
    notes: tuple[str, ...]
    """What one should know about the run, a sentence each."""


def joined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return the run of which each host has left a part.

    Both hosts of a flow between them know all its counts; they are taken from the sender, which
    also knows the sizes of messages.
    """
    if len(snapshots) == 1:
        return snapshots[0]
    teller: dict[tuple[str, str], int] = {}
    for number, snapshot in enumerate(snapshots):
        for stats in snapshot.flows:
            if stats.size is not None:
                teller[stats.source, stats.target] = number
            else:
                teller.setdefault((stats.source, stats.target), number)
    return merge(
        [
            replace(
                snapshot,
                run=snapshots[0].run,
                flows=tuple(
                    stats if teller[stats.source, stats.target] == number else _uncounted(stats)
                    for stats in snapshot.flows
                ),
            )
            for number, snapshot in enumerate(snapshots)
        ]
    )


def _uncounted(stats: FlowStats) -> FlowStats:
    return replace(stats, sent=0, delivered=0, dropped={}, waiting=0, size=None)


def read_profile(snapshot: Snapshot, app: App) -> Profile:
    """Return what the run of `snapshot` says about `app`.

    Raises:
        HoloflowError: It is a run of another app, or does not say enough.
    """
    operators = {stats.name: stats for stats in snapshot.operators}
    flows = {(stats.source, stats.target): stats for stats in snapshot.flows}
    _check_app(snapshot, app, operators, flows)
    for name in app.operators:
        stats = operators[name]
        if not stats.frames:
            raise HoloflowError(
                f"operator {short(name)} was never called in this run",
                "take one in which all operators have worked",
            )
        if not stats.working.count:
            raise HoloflowError(
                f"the run has no working times of operator {short(name)}",
                "run it with --tracking on",
            )
    return Profile(snapshot, operators, flows, tuple(_notes(snapshot)))


def _check_app(
    snapshot: Snapshot,
    app: App,
    operators: Mapping[str, OperatorStats],
    flows: Mapping[tuple[str, str], FlowStats],
) -> None:
    """Raise HoloflowError if the run is not one of `app`."""
    other = f"the run is of app {short(snapshot.app)}, which is not {short(app.name)}"
    missing = [name for name in app.operators if name not in operators]
    if missing:
        raise HoloflowError(
            f"{other}: it has no operator {short(missing[0])}", "give --profile a run of this app"
        )
    for node in app.operators.values():
        ran = operators[node.name].type
        if ran != node.type_name:
            raise HoloflowError(
                f"operator {short(node.name)} was {short(ran)} in the run, and is "
                f"{short(node.type_name)} in the app",
                "run the app once more",
            )
    wanted = {(str(flow.source), str(flow.target)) for flow in app.flows}
    if missing_flows := sorted(wanted - flows.keys()):
        source, target = missing_flows[0]
        raise HoloflowError(
            f"the run has no flow {source} -> {target}", "run the app once more as it is now"
        )


def _notes(snapshot: Snapshot) -> list[str]:
    notes = []
    crowded = max((f.machine.crowded or 0.0 for f in snapshot.fragments), default=0.0)
    if crowded > _CROWDED:
        notes.append(
            f"in the run, threads had to wait for a core {percent(crowded)} of the time; that is "
            "taken out of the working times. If other programs need cores, too, "
            "--cores says what is left"
        )
    gil = max((f.machine.gil or 0.0 for f in snapshot.fragments), default=0.0)
    if gil > _CROWDED:
        notes.append(
            f"in the run, threads had to wait for Python's interpreter lock {percent(gil)} of the "
            "time; operators that come into processes of their own would do better"
        )
    if any(fragment.engine == "inline" for fragment in snapshot.fragments):
        notes.append("the run was one of the inline engine, which does one thing after the other")
    return notes


def seconds_of(snapshot: Snapshot, operator: OperatorStats) -> float:
    """Return for how many seconds the process of an operator has run."""
    found = [f.seconds for f in snapshot.fragments if operator.fragment in f.name.split("+")]
    return max(found, default=0.0) or snapshot.seconds


def pace_of(profile: Profile, name: str) -> tuple[float | None, str]:
    """Return the frames per second of a source, and a note on them, if any.

    The rate is None if the source delivers frames as fast as they are taken.
    """
    stats = profile.operators[name]
    seconds = seconds_of(profile.snapshot, stats)
    if not stats.live and stats.paced < _PACED * seconds:
        return None, ""
    rate = (stats.calls + sum(stats.dropped.values())) / seconds
    if stats.held > _HELD * seconds:
        return rate, (
            f"source {name} was held up in the run, so that its {text.brief(rate)} frames/s may "
            f"not be all it can; --rate {name}=30hz says what it gives"
        )
    return rate, ""


_BACKGROUND = 0.1
"""Share of a core that a process keeps busy besides all calls; anything more is due to calls."""
_EXPLAINED = 0.9
"""Share of its time in which an operator computes or waits for a core from which it does nothing
else: it neither sleeps nor waits for a device."""


def waiting_for_core(profile: Profile, name: str) -> float:
    """Return the share of an operator's working times in which it had to wait for a core.

    Linux counts how long the threads of a process wait for one, and how long they run. An operator
    that only computes has waited for the rest of its time. For one that also sleeps or waits for a
    device this is unknown, and it counts as not having waited.
    """
    process = _process(profile, name)
    crowded = 0.0 if process is None else process.machine.crowded or 0.0
    share = own_share(profile, name)
    computes = share / max(1 - crowded, 1e-3) >= _EXPLAINED
    return 1 - share if computes and share > 0 else 0.0


def cores_of(profile: Profile, name: str) -> float:
    """Return how many cores a call of an operator keeps busy while it does not wait for one.

    A heavy operator (inference) also works in threads of its library, which account for the rest of
    the CPU time of the process.
    """
    stats = profile.operators[name]
    working = 1 - waiting_for_core(profile, name)
    share = own_share(profile, name) / working
    process = _process(profile, name)
    if not stats.heavy or process is None:
        return share
    own = _operators(profile, process)
    known = sum(b.busy * (1.0 if b.cpu is None else b.cpu) for b in own)
    rest = max(process.machine.cpu - known - _BACKGROUND * process.seconds, 0.0)
    heavy = sum(b.busy for b in own if b.heavy)
    more = rest / (heavy * working) if heavy > 0 else 0.0
    return min(share + more, float(process.machine.cores))


def own_share(profile: Profile, name: str) -> float:
    """Return the share of an operator's working times in which it computed, 0 to 1.

    The sampled share is that of its whole stage, which also packs and sends.
    """
    stats = profile.operators[name]
    if stats.cpu is None:
        return 1.0
    process = _process(profile, name)
    stage = [b for b in profile.operators.values() if b.stage == stats.stage]
    busy = sum(b.busy for b in stage)
    if process is None or busy <= 0:
        return stats.cpu
    beside = _beside(profile, process) * max(b.calls for b in stage)
    return min(max((stats.cpu * (busy + beside) - beside) / busy, 0.0), 1.0)


def overhead_of(profile: Profile, name: str, costs: Costs) -> tuple[float, bool]:
    """Return the seconds that a call of the operator's stage takes besides its operators' work.

    Returns:
        The seconds, and whether they were measured in the run; if not, they are those of `costs`.
    """
    process = _process(profile, name)
    if process is None or not _ticks(profile, process):
        return costs.overhead, False
    own = _operators(profile, process)
    links = _linking(profile, own, costs) / max(_calls(own), 1)
    return max(_beside(profile, process) - links, costs.overhead), True


def _process(profile: Profile, name: str) -> FragmentStats | None:
    """Return the process in which an operator ran; None if it is unknown."""
    fragment = profile.operators[name].fragment
    found = [p for p in profile.snapshot.fragments if fragment in p.name.split("+")]
    return max(found, key=lambda process: process.seconds, default=None)


def _operators(profile: Profile, process: FragmentStats) -> list[OperatorStats]:
    names = process.name.split("+")
    return [stats for stats in profile.operators.values() if stats.fragment in names]


def _calls(own: Sequence[OperatorStats]) -> int:
    """Return the number of calls of stages."""
    return sum(stats.calls for stats in own if stats.stage.split("+")[0] == stats.name)


def _ticks(profile: Profile, process: FragmentStats) -> float:
    """Return the seconds for which the workers of a process were busy."""
    return sum(w.busy for w in profile.snapshot.workers if w.fragment == process.name)


def _beside(profile: Profile, process: FragmentStats) -> float:
    """Return the seconds per call of a stage in which none of its operators worked."""
    own = _operators(profile, process)
    spent = _ticks(profile, process) - sum(stats.busy for stats in own)
    return max(spent, 0.0) / max(_calls(own), 1)


def _linking(profile: Profile, own: Sequence[OperatorStats], costs: Costs) -> float:
    """Return the seconds that stages spent on links in the run."""
    names = {stats.name for stats in own}
    spent = 0.0
    for stats in profile.flows.values():
        kind = link_name(stats.link, across=False, encrypt=False)
        if kind is None or stats.size is None:
            continue
        link = costs.links[kind]
        if stats.producer in names:
            spent += stats.sent * link.send.at(stats.size)
        if stats.consumer in names:
            spent += stats.delivered * link.receive.at(stats.size)
    return spent


def link_name(link: str, *, across: bool, encrypt: bool) -> LinkName | None:
    """Return the name under which the costs of a flow's link are known; None if it has none."""
    if link == "shared_memory":
        return "shared_memory"
    if link == "zeromq":
        return ("zeromq_encrypted" if encrypt else "zeromq") if across else "zeromq_local"
    return None
