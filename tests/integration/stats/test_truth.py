"""What tracking says, against what the operators have noted down by themselves.

Operators wait for drawn times and note when they began and ended; payloads know what they were
made of. An independent model (`support.truth`) has the times of all paths, operators and flows
from these notes and what the engine read from its clock beside them. Counts and drops must be
equal, times within 2% at every percentile, what a histogram is off; and the engine must have read
its clock when operators begin and end.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import truth
from support.graphs import EVENT2, GREEDY, INLINE, MULTITHREAD2, Engine, Run, app, flow, node, run
from support.truth import (
    MS,
    Gathered,
    Glance,
    Meet,
    Notes,
    Piece,
    Recording,
    Scene,
    Several,
    Turn,
    Work,
    watch_clock,
)  # fmt: skip

from holoflow.app.graph import App, Sync
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats

SHARE = 0.02
LEAST = 1_000
"""Nanoseconds that a time may be off, however short."""
STAMP = 500_000
"""Nanoseconds between an operator's reading of the clock and the engine's beside it."""
PROMPT = 0.8
"""Share of the readings for which this holds. A thread may lose its core just between the two, for
milliseconds: that hits few of them, a mistake of the engine's all."""

PERCENTILES = (50, 90, 95, 99)


# -- graphs ----------------------------------------------------------------------------------


def chain() -> App:
    return app(
        [node("s", Scene), node("a", Work), node("b", Work, {"spin": True}), node("c", Work)],
        [flow("s", "a"), flow("a", "b"), flow("b", "c")],
    )


def fan_out() -> App:
    return app(
        [node("s", Scene), node("a", Work), node("b", Work), node("c", Work)],
        [flow("s", "a"), flow("s", "b"), flow("a", "c")],
    )


def join() -> App:
    return app(
        [node("s", Scene), node("t", Scene), node("a", Work), node("j", Meet), node("c", Work)],
        [flow("s", "a"), flow("a", "j.a"), flow("t", "j.b"), flow("j", "c")],
    )


def sync() -> App:
    """Each of t serves two of s; some of either find nobody."""
    return app(
        [
            node("s", Recording, {"n": 32}),
            node("t", Recording, {"n": 14, "period": 23, "offset": 4}),
            node("a", Work),
            node("j", Meet, sync=Sync("a", 0.008)),
            node("c", Work),
        ],
        [flow("s", "j.a"), flow("t", "a"), flow("a", "j.b"), flow("j", "c")],
    )


def diamond() -> App:
    return app(
        [
            node("s", Scene), node("a", Work), node("b", Work, {"median": 6.0}),
            node("j", Meet), node("c", Work),
        ],
        [flow("s", "a"), flow("s", "b"), flow("a", "j.a"), flow("b", "j.b"), flow("j", "c")],
    )  # fmt: skip


def lossy(when_full: Any) -> App:
    return app(
        [
            node("s", Scene, {"n": 14}), node("g", Several, {"times": 5, "slow": 1}),
            node("a", Work, {"median": 6.0}), node("c", Work),
        ],
        [flow("s", "g"), flow("g", "a", queue=2, when_full=when_full), flow("a", "c")],
    )  # fmt: skip


def latest() -> App:
    """The trigger outlives the other by far, which sends two at once."""
    return app(
        [
            node("s", Scene), node("t", Scene, {"n": 20, "burst": 2, "median": 2.5}),
            node("l", Glance), node("c", Work),
        ],
        [flow("s", "l.x"), flow("t", "l.newest"), flow("l", "c")],
    )  # fmt: skip


def generator() -> App:
    return app(
        [node("s", Scene, {"n": 12}), node("g", Several), node("c", Work)],
        [flow("s", "g"), flow("g", "c")],
    )


def filtering() -> App:
    return app(
        [node("s", Scene), node("a", Work, {"drop": 3}), node("c", Work)],
        [flow("s", "a"), flow("a", "c")],
    )


def batches() -> App:
    return app(
        [node("s", Scene), node("b", Gathered), node("c", Work)], [flow("s", "b"), flow("b", "c")]
    )


def circle() -> App:
    return app(
        [node("s", Scene), node("o", Turn), node("p", Work), node("c", Work)],
        [flow("s", "o"), flow("o", "p"), flow("p", "o.back", back_edge=True), flow("o", "c")],
    )


