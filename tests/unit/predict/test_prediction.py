"""From a run to predictions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.planned import WORKING, watched, write_app

from holoflow.app import load
from holoflow.core.errors import HoloflowError
from holoflow.predict.build import Setting, build
from holoflow.predict.costs import Costs, LinearCost, LinkCosts
from holoflow.predict.prediction import predict, predictions
from holoflow.predict.profile import cores_of, joined, overhead_of, own_share, pace_of, read_profile
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import WorkerStats

NOTHING = LinkCosts(*(LinearCost(0.0, 0.0) for _ in range(5)))
COSTS = Costs(
    "a table", overhead=1e-5, wake=0.0, background=0.0,
    links=dict.fromkeys(("shared_memory", "zeromq_local", "zeromq", "zeromq_encrypted"), NOTHING),
)  # fmt: skip
SETTING = Setting(cores=8.0, delay=0.0)
APART = {"edge": "a", "infer": "b", "view": "c"}
HERE = dict.fromkeys(APART, "a")


@pytest.fixture
def app(tmp_path):
    return load(write_app(tmp_path))


@pytest.fixture
def whole(tmp_path):
    return load(write_app(tmp_path / "whole", fragments=False))


def replaced(snapshot, name, **fields):
    """Return the snapshot with other statistics of an operator."""
    operators = tuple(
        replace(stats, **fields) if stats.name == name else stats for stats in snapshot.operators
    )
    return replace(snapshot, operators=operators)


class TestPredictions:
    def test_slowest_operator_sets_the_rate_wherever_it_is(self, app):
        for places in (HERE, APART):
            found = predict(app, places, read_profile(watched(), app), COSTS, SETTING)
            assert found.rate == pytest.approx(1 / (WORKING["detect"] + 1e-4), rel=0.03)
            assert (found.limit.kind, found.limit.where) == ("stage", "detect")
            assert found.path.name == "camera → detect → screen"

    def test_slow_network_sets_the_rate_between_hosts_alone(self, app):
        """50,000 bytes at 10 Mbit/s take 40 ms, and a little for the packets' heads."""
        slow = replace(SETTING, bandwidth=1e7)
        profile = read_profile(watched(), app)
        assert predict(app, HERE, profile, COSTS, slow).rate > 45
        apart = predict(app, APART, profile, COSTS, slow)
        assert apart.rate == pytest.approx(25 / (1538 / 1448), rel=0.02)
        assert apart.limit.kind == "network"

    def test_shared_cores_are_those_of_one_machine(self, app):
        spun = watched()
        for name in WORKING:
            spun = replaced(spun, name, cpu=1.0)
        profile = read_profile(spun, app)
        own = predict(app, APART, profile, COSTS, replace(SETTING, cores=1.0))
        shared = predict(app, APART, profile, COSTS, replace(SETTING, cores=1.0, shared=True))
        assert own.rate > 45
        assert shared.rate == pytest.approx(1 / (sum(WORKING.values()) + 3e-4), rel=0.03)
        assert (shared.limit.kind, shared.limit.where) == ("cores", "all hosts")

    def test_latency_decides_where_rates_are_alike(self, app):
        profile = read_profile(watched(), app)
        found = predictions(app, 3, profile, COSTS, replace(SETTING, delay=0.02), {})
        assert len(found) == 5
        assert found[0].hosts == 1
        assert found[0].path.p50 < found[-1].path.p50

    def test_source_with_a_pace_keeps_it(self, app):
        (process,) = watched().fragments
        slow = watched(seconds=20.0, fragments=(replace(process, seconds=20.0),))
        profile = read_profile(replaced(slow, "camera", paced=14.0), app)
        assert pace_of(profile, "camera") == (15.0, "")
        found = predict(app, HERE, profile, COSTS, SETTING)
        assert found.outcome.rates["camera"] == pytest.approx(15, rel=0.01)
        assert found.limit.kind == "pace"
        faster = predict(app, HERE, profile, COSTS, replace(SETTING, rates={"camera": 30.0}))
        assert faster.outcome.rates["camera"] == pytest.approx(30, rel=0.01)

    def test_source_that_was_held_up_is_told(self, app):
        held = replaced(watched(), "camera", paced=3.0, held=2.0)
        _, note = pace_of(read_profile(held, app), "camera")
        assert "--rate camera=30hz" in note

    def test_app_without_fragments_is_cut(self, whole):
        found = predictions(whole, 3, read_profile(watched(), whole), COSTS, SETTING, {})
        parts = {
            tuple(fragment.operators for fragment in prediction.app.fragments.values())
            for prediction in found
        }
        assert () in parts
        assert (("camera",), ("detect", "screen")) in parts
        assert (("camera",), ("detect",), ("screen",)) in parts

    def test_run_of_two_hosts_is_one(self):
        """Both ends know how many messages crossed, and only the sender how large they were."""
        operators, flows = watched().operators, watched().flows
        sender = watched(operators=operators[:1], flows=flows[:1])
        blind = replace(flows[0], size=None)
        receiver = watched(run="other", operators=operators[1:], flows=(blind, flows[1]))
        for both in ((sender, receiver), (receiver, sender)):
            made = {stats.name: stats for stats in joined(both).flows}
            assert [(b.sent, b.delivered, b.size) for b in made.values()] == [(300, 300, 5e4)] * 2
        assert {stats.name for stats in joined(both).operators} == set(WORKING)


