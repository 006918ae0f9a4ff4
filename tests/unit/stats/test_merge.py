"""Fragments' statistics as those of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.snapshots import faces, flow, names, operator
from support.stats import alike

from holoflow.stats.histogram import Histogram
from holoflow.stats.merge import merge
from holoflow.stats.snapshot import (
    BudgetStats,
    FlowStats,
    FragmentStats,
    MachineStats,
    OperatorStats,
    PathStats,
    Snapshot,
    Step,
    Waiting,
    WorkerStats,
)
from holoflow.stats.statistic import statistics

CHAIN = ("camera", "detect", "overlay", "screen")
FRAMES = st.lists(st.tuples(st.integers(0, len(CHAIN)), st.floats(0, 10)), max_size=12)
"""How many operators a frame came by, and how long each worked on it."""


def held(values: Sequence[float]) -> Histogram:
    made = Histogram()
    made.add(np.array(values))
    return made


def chain(frames: Sequence[tuple[int, float]]) -> Snapshot:
    """Return what is counted of these frames of a chain."""
    worked = [[time for stop, time in frames if stop > index] for index in range(len(CHAIN))]
    ends = worked[-1]
    mean = sum(ends) / max(len(ends), 1)
    most = {"p99": max(ends, default=0.0)}
    return Snapshot(
        app="chain", run="1", time=1.0, seconds=1.0,
        operators=tuple(
            OperatorStats(
                name, len(times), len(times), 0, sum(times), {"device": len(times)},
                working=held(times), waits=held(times), latency=held(times), jitter=held(times),
                waiting=Waiting(*[sum(times)] * 4), held=sum(times), paced=sum(times),
            )
            for name, times in zip(CHAIN, worked, strict=True)
        ),
        flows=tuple(
            FlowStats(
                f"{CHAIN[index - 1]}.out", f"{CHAIN[index]}.in", len(before), len(after),
                {"full": len(before) - len(after)}, waiting=len(after), queue=2,
                waits=held(after), ages=held(before),
            )
            for index, (before, after) in enumerate(pairwise(worked), 1)
        ),
        paths=(
            PathStats(
                tuple(Step("work", name, "in", 2 * mean, mean) for name in CHAIN), len(ends),
                *(held(ends) for _ in range(6)), uncertainty=0.1,
            ),
        ),
        workers=(WorkerStats("main", "worker 1", sum(ends)),),
        fragments=(
            FragmentStats("main", 1, "box", "inline", "inline", 1, 1.0, MachineStats(2, 1.0, 1)),
        ),
        budgets=(
            BudgetStats(
                "camera", "screen", {"p99": 1.0}, "warn", 10.0, False, held(ends),
                now=most, worst=most, judged=len(frames), missed=len(ends), dropped=len(frames),
            ),
        ),
        announcements=(("live page", "http://127.0.0.1:8350/"),),
    )  # fmt: skip


@settings(max_examples=30)
@given(st.lists(FRAMES, min_size=1, max_size=5), st.integers(1, 4))
def test_parts_of_a_run_merged_are_the_whole_however_they_are_parted(parts, cut):
    whole = chain([frame for part in parts for frame in part])
    snapshots = [chain(part) for part in parts]
    assert alike(merge(snapshots), whole)
    assert alike(merge(snapshots[::-1]), whole)
    grouped = [merge(group) for group in (snapshots[:cut], snapshots[cut:]) if group]
    assert alike(merge(grouped), whole)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=4, max_size=4), st.permutations(range(3)))
def test_fragments_with_operators_of_their_own_are_put_into_the_order_of_the_app(where, order):
    whole = faces()
    parts = [
        replace(
            whole,
            operators=tuple(b for b, at in zip(whole.operators, where, strict=True) if at == part),
            # a flow between two fragments stands in the statistics of one of them here
            flows=tuple(b for b in whole.flows if where[_place(b.consumer)] == part),
            paths=whole.paths if where[-1] == part else (),
            budgets=whole.budgets if where[-1] == part else (),
            workers=tuple(b for i, b in enumerate(whole.workers) if i == part),
            fragments=whole.fragments if part == 0 else (),
        )
        for part in order
    ]
    merged = merge(parts)
    assert names(merged.operators) == names(whole.operators)
    assert [stats.consumer for stats in merged.flows] == [b.consumer for b in whole.flows]
    place = {stats.name: index for index, stats in enumerate((*whole.flows, *whole.workers))}
    sort = {
        name: tuple(sorted(getattr(merged, name), key=lambda stats: place[stats.name]))
        for name in ("flows", "workers")
    }
    assert alike(replace(merged, **sort), whole)


def _place(name: str) -> int:
    return [stats.name for stats in faces().operators].index(name)


def fragment(*operators: str, flows: Sequence[FlowStats] = ()) -> Snapshot:
    return Snapshot(
        "a", "1", 1.0, 1.0, tuple(operator(name, 0.01) for name in operators), (*flows,)
    )


def test_each_fragments_own_order_stands_above_that_of_the_flows():
    backwards = fragment("screen", "camera", flows=[flow("camera.out", "screen.image")])
    merged = merge([backwards, fragment("detect", flows=[flow("camera.out", "detect.image")])])
    assert names(merged.operators) == ["screen", "camera", "detect"]


def test_a_circle_of_fragments_has_an_order_too():
    one = fragment("a", flows=[flow("b.out", "a.in")])
    other = fragment("b", flows=[flow("a.out", "b.in")])
    assert names(merge([one, other]).operators) == ["a", "b"]
    back = fragment("a", flows=[flow("b.out", "a.in", back_edge=True)])
    assert names(merge([other, back]).operators) == ["a", "b"]


def test_a_flow_between_fragments_has_its_books_from_both_ends():
    sender = fragment(
        "a", flows=[flow("a.out", "b.in", sent=9, delivered=0, queue=2, link="shared_memory")]
    )
    receiver = fragment(
        "b", flows=[flow("a.out", "b.in", sent=0, delivered=7, dropped={"full": 2}, queue=2)]
    )
    for merged in (merge([sender, receiver]), merge([receiver, sender])):
        (stats,) = merged.flows
        assert (stats.sent, stats.delivered, stats.dropped) == (9, 7, {"full": 2})
        assert (stats.queue, stats.link) == (2, "shared_memory")


def test_what_cannot_be_added_up():
    one = faces()
    longer = replace(
        one, seconds=20.0, time=one.time + 9, unfollowed=3,
        fragments=(replace(one.fragments[0], seconds=20.0),),
        announcements=(*one.announcements, ("dashboard", "x")),
        operators=tuple(replace(b, cpu=0.5, busy=2 * b.busy) for b in one.operators),
    )  # fmt: skip
    merged = merge([one, longer])
    assert (merged.seconds, merged.time, merged.unfollowed) == (20.0, longer.time, 3)
    assert merged.fragments == longer.fragments
    assert merged.announcements == longer.announcements
    assert [b.cpu for b in merged.operators] == pytest.approx([(0.95 + 2 * 0.5) / 3] * 4)
    other = replace(one, fragments=(replace(one.fragments[0], pid=1),))
    assert len(merge([one, other]).fragments) == 2


def test_merging_changes_nothing_of_what_is_merged():
    one, same = faces(), faces()
    merge([one, faces(20.0)])
    assert one == same
    assert merge([one]) == one


def test_only_parts_of_one_run_can_be_merged():
    with pytest.raises(ValueError, match="no snapshots"):
        merge([])
    with pytest.raises(ValueError, match="different runs"):
        merge([faces(), replace(faces(), run="x")])


def test_whatever_a_statistic_is_each_is_merged_by_its_declaration():
    one, other = (
        replace(faces().operators[1], own_time=time, given_time=2 * time, cpu=None)
        for time in (1.0, 3.0)
    )
    merged = merge([replace(faces(), operators=(b,)) for b in (one, other)]).operators[0]
    for name, declared in statistics(OperatorStats).items():
        a, b, both = (getattr(stats, name) for stats in (one, other, merged))
        if declared.kind == "histogram":
            assert both.count == a.count + b.count, name
        elif isinstance(both, int | float):
            assert both == pytest.approx(a + b), name
    assert merged.cpu is None
