"""What a run has measured of an app, as far as a simulation needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from holoflow.app.graph import App
from holoflow.app.report import short
from holoflow.errors import HoloflowError
from holoflow.flow.books import FlowBooks, OperatorBooks, Snapshot
from holoflow.flow.merge import merge

_PACED = 0.01
"""Share of the time for which a source with a pace of its own holds frames back, at least."""
_HELD = 0.05
"""Share of the time for which a queue behind it was full from which it could have gone faster."""
_CROWDED = 0.1
"""Share of the time in which threads wait for a core from which working times are too long."""


@dataclass(frozen=True)
class Profile:
    """A run of the app, from which others are predicted."""

    snapshot: Snapshot
    operators: Mapping[str, OperatorBooks]
    flows: Mapping[tuple[str, str], FlowBooks]
    """By source and target, each `operator.port`."""
    notes: tuple[str, ...]
    """What is to be known of the run, a sentence each."""


def joined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Return the run of which each host has left a part.

    Of a flow between two hosts both know all counts; they are taken from the sender's, which
    knows sizes, too.
    """
    if len(snapshots) == 1:
        return snapshots[0]
    teller: dict[tuple[str, str], int] = {}
    for number, snapshot in enumerate(snapshots):
        for books in snapshot.flows:
            if books.size is not None:
                teller[books.source, books.target] = number
            else:
                teller.setdefault((books.source, books.target), number)
    return merge(
        [
            replace(
                snapshot,
                run=snapshots[0].run,
                flows=tuple(
                    books if teller[books.source, books.target] == number else _uncounted(books)
                    for books in snapshot.flows
                ),
            )
            for number, snapshot in enumerate(snapshots)
        ]
    )


def _uncounted(books: FlowBooks) -> FlowBooks:
    return replace(books, sent=0, delivered=0, dropped={}, waiting=0, size=None)


def read_profile(snapshot: Snapshot, app: App) -> Profile:
    """Return what the run of `snapshot` says of `app`.

    Raises HoloflowError where it is a run of something else, or says too little.
    """
    operators = {books.name: books for books in snapshot.operators}
    flows = {(books.source, books.target): books for books in snapshot.flows}
    _check_app(snapshot, app, operators, flows)
    for name in app.operators:
        books = operators[name]
        if not books.frames:
            raise HoloflowError(
                f"operator {short(name)} was never called in this run; take one in which all "
                "operators have worked"
            )
        if not books.working.count:
            raise HoloflowError(
                f"the run has no working times of operator {short(name)}; run it with --tracking on"
            )
    return Profile(snapshot, operators, flows, tuple(_notes(snapshot)))


def _check_app(
    snapshot: Snapshot,
    app: App,
    operators: Mapping[str, OperatorBooks],
    flows: Mapping[tuple[str, str], FlowBooks],
) -> None:
    """Raise HoloflowError where the run is not one of `app`."""
    other = f"the run is of app {short(snapshot.app)}, which is not {short(app.name)}"
    missing = [name for name in app.operators if name not in operators]
    if missing:
        raise HoloflowError(
            f"{other}: it has no operator {short(missing[0])}; give --profile a run of this app"
        )
    for node in app.operators.values():
        ran = operators[node.name].type
        if ran != node.type_name:
            raise HoloflowError(
                f"operator {short(node.name)} was {short(ran)} in the run, and is "
                f"{short(node.type_name)} in the app; run the app once more"
            )
    for flow in app.flows:
        ends = (app.operators[end.operator] for end in (flow.source, flow.target))
        if all(node.native is not None for node in ends):
            raise HoloflowError(
                f"flow {flow.source} -> {flow.target} joins two of Holoscan's own operators; it is "
                "not counted, and cannot be simulated"
            )
    ways = {(str(flow.source), str(flow.target)) for flow in app.flows}
    if missing_flows := sorted(ways - flows.keys()):
        source, target = missing_flows[0]
        raise HoloflowError(
            f"the run has no flow {source} -> {target}; run the app once more as it is now"
        )


def _notes(snapshot: Snapshot) -> list[str]:
    notes = []
    crowded = max((f.machine.crowded or 0.0 for f in snapshot.fragments), default=0.0)
    if crowded > _CROWDED:
        notes.append(
            f"in the run, threads had to wait for a core {crowded:.0%} of the time; that is taken "
            "out of the working times. If other programs need cores, too, --cores says what is left"
        )
    gil = max((f.machine.gil or 0.0 for f in snapshot.fragments), default=0.0)
    if gil > _CROWDED:
        notes.append(
            f"in the run, threads had to wait for Python's interpreter lock {gil:.0%} of the "
            "time; operators that come into processes of their own would do better"
        )
    if any(fragment.engine == "inline" for fragment in snapshot.fragments):
        notes.append("the run was one of the inline engine, which does one thing after the other")
    return notes


def seconds_of(snapshot: Snapshot, operator: OperatorBooks) -> float:
    """Return how long the process of an operator has run."""
    found = [f.seconds for f in snapshot.fragments if operator.fragment in f.name.split("+")]
    return max(found, default=0.0) or snapshot.seconds


def pace_of(profile: Profile, name: str) -> tuple[float | None, str]:
    """Return the frames a second of a source, and what there is to say of them.

    None where the source gives frames as fast as they are taken.
    """
    books = profile.operators[name]
    seconds = seconds_of(profile.snapshot, books)
    if not books.live and books.paced < _PACED * seconds:
        return None, ""
    rate = (books.calls + sum(books.dropped.values())) / seconds
    if books.held > _HELD * seconds:
        return rate, (
            f"source {name} was held up in the run, so that its {rate:.3g} frames/s may not be "
            f"all it can; --rate {name}=30hz says what it gives"
        )
    return rate, ""