def failing() -> App:
    return app(
        [node("s", Scene), node("a", Work, {"fail": 4}, on_error="skip"), node("c", Work)],
        [flow("s", "a"), flow("a", "c")],
    )


GRAPHS: dict[str, Callable[[], App]] = {
    "chain": chain, "fan-out": fan_out, "join": join, "sync": sync, "diamond": diamond,
    "drop oldest": lambda: lossy("drop_oldest"), "drop newest": lambda: lossy("drop_newest"),
    "latest": latest, "generator": generator, "filter": filtering, "batch": batches,
    "back edge": circle, "failing": failing,
}  # fmt: skip


# -- what must be ----------------------------------------------------------------------------


class Deviations:
    """Collects times that are too far from the truth."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def times(self, what: str, found: Histogram, true: Iterable[int]) -> None:
        """Compare with nanoseconds; the number of values must be equal."""
        values = np.fromiter(true, float)
        assert found.count == len(values), f"{what}: {found.count} values, not {len(values)}"
        if not len(values):
            return
        for p in PERCENTILES:
            at = float(np.quantile(values, p / 100, method="inverted_cdf"))
            self.time(f"{what}: p{p}", found.quantile(p / 100), at)
        self.time(f"{what}: max", found.max, values.max())
        self.time(f"{what}: mean", found.mean, values.mean())

    def time(self, what: str, found: float, true: float) -> None:
        """Compare seconds with nanoseconds."""
        if abs(found * 1e9 - true) > SHARE * true + LEAST:
            self.found.append(f"{what} is {found * 1e3:.3f} ms, not {true / MS:.3f} ms")


def check(graph: App, made: Run, notes: Notes) -> list[str]:
    """Check all that is exact; return which times are wrong."""
    deviations = Deviations()
    for name, gaps in notes.gaps.items():
        late = float(np.quantile(gaps, PROMPT))
        assert 0 <= min(gaps) <= late < STAMP, f"{name}: the clock is read {late / MS:.3f} ms off"
    last = made.result.last
    assert last.unfollowed == 0
    for stats in last.operators:
        check_operator(stats, notes, deviations)
    for flow_books in last.flows:
        check_flow(flow_books, notes, deviations)
    check_paths(graph, last.paths, notes, deviations)
    for path in last.paths:
        check_sum(path)
        samples = (sample.latency.get(path.name) for sample in made.result.history)
        assert sum(sample.count for sample in samples if sample is not None) == path.frames
    return deviations.found


def check_operator(stats: OperatorStats, notes: Notes, deviations: Deviations) -> None:
    done = notes.done[stats.name]
    calls = {(piece.start, piece.end) for piece in done}
    works = [piece.end - piece.start for piece in done]
    name = stats.name
    deviations.times(f"{name}: working", stats.working, works)
    busy = sum(end - start for start, end in calls)
    deviations.time(f"{name}: busy", stats.busy, busy)
    ends = np.array([piece.sent for piece in done])
    deviations.times(f"{name}: jitter", stats.jitter, np.abs(np.diff(ends, 2)).tolist())
    assert stats.skipped == len(notes.failed[name])
    if stats.source:
        assert stats.frames == len(done)
        return
    deviations.times(f"{name}: latency", stats.latency, [p.end - p.captured for p in done])
    waits = [piece.start - piece.parents[0].sent for piece in done]
    deviations.times(f"{name}: waits", stats.waits, waits)
    assert stats.waiting.total == pytest.approx(stats.waits.total, abs=1e-6)
    partner = sum(
        min(max(p.sent for p in (*piece.parents, piece.back) if p), piece.start)
        - piece.parents[0].sent
        for piece in done
    )
    if stats.batch == 1:
        waited = stats.waiting.partner
        deviations.time(f"{name}: waiting for partners", waited, partner)


def check_flow(stats: FlowStats, notes: Notes, deviations: Deviations) -> None:
    sent = [piece for piece in notes.done[stats.producer] if piece not in notes.kept]
    used = {
        parent: piece
        for piece in reversed(notes.done[stats.consumer])  # a message waits for its first use
        for parent in (*piece.parents, piece.back)
        if parent is not None
    }
    failed = notes.failed[stats.consumer]
    assert stats.sent == len(sent)
    unused = [piece for piece in sent if piece not in used]
    assert stats.lost == len(unused)
    assert stats.delivered == len(sent) - len(unused)
    assert stats.dropped.get("error", 0) == len(failed)
    waits = [used[piece].called - piece.sent for piece in sent if piece in used]
    deviations.times(f"{stats.name}: waits", stats.waits, waits)
    # When a message had to go for another, the queue held as many as it has room for.
    room = stats.queue if stats.when_full == "drop_oldest" or stats.latest else 0
    by_put = stats.dropped.get("full", 0) + stats.dropped.get("replaced", 0)
    if by_put:
        assert by_put == stats.lost
        places = [sent.index(piece) for piece in unused]
        ages = [sent[at + room].displaced - sent[at].captured for at in places]
        deviations.times(f"{stats.name}: ages", stats.ages, ages)
    elif failed:
        ages = [piece.end - piece.captured for piece in failed]
        deviations.times(f"{stats.name}: ages", stats.ages, ages)
    else:
        assert stats.ages.count == stats.lost


def check_paths(
    graph: App, paths: Sequence[PathStats], notes: Notes, deviations: Deviations
) -> None:
    sinks = set(graph.operators) - {f.source.operator for f in graph.flows}
    ways: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    critical: Counter[str] = Counter()
    doubtful = ends = 0
    for piece in (piece for done in notes.done.values() for piece in done):
        closings = [piece] if piece.operator in sinks else []
        if piece.back is not None:
            # what comes back ends where the call begins that it is used in
            closings.append(replace(piece, parents=(piece.back,), end=piece.start, back=None))
        ends += len(closings)
        for last in closings:
            for way in last.ways():
                working = sum(p.end - p.start for p in way[1:])
                waiting = sum(b.start - a.sent for a, b in itertools.pairwise(way))
                ways[named(way)].append((way[-1].end - way[0].sent, working, waiting))
            way, sure = last.last_way(1)
            doubtful += not sure
            critical[named(way)] += sure
    assert {path.name for path in paths} == set(ways)
    assert sum(path.critical for path in paths) == ends
    for path in paths:
        end_to_end, working, waiting = zip(*ways[path.name], strict=True)
        deviations.times(f"{path.name}: end to end", path.end_to_end, end_to_end)
        deviations.times(f"{path.name}: working", path.working, working)
        deviations.times(f"{path.name}: waiting", path.waiting, waiting)
        assert critical[path.name] <= path.critical <= critical[path.name] + doubtful
        assert path.link.max == path.serialising.max == 0
        assert path.closed_by_back_edge == (path.name.count("o") == 2)


def named(way: Sequence[Piece]) -> str:
    return " → ".join(piece.operator for piece in way)


def check_sum(path: PathStats) -> None:
    """Check that the parts of a path are all there is to it."""
    parts = (path.working, path.waiting, path.link, path.serialising)
    assert {part.count for part in parts} == {path.frames}
    assert sum(part.mean for part in parts) == pytest.approx(path.end_to_end.mean, rel=1e-9)
    steps = sum(step.waiting + step.taking for step in path.steps)
    assert steps == pytest.approx(path.end_to_end.mean, rel=1e-9)
    for kind, part in (("work", path.working), ("link", path.link)):
        taken = sum(step.taking for step in path.steps if step.kind == kind)
        assert taken == pytest.approx(part.mean, rel=1e-9)


def agree(name: str, engine: Engine, *, fuse: bool) -> None:
    graph = GRAPHS[name]()
    truth.notes.clear()
    made = run(graph, engine, fuse=fuse, guarded=False)  # which takes time of its own
    assert made.result.outcome == "done"
    found = check(graph, made, truth.notes)
    assert not found, "\n".join(found)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_clock(monkeypatch)


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("engine", [INLINE, EVENT2], ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_times_agree_with_the_truth(name: str, engine: Engine, fuse: bool) -> None:
    agree(name, engine, fuse=fuse)


@pytest.mark.parametrize("engine", [GREEDY, MULTITHREAD2], ids=str)
@pytest.mark.parametrize("name", ["diamond", "drop oldest"])
def test_whatever_the_scheduler(name: str, engine: Engine) -> None:
    agree(name, engine, fuse=True)