class TestModel:
    def test_links_cost_what_was_measured(self, app):
        lines = (
            LinearCost(1.0, 0),
            LinearCost(2.0, 0),
            LinearCost(3.0, 1e-5),
            LinearCost(4.0, 0),
            LinearCost(5.0, 0),
        )
        costs = replace(COSTS, links={**COSTS.links, "zeromq_encrypted": LinkCosts(*lines)})
        setting = replace(SETTING, delay=0.25, bandwidth=4e5)
        model = build(app, APART, read_profile(watched(), app), costs, setting)
        link_times = model.flows[0].link_times
        assert (link_times.send, link_times.receive, link_times.out, link_times.into) == (
            1,
            2,
            3.5,
            4,
        )
        assert (link_times.delay, link_times.back) == (5.25, 5.25)
        assert link_times.wire == pytest.approx(1538 / 1448)
        plain = replace(setting, encrypt=False)
        assert (
            build(app, APART, read_profile(watched(), app), costs, plain).flows[0].link_times.out
            == 0
        )

    def test_processes_take_of_their_host_what_they_always_take(self, app):
        costs = replace(COSTS, background=0.25)
        profile = read_profile(watched(), app)
        assert build(app, HERE, profile, costs, SETTING).pools == {"a": 7.25}
        assert build(app, APART, profile, costs, SETTING).pools == {"a": 7.75, "b": 7.75, "c": 7.75}

    def test_fragment_with_cores_of_its_own_has_no_more(self, app):
        mine = replace(app.fragments["infer"], cores=(0, 1), exclusive=True)
        tied = replace(app.fragments["view"], cores=(2,))
        own = replace(app, fragments={**app.fragments, "infer": mine, "view": tied})
        model = build(own, HERE, read_profile(watched(), app), COSTS, SETTING)
        assert model.pools == {"a": 6.0, "infer": 2.0, "view": 1.0}
        assert [process.pools for process in model.processes] == [("a",), ("infer",), ("a", "view")]

    def test_greedy_scheduler_has_one_worker(self, app):
        greedy = replace(app, scheduler=replace(app.scheduler, kind="greedy", workers=4))
        model = build(greedy, HERE, read_profile(watched(), app), COSTS, SETTING)
        assert {process.workers for process in model.processes} == {1}

    def test_overhead_is_what_workers_did_besides(self, app):
        profile = read_profile(watched(), app)
        assert overhead_of(profile, "detect", COSTS) == (pytest.approx(1e-4, rel=0.01), True)
        idle = read_profile(watched(workers=()), app)
        assert overhead_of(idle, "detect", COSTS) == (1e-5, False)
        odd = read_profile(watched(workers=(WorkerStats("watch", "w", 1.0),)), app)
        assert overhead_of(odd, "detect", COSTS) == (1e-5, True)

    def test_waiting_for_a_core_is_taken_out_of_working_times(self, app):
        """Its threads ran 6 s and waited 2 s for a core: of 20 ms, 5 were such."""
        (process,) = watched().fragments
        machine = replace(process.machine, crowded=0.25)
        crowded = watched(fragments=(replace(process, machine=machine),))
        spun = replaced(replaced(crowded, "detect", cpu=0.75), "screen", cpu=0.3)
        profile = read_profile(replace(spun, workers=()), app)
        model = build(app, HERE, profile, COSTS, SETTING)
        (work,) = next(stage.work for stage in model.stages if stage.name == "detect")
        assert work.factor == pytest.approx(0.75)
        assert work.cores == pytest.approx(1.0)
        # of who sleeps or waits for a device it cannot be told
        (work,) = next(stage.work for stage in model.stages if stage.name == "screen")
        assert (work.factor, work.cores) == (1.0, pytest.approx(0.3))
        assert "25%" in profile.notes[0]

    def test_what_its_stage_computes_besides_is_not_the_operators(self, app):
        """Of 6.3 s in which its stage was at work it computed half, 0.3 s beside the operator."""
        own = watched().operators[1]
        workers = (WorkerStats("watch", "w", sum(b.busy for b in watched().operators) + 90 * 0.01),)
        share = (0.5 * (own.busy + 0.3) - 0.3) / own.busy
        profile = read_profile(replaced(watched(workers=workers), "detect", cpu=0.5), app)
        assert own_share(profile, "detect") == pytest.approx(share)

    def test_heavy_operator_has_what_its_library_used(self, app):
        busy = 300 * WORKING["detect"]
        heavy = replaced(watched(), "detect", heavy=True, cpu=0.5)
        (process,) = heavy.fragments
        machine = replace(process.machine, cpu=0.62 + 1.2 * busy)
        profile = read_profile(replace(heavy, fragments=(replace(process, machine=machine),)), app)
        assert cores_of(profile, "detect") == pytest.approx(1.2, rel=0.01)
        assert cores_of(profile, "screen") == 0.0


