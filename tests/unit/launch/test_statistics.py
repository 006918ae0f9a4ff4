"""The statistics of a run over all its processes."""

from __future__ import annotations

from dataclasses import replace

from support.graphs import Pass, Sink, Source, chain, fragment, node
from support.snapshots import flow, operator

from holoflow.launch.statistics import RunStatistics, merge_records
from holoflow.plan import plan
from holoflow.stats.counters import ARRIVED, SENT, TAKEN, Counters, drop
from holoflow.stats.records import CallRecord, Records
from holoflow.stats.snapshot import FragmentStats, MachineStats, Snapshot

PLAN = plan(
    chain(
        node("source", Source), node("pass", Pass), node("sink", Sink),
        fragments=[fragment("a", "source", "pass"), fragment("b", "sink")],
    )
)  # fmt: skip


def snapshot(name: str, pid: int, seconds: float, frames: int, *announced: str) -> Snapshot:
    names = {"a": ("source", "pass"), "b": ("sink",)}[name]
    ends = {"a": [("source.out", "pass.x"), ("pass.out", "sink.x")], "b": [("pass.out", "sink.x")]}
    fragment = FragmentStats(
        name, pid, "here", "inline", "inline", 1, seconds, MachineStats(2, seconds / 2, 1000)
    )
    return Snapshot(
        app="app", run="r", time=0.0, seconds=seconds,
        operators=tuple(operator(n, 0.001, frames=frames, fragment=name) for n in names),
        flows=tuple(flow(*e, sent=frames) for e in ends[name]),
        fragments=(fragment,),
        announcements=tuple(("page", text) for text in announced),
    )  # fmt: skip


def test_what_ended_processes_did_is_kept_and_flows_are_counted_by_the_counter_blocks() -> None:
    counters = Counters.of(PLAN)
    block = counters.blocks[1]
    block[SENT], block[ARRIVED], block[TAKEN] = 33, 31, 29
    drop(block, "crash")
    stats = RunStatistics(PLAN, "r", counters)
    stats.note("a", snapshot("a", 1, 4.0, 10), 0.0)
    stats.note("a", snapshot("a", 1, 6.0, 20), 0.0)
    stats.end("a")
    stats.note("a", snapshot("a", 2, 3.0, 12), 7.0)
    stats.note("b", snapshot("b", 3, 9.5, 29), 0.0)
    state = stats.poll({"a": 1, "b": 0}, {})
    assert [(b.name, b.frames) for b in state.operators] == [
        ("source", 32), ("pass", 32), ("sink", 29),
    ]  # fmt: skip
    within, between = state.flows
    assert (within.sent, within.delivered) == (32, 32)
    assert (between.sent, between.delivered, between.waiting) == (33, 29, 3)
    assert between.dropped == {"crash": 1}
    assert state.seconds == 10.0
    a, b = state.fragments
    assert (a.pid, a.restarts, a.seconds, a.machine.cpu) == (2, 1, 9.0, 4.5)
    assert (b.pid, b.restarts) == (3, 0)
    assert sum(sample.frames["sink"] for sample in stats.samples) == 29


def test_a_third_process_adds_to_the_other_two() -> None:
    stats = RunStatistics(PLAN, "r", Counters.of(PLAN))
    for pid in (1, 2, 3):
        stats.note("b", snapshot("b", pid, 2.0, 10), 0.0)
        stats.end("b")
        stats.end("b")
    state = stats.poll({"b": 2}, {})
    assert state.operator("sink").frames == 30
    assert state.fragments[0].seconds == 6.0


def test_announcements_are_in_the_order_in_which_they_came() -> None:
    stats = RunStatistics(PLAN, "r", Counters.of(PLAN))
    stats.note("b", snapshot("b", 2, 1.0, 1, "one"), 0.0)
    stats.note("a", snapshot("a", 1, 1.0, 1, "two"), 0.0)
    stats.note("b", snapshot("b", 2, 2.0, 1, "one", "three"), 0.0)
    announced = stats.poll({"a": 0, "b": 0}, {}).announcements
    assert [text for _, text in announced] == ["one", "two", "three"]


def test_a_process_that_has_never_told_of_itself_is_there_too() -> None:
    counters = Counters.of(PLAN)
    counters.blocks[1][SENT] = counters.blocks[1][TAKEN] = counters.blocks[1][ARRIVED] = 4
    stats = RunStatistics(PLAN, "r", counters)
    stats.start("a", 7, "inline")
    state = stats.poll({"a": 0}, {})
    assert [(b.name, b.pid, b.engine) for b in state.fragments] == [("a", 7, "inline")]
    assert [(b.name, b.sent, b.delivered) for b in state.flows] == [("pass.out -> sink.x", 4, 4)]
    assert (state.app, state.run, state.seconds) == ("app", "r", 0.0)


def test_calls_of_all_processes_are_in_order() -> None:
    assert merge_records([]) is None
    call = CallRecord("a", "f", "w", "s", 0, 1, 2, 3, (), ())
    parts = [
        Records("app", "r", 5, (call, call._replace(end=9))),
        Records("app", "r", 5, (call._replace(end=7),)),
    ]
    made = merge_records(parts)
    assert made is not None
    assert [call.end for call in made.calls] == [3, 7, 9]
    assert made == replace(parts[0], calls=made.calls)
