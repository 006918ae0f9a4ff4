"""Whatever a snapshot holds, it is explained, and always in the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation
from holoflow.stats.histogram import Histogram
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

names = st.sampled_from(["a", "b", "c", "d.e", ""])
counts = st.integers(0, 10**6)
seconds = st.one_of(
    st.floats(0, 20), st.floats(allow_nan=True, allow_infinity=True), st.just(0.0)
)  # fmt: skip
shares = st.none() | seconds
causes = st.dictionaries(st.sampled_from(["full", "late", "error", "device", "x"]), counts)


@st.composite
def histograms(draw: Any) -> Histogram:
    made = Histogram()
    made.add(np.array(draw(st.lists(st.floats(0, 100), max_size=4))))
    return made


def endpoints() -> st.SearchStrategy[str]:
    return st.builds(lambda name, port: f"{name}.{port}", names, names) | names


machines = st.builds(MachineStats, st.integers(0, 8), seconds, counts, shares, shares)
operators = st.builds(
    OperatorStats, names, counts, counts, counts, seconds, causes,
    fragment=names, stage=names, type=names, source=st.booleans(), live=st.booleans(),
    heavy=st.booleans(), batch=st.integers(0, 8), working=histograms(), waits=histograms(),
    waiting=st.builds(Waiting, seconds, seconds, seconds, seconds), held=seconds, paced=seconds,
    cpu=shares,
)  # fmt: skip
flows = st.builds(
    FlowStats, endpoints(), endpoints(), counts, counts, causes, counts,
    queue=st.integers(-1, 40), when_full=st.sampled_from(["block", "drop_oldest"]),
    latest=st.booleans(), back_edge=st.booleans(), waits=histograms(),
)  # fmt: skip
steps = st.builds(
    Step, st.sampled_from(["work", "link", "serialise"]), names, names, seconds, seconds
)
paths = st.builds(
    PathStats, st.lists(steps, min_size=1, max_size=4).map(tuple), counts,
    *[histograms() for _ in range(6)],
)  # fmt: skip
budgets = st.builds(
    BudgetStats, names, names, st.dictionaries(st.sampled_from(["p99", "max"]), seconds),
    st.just("warn"), seconds, st.booleans(), histograms(),
    worst=st.dictionaries(st.sampled_from(["p99", "max"]), seconds), judged=counts, missed=counts,
    dropped=counts,
)  # fmt: skip
fragments = st.builds(
    FragmentStats, names, counts, names, st.sampled_from(["holoscan", "inline"]),
    st.sampled_from(["event", "greedy", "inline"]), st.integers(0, 4), seconds, machines,
)  # fmt: skip
snapshots = st.builds(
    Snapshot, names, names, seconds, seconds,
    st.lists(operators, max_size=4).map(tuple), st.lists(flows, max_size=5).map(tuple),
    paths=st.lists(paths, max_size=2).map(tuple),
    workers=st.lists(st.builds(WorkerStats, names, names, seconds), max_size=2).map(tuple),
    fragments=st.lists(fragments, max_size=2).map(tuple),
    budgets=st.lists(budgets, max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=100)
@given(snapshots)
def test_every_snapshot_is_explained(snapshot: Snapshot) -> None:
    explanation = explain(snapshot)
    for finding in (explanation.bottleneck, *explanation.others):
        assert finding.evidence
        assert 0 <= finding.weight <= 1
        assert all(finding.advice)
        assert "nan" not in finding.evidence
        assert "inf" not in finding.evidence
    assert explain(snapshot) == explanation


def test_explanations_of_nothing_are_equal() -> None:
    empty = Snapshot("app", "a1", 0.0, 1.0, (), ())
    assert explain(empty) == explain(empty)
    assert isinstance(explain(empty), Explanation)
