"""Ways of frames, and what they have taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.stats.spans import MOST_PATHS, PathTree, close, extend, passed

S = 1_000_000_000


def only(tree: PathTree) -> Any:
    (meter,) = tree.meters.values()
    meter.fold()
    return meter.stats()


def test_a_path_and_its_parts() -> None:
    tree = PathTree()
    trace = tree.begin("camera", 1 * S, 2 * S)
    trace = extend(trace, tree.step("serialise", "detect", "image"), 3 * S, 4 * S)
    trace = extend(trace, tree.step("link", "detect", "image"), 4 * S, 7 * S)
    trace = extend(trace, tree.step("work", "detect", "image"), 9 * S, 13 * S)
    close(trace)
    stats = only(tree)
    assert stats.name == "camera → detect"
    assert (stats.frames, stats.critical) == (1, 1)
    parts = (stats.working, stats.waiting, stats.link, stats.serialising, stats.end_to_end)
    assert [part.total for part in parts] == [4, 4, 3, 1, 12]
    assert [(s.kind, s.waiting, s.taking) for s in stats.steps] == [
        ("work", 1, 0), ("serialise", 1, 1), ("link", 0, 3), ("work", 2, 4),
    ]  # fmt: skip


def test_branches_share_what_they_have_in_common() -> None:
    tree = PathTree()
    begun = tree.begin("camera", 0, 0)
    for name in "ab":
        close(extend(begun, tree.step("work", name, "x"), 1, 2))
    for meter in tree.meters.values():
        meter.fold()
    names = [meter.stats().name for meter in tree.meters.values()]
    assert names == ["camera → a", "camera → b"]
    assert tree.root("camera") is tree.root("camera")


def test_two_flows_between_the_same_operators_are_two_paths() -> None:
    tree = PathTree()
    begun = tree.begin("camera", 0, 0)
    for port in ("left", "right"):
        close(extend(begun, tree.step("work", "join", port, by_port=True), 1, 2))
    names = [meter.stats().name for meter in tree.meters.values()]
    assert names == ["camera → join.left", "camera → join.right"]


def test_the_way_that_came_last_is_critical() -> None:
    tree = PathTree()
    step = tree.step("work", "join", "x")
    slow, fast = tree.begin("slow", 0, 5), tree.begin("fast", 0, 1)
    close(extend(slow + fast, step, 6, 7))
    critical = {a.stats().name: a.critical for a in tree.meters.values()}
    assert critical == {"slow → join": 1, "fast → join": 0}


def test_ways_without_end_are_limited() -> None:
    tree = PathTree()
    trace = sum((tree.begin(f"s{i}", 0, 0) for i in range(MOST_PATHS + 3)), ())
    assert tree.limit(trace) == trace[:MOST_PATHS]
    assert tree.unfollowed == 3


def test_when_a_frame_was_where() -> None:
    tree = PathTree()
    trace = tree.begin("camera", 1, 2)
    trace = extend(trace, tree.step("link", "detect", "x"), 2, 3)
    trace = extend(trace, tree.step("work", "detect", "x"), 4, 5)
    trace = extend(trace, tree.step("work", "screen", "x"), 6, 7)
    assert [passed(trace[0], n) for n in ("camera", "detect", "screen", "no")] == [1, 4, 6, None]


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["work", "serialise", "link"]),
                st.integers(0, 10**9), st.integers(0, 10**9),
            ),
            max_size=5,
        ),
        max_size=20,
    )
)  # fmt: skip
def test_no_time_is_lost_or_counted_twice(frames: list[list[tuple[Any, int, int]]]) -> None:
    tree = PathTree()
    for steps in frames:
        now = 10
        trace = tree.begin("source", 3, now)
        for index, (kind, wait, take) in enumerate(steps):
            start = now + wait
            now = start + take
            trace = extend(trace, tree.step(kind, f"o{index}", "x"), start, now)
        close(trace)
    total = 0
    for meter in tree.meters.values():
        meter.fold()
        stats = meter.stats()
        parts = (stats.working, stats.waiting, stats.link, stats.serialising)
        assert {part.count for part in parts} == {stats.frames}
        assert sum(p.mean for p in parts) == pytest.approx(stats.end_to_end.mean, rel=1e-9)
        steps_sum = sum(step.waiting + step.taking for step in stats.steps)
        assert steps_sum == pytest.approx(stats.end_to_end.mean, rel=1e-9)
        total += stats.frames
    assert total == len(frames)
