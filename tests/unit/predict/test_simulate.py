"""The simulator on cases whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.simulated import always, exponential, flow, line, source, stage

from holoflow.app.graph import Sync
from holoflow.predict.model import LinkTimes, Model, Outcome, Work
from holoflow.predict.run import simulate

pytestmark = pytest.mark.slow


def used(outcome: Outcome, kind: str, name: str) -> float:
    return next(r.used for r in outcome.resources if (r.kind, r.name) == (kind, name))


class TestOneQueue:
    def test_source_keeps_its_pace_and_frames_do_not_wait(self):
        outcome = simulate(line(source(rate=50), stage("work", 0.008)))
        assert outcome.rates == pytest.approx({"source": 50, "work": 50}, rel=1e-6)
        assert used(outcome, "stage", "work") == pytest.approx(0.4, rel=0.01)
        (path,) = outcome.paths
        assert path.name == "source → work"
        assert (path.p50, path.p99) == pytest.approx((0.008, 0.008))

    def test_source_without_a_pace_is_held_up(self):
        # One frame is worked on, two wait, and one is in the hand of the source.
        outcome = simulate(line(source(), stage("work", 0.01)))
        assert outcome.rates["work"] == pytest.approx(100, rel=0.01)
        assert outcome.paths[0].p50 == pytest.approx(0.03)

    def test_waiting_is_that_of_the_formula_for_random_work_at_a_steady_pace(self):
        """D/M/1: the wait is s·w / (1 - w), where w solves w = exp(-(1 - w) / u)."""
        u, w = 0.8, 0.5
        for _ in range(200):
            w = pow(2.718281828459045, -(1 - w) / u)
        queue = [flow("source", "work", queue=1000)]
        model = line(source(rate=100), stage("work", exponential(u / 100)), flows=queue)
        outcome = simulate(model, frames=60_000)
        assert outcome.paths[0].mean == pytest.approx(u / 100 / (1 - w), rel=0.05)

    def test_waiting_is_that_of_the_formula_for_arrivals_at_random(self):
        """M/D/1: the wait is u·s / 2(1 - u). A source without a pace makes the arrivals."""
        s, u = 0.005, 0.7
        arrivals = exponential(s / u)
        queue = [flow("source", "work", queue=10_000)]
        model = line(source(times=arrivals), stage("work", s), flows=queue)
        outcome = simulate(model, frames=60_000)
        assert outcome.rates["work"] == pytest.approx(u / s, rel=0.02)
        assert outcome.paths[0].mean == pytest.approx(s + u * s / (2 * (1 - u)), rel=0.05)

    def test_full_queue_drops_what_the_work_does_not_take(self):
        lossy = [flow("source", "work", queue=2, when_full="drop_oldest")]
        outcome = simulate(line(source(rate=100), stage("work", 0.02), flows=lossy))
        assert outcome.rates["work"] == pytest.approx(50, rel=0.01)
        (stats,) = outcome.flows
        assert stats.dropped["full"] == pytest.approx(stats.sent / 2, rel=0.02)
        assert outcome.paths[0].p50 == pytest.approx(0.04, abs=0.0101)

    def test_device_loses_what_nobody_fetches(self):
        model = line(source(rate=100, live=True), stage("work", 0.02))
        outcome = simulate(model)
        assert outcome.rates["work"] == pytest.approx(50, rel=0.01)
        assert outcome.lost["source"] == pytest.approx(1100, rel=0.05)


class TestPipeline:
    def test_slowest_stage_sets_the_rate(self):
        stages = [stage("a", 0.002), stage("b", 0.010), stage("c", 0.004)]
        outcome = simulate(line(source(), *stages))
        assert outcome.rates["c"] == pytest.approx(100, rel=0.01)
        first = outcome.resources[0]
        assert (first.kind, first.name) == ("stage", "b")
        assert first.used == pytest.approx(1, rel=0.01)
        assert used(outcome, "stage", "c") == pytest.approx(0.4, rel=0.02)

    def test_one_worker_does_all_in_turn(self):
        stages = [stage("a", 0.002), stage("b", 0.010), stage("c", 0.004)]
        outcome = simulate(line(source(), *stages, workers=1))
        assert outcome.rates["c"] == pytest.approx(1 / 0.016, rel=0.01)

    def test_one_core_does_all_in_turn_though_there_are_workers(self):
        stages = [stage("a", 0.002, cores=1), stage("b", 0.010, cores=1)]
        outcome = simulate(line(source(), *stages, cores=1))
        assert outcome.rates["b"] == pytest.approx(1 / 0.012, rel=0.01)
        assert used(outcome, "cores", "cores") == pytest.approx(1, rel=0.01)

    def test_sleeping_needs_no_core(self):
        stages = [stage("a", 0.010, cores=0), stage("b", 0.010, cores=0.5)]
        outcome = simulate(line(source(), *stages, cores=1))
        assert outcome.rates["b"] == pytest.approx(100, rel=0.01)
        assert used(outcome, "cores", "cores") == pytest.approx(0.5, rel=0.01)

    def test_overhead_and_waking_count(self):
        model = line(source(rate=10), stage("a", 0.010, overhead=0.002), wake=0.003)
        (path,) = simulate(model).paths
        assert path.p50 == pytest.approx(0.018)  # the source wakes late, too

    def test_stage_of_several_operators_takes_their_sum(self):
        chain = replace(stage("a"), work=(Work("a", always(0.004), 0), Work("b", always(0.006), 0)))
        outcome = simulate(line(source(), replace(chain, name="a+b")))
        assert outcome.rates["b"] == pytest.approx(100, rel=0.01)
        assert outcome.paths[0].name == "source → a → b"

    def test_operator_that_passes_every_fourth_frame(self):
        some = [flow("source", "a"), flow("a", "b", rate=0.25)]
        outcome = simulate(line(source(rate=100), stage("a", 0.001), stage("b", 0.02), flows=some))
        assert outcome.rates["b"] == pytest.approx(25, rel=0.02)
        assert used(outcome, "stage", "b") == pytest.approx(0.5, rel=0.03)

    def test_operator_that_sends_three_for_one_is_held_up_between_them(self):
        three = [flow("source", "a"), flow("a", "b", rate=3, queue=1)]
        outcome = simulate(line(source(), stage("a", 0.001), stage("b", 0.01), flows=three))
        assert outcome.rates["b"] == pytest.approx(100, rel=0.01)
        assert outcome.rates["a"] == pytest.approx(100 / 3, rel=0.02)

    def test_batch_takes_once_what_a_call_takes(self):
        many = [flow("source", "a", queue=4)]
        outcome = simulate(line(source(), stage("a", 0.01, batch=4), flows=many))
        assert outcome.rates["a"] == pytest.approx(400, rel=0.02)


class TestJoins:
    def test_both_inputs_of_a_join_are_waited_for(self):
        stages = [source(rate=20), stage("a", 0.001), stage("b", 0.010), stage("both", 0.002)]
        flows = [
            flow("source", "a"), flow("source", "b"), flow("a", "both", "x"), flow("b", "both", "y")
        ]  # fmt: skip
        outcome = simulate(line(*stages, flows=flows))
        assert [path.name for path in outcome.paths] == [
            "source → a → both", "source → b → both",
        ]  # fmt: skip
        assert [path.p50 for path in outcome.paths] == pytest.approx([0.012, 0.012])

    def test_join_by_arrival_behind_drops_falls_out_of_step(self):
        stages = [source(rate=100), stage("slow", 0.02), stage("both")]
        flows = [
            flow("source", "slow", when_full="drop_oldest"),
            flow("source", "both", "x", when_full="drop_oldest"), flow("slow", "both", "y"),
        ]  # fmt: skip
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates["both"] == pytest.approx(50, rel=0.02)

    def test_join_by_time_takes_the_nearest_and_drops_what_has_none(self):
        stages = [
            source(rate=100), stage("half"), stage("both", sync=Sync("x", 0.001)),
        ]  # fmt: skip
        flows = [
            flow("source", "half"), flow("source", "both", "x", queue=4),
            flow("half", "both", "y", rate=0.5),
        ]  # fmt: skip
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates["both"] == pytest.approx(50, rel=0.02)
        leader = outcome.flows[1]
        assert leader.dropped["late"] == pytest.approx(leader.sent / 2, rel=0.02)

    def test_merge_takes_what_comes_to_any_input(self):
        stages = [source(rate=100), stage("half"), stage("merge", trigger="any")]
        flows = [
            flow("source", "half"), flow("source", "merge", "x"),
            flow("half", "merge", "y", rate=0.5),
        ]  # fmt: skip
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates["merge"] == pytest.approx(150, rel=0.02)
        assert not outcome.stuck

    def test_join_by_time_gives_up_after_its_timeout(self):
        sync = Sync("x", 0.001, timeout=0.5)
        stages = [source("lead", rate=1), source("never", rate=0.01), stage("both", sync=sync)]
        flows = [flow("lead", "both", "x"), flow("never", "both", "y")]
        outcome = simulate(line(*stages, flows=flows), frames=10)
        assert outcome.flows[0].dropped["late"] > 500

    def test_newest_value_is_waited_for_by_nobody(self):
        stages = [source(rate=100), source("pose", rate=1000), stage("work", 0.001)]
        flows = [flow("source", "work"), flow("pose", "work", "newest", latest=True, queue=1)]
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates["work"] == pytest.approx(100, rel=0.01)
        assert outcome.flows[1].dropped["replaced"] == pytest.approx(
            0.9 * outcome.flows[1].sent, rel=0.02
        )

    def test_back_edge_is_one_call_behind(self):
        stages = [source(), stage("loop", 0.01), stage("sink")]
        flows = [
            flow("source", "loop"), flow("loop", "loop", "back", queue=2, back_edge=True),
            flow("loop", "sink"),
        ]  # fmt: skip
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates["sink"] == pytest.approx(100, rel=0.01)
        assert not outcome.stuck

    def test_ring_that_waits_for_itself_is_stuck(self):
        stages = [source(), stage("a"), stage("b")]
        flows = [flow("source", "a", "x"), flow("b", "a", "y"), flow("a", "b")]
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.stuck


class TestLinks:
    def test_network_sets_the_rate_where_it_is_slow(self):
        across = [flow("source", "work", link_times=LinkTimes(wire=0.02))]
        model = line(source(), stage("work", 0.005, "q"), flows=across)
        outcome = simulate(model)
        assert outcome.rates["work"] == pytest.approx(50, rel=0.01)
        assert outcome.resources[0].kind == "network"
        assert outcome.resources[0].used == pytest.approx(1, rel=0.01)

    def test_latency_is_the_sum_of_its_parts_where_nothing_waits(self):
        parts = LinkTimes(0.001, 0.002, 0.003, 0.004, delay=0.005, wire=0.006)
        across = [flow("source", "work", link_times=parts)]
        outcome = simulate(line(source(rate=5), stage("work", 0.01, "q"), flows=across))
        assert outcome.paths[0].p50 == pytest.approx(0.031)

    def test_queue_bounds_what_is_under_way(self):
        """Two messages may be there at a time, and each takes 30 ms there and back."""
        across = [flow("source", "work", link_times=LinkTimes(delay=0.02, back=0.01))]
        outcome = simulate(line(source(), stage("work", 0.0, "q"), flows=across))
        assert outcome.rates["work"] == pytest.approx(2 / 0.03, rel=0.01)

    def test_hosts_share_one_cable(self):
        """Two fragments of one host send, each to another host: half as fast each."""
        slow = LinkTimes(wire=0.01)
        stages = [source("a"), source("b"), stage("x", 0, "q"), stage("y", 0, "r")]
        flows = [flow("a", "x", link_times=slow), flow("b", "y", link_times=slow)]
        outcome = simulate(line(*stages, flows=flows))
        assert outcome.rates == pytest.approx({"a": 50, "b": 50, "x": 50, "y": 50}, rel=0.02)

    def test_threads_of_a_link_work_on_one_message_at_a_time(self):
        packed = LinkTimes(out=0.02, into=0.01)
        across = [flow("source", "work", queue=8, link_times=packed)]
        outcome = simulate(line(source(), stage("work", 0.0, "q"), flows=across))
        assert outcome.rates["work"] == pytest.approx(50, rel=0.01)
        assert outcome.resources[0].name == "p, sending"

    def test_lossy_flow_drops_at_the_sender(self):
        slow = LinkTimes(wire=0.02)
        across = [flow("source", "work", when_full="drop_newest", link_times=slow)]
        outcome = simulate(line(source(rate=100), stage("work", 0.0, "q"), flows=across))
        assert outcome.rates["source"] == pytest.approx(100, rel=0.01)
        assert outcome.rates["work"] == pytest.approx(50, rel=0.01)


TIMES = st.floats(1e-4, 0.02)


@st.composite
def pipelines(draw) -> Model:
    """Return a pipeline over several processes, with a worker for each stage."""
    count = draw(st.integers(1, 4))
    stages = [source(rate=draw(st.sampled_from((None, 30.0, 200.0))), times=draw(TIMES))]
    flows = []
    for index in range(count):
        process = draw(st.sampled_from(("p", "q", "r")))
        stages.append(stage(f"s{index}", exponential(draw(TIMES), index), process, cores=1.0))
        before, after = stages[-2:]
        link_times = None
        if before.process != after.process:
            link_times = LinkTimes(*(draw(st.floats(0, 0.003)) for _ in range(7)))
        policy = draw(st.sampled_from(("block", "block", "drop_oldest", "drop_newest")))
        queue = draw(st.integers(1, 8))
        rate = draw(st.sampled_from((1.0, 1.0, 0.5, 2.0)))
        flows.append(
            flow(
                before.name, after.name, queue=queue, when_full=policy, link_times=link_times,
                rate=rate,
            )
        )  # fmt: skip
    return line(*stages, flows=flows, cores=draw(st.sampled_from((1.0, 2.0, 1000.0))))


@settings(max_examples=40)
@given(pipelines())
def test_all_that_is_sent_is_delivered_or_dropped(model):
    outcome = simulate(model, frames=60)
    for stats in outcome.flows:
        assert stats.sent == stats.delivered + sum(stats.dropped.values()) + stats.waiting
        assert stats.waiting == 0
    assert not outcome.stuck
    assert all(0 <= resource.used <= 1 for resource in outcome.resources)
    assert outcome == simulate(model, frames=60)


def blocking(model: Model) -> Model:
    """Return a model in which nothing is dropped and nobody competes for a core."""
    flows = tuple(
        replace(f, planned=replace(f.planned, when_full="block"), rate=1.0) for f in model.flows
    )
    return replace(model, flows=flows, pools={"cores": 1000.0})


@settings(max_examples=40)
@given(pipelines(), st.floats(0, 1))
def test_faster_link_never_makes_it_slower(model, factor):
    slow = blocking(model)
    fast = replace(
        slow,
        flows=tuple(
            replace(
                f,
                link_times=f.link_times and replace(f.link_times, wire=f.link_times.wire * factor),
            )
            for f in slow.flows
        ),
    )
    last = slow.stages[-1].name
    # One message at a time on a cable that several flows share: who comes first may change.
    assert simulate(fast, frames=200).rates[last] >= simulate(slow, frames=200).rates[last] * 0.97


@settings(max_examples=40)
@given(pipelines(), st.integers(1, 3))
def test_more_workers_never_reduce_the_rate(model, workers):
    def rate(count: int) -> float:
        processes = tuple(replace(p, workers=count) for p in few.processes)
        return simulate(replace(few, processes=processes), frames=200).rates[last]

    few, last = blocking(model), model.stages[-1].name
    assert rate(workers + 1) >= rate(workers) * 0.97