class TestRunsThatSayTooLittle:
    def refused(self, snapshot, app, *words):
        with pytest.raises(HoloflowError) as raised:
            read_profile(snapshot, app)
        for word in words:
            assert word in str(raised.value)

    def test_run_of_another_app(self, app):
        other = watched(app="faces", operators=watched().operators[:2])
        self.refused(other, app, "the run is of app 'faces'", "'watch'", "no operator 'screen'")

    def test_run_of_the_app_as_it_was(self, app):
        self.refused(
            replaced(watched(), "detect", type="x.y"), app, "'x.y'", "run the app once more"
        )
        self.refused(watched(flows=watched().flows[:1]), app, "no flow detect.out -> screen.x")

    def test_run_without_working_times(self, app):
        blind = replaced(watched(), "detect", working=Histogram())
        self.refused(blind, app, "no working times of operator 'detect'", "--tracking on")

    def test_run_in_which_nothing_came_to_an_operator(self, app):
        self.refused(replaced(watched(), "screen", frames=0), app, "'screen' was never called")

    def test_run_that_does_not_say_how_large_messages_are(self, app):
        profile = read_profile(watched(size=None), app)
        with pytest.raises(HoloflowError, match=r"how large the messages of camera\.out"):
            predict(app, APART, profile, COSTS, SETTING)

    def test_link_whose_costs_are_not_known(self, app):
        bound = replace(app, flows=tuple(replace(flow, link="ucx") for flow in app.flows))
        with pytest.raises(HoloflowError, match="--link zeromq"):
            predict(bound, APART, read_profile(watched(), app), COSTS, SETTING)

    def test_shared_memory_leads_to_no_other_host(self, app):
        bound = replace(app, flows=tuple(replace(f, link="shared_memory") for f in app.flows))
        with pytest.raises(HoloflowError, match="leads to no other host"):
            predict(bound, APART, read_profile(watched(), app), COSTS, SETTING)
