"""What is named as the bottleneck of snapshots made by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from support.snapshots import faces, flow, operator, path, times

from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation, Finding
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
)

QUIET = MachineStats(cores=4, cpu=1.0, memory=10**8, gil=0.0, crowded=0.02)


def snapshot(
    *operators: OperatorStats,
    flows: tuple[FlowStats, ...] = (),
    paths: tuple[PathStats, ...] = (),
    machine: MachineStats = QUIET,
    workers: int = 2,
    scheduler: str = "event",
    **others: Any,
) -> Snapshot:
    """Return ten seconds of a run; without `flows` the operators are a chain."""
    names = [stats.name for stats in operators]
    flows = flows or tuple(flow(f"{a}.out", f"{b}.x") for a, b in pairwise(names))
    engine = "inline" if scheduler == "inline" else "holoscan"
    fragment = FragmentStats("main", 1, "box", engine, scheduler, workers, 10.0, machine)
    return Snapshot(
        **{
            "app": "app", "run": "a1", "time": 0.0, "seconds": 10.0, "operators": operators,
            "flows": flows, "paths": paths, "fragments": (fragment,), **others,
        }
    )  # fmt: skip


def camera(**others: Any) -> OperatorStats:
    """Return a source that is held up most of the time, 300 frames in 10 s."""
    return operator("camera", 1e-4, **{"source": True, "held": 8.0, "paced": 0.1, **others})


def told(explanation: Explanation) -> dict[str, Finding]:
    """Findings by cause."""
    return {f.cause: f for f in (*reversed(explanation.others), explanation.bottleneck)}


# -- operators -------------------------------------------------------------------------------


def test_a_slow_operator_is_named_with_its_numbers() -> None:
    found = explain(faces()).bottleneck
    assert (found.cause, found.where) == ("slow operator", "detect")
    assert "detect works 31 ms of each 33.3 ms: utilisation 93%; everything before it waits" in (
        found.evidence
    )
    assert found.weight == pytest.approx(0.93, abs=0.01)
    assert "a smaller model" in found.advice[0]


def test_the_slow_operator_behind_a_lossy_queue_is_told_by_its_drops() -> None:
    lossy = flow(
        "camera.out", "detect.x", sent=1000, delivered=300, dropped={"full": 700}, queue=1,
        when_full="drop_oldest",
    )  # fmt: skip
    found = explain(
        snapshot(
            camera(frames=1000, held=0.0, paced=9.0),
            operator("detect", 0.032),
            flows=(lossy,),
        )
    ).bottleneck
    assert (found.cause, found.where) == ("slow operator", "detect")
    assert "70% of the messages before it are dropped" in found.evidence
    assert not any("drop_oldest" in line for line in found.advice)


def test_upstream_of_a_queue_that_drops_nothing_is_blamed() -> None:
    lossy = flow("b.out", "c.x", sent=300, delivered=200, dropped={"full": 100})
    found = explain(
        snapshot(
            camera(held=0.0, paced=9.0),
            operator("b", 0.031),
            operator("c", 0.028),
            flows=(flow("camera.out", "b.x"), lossy),
        )
    ).bottleneck
    assert found.where == "c"


def test_a_device_that_loses_frames_asks_for_more() -> None:
    live = operator("camera", 0.03, source=True, live=True, dropped={"device": 100})
    found = explain(snapshot(live, operator("detect", 0.032))).bottleneck
    assert (found.cause, found.where) == ("slow operator", "detect")


def test_waiting_for_a_device_is_no_work() -> None:
    live = operator("camera", 0.033, source=True, live=True)
    found = explain(snapshot(live, operator("show", 0.002))).bottleneck
    assert found.cause == "nothing"


def test_of_a_stage_the_busiest_is_named_and_taking_it_apart_advised() -> None:
    stage = {"stage": "a+b+c"}
    found = explain(
        snapshot(
            camera(), operator("a", 0.009, **stage), operator("b", 0.013, **stage),
            operator("c", 0.009, **stage),
        )
    ).bottleneck  # fmt: skip
    assert (found.cause, found.where) == ("slow operator", "b")
    assert "in turn with a and c" in found.evidence
    assert found.advice[0].startswith("`fuse: off` for b")


def test_calls_of_microseconds_are_not_to_be_taken_apart() -> None:
    stage = {"stage": "a+b", "frames": 100_000}
    found = explain(
        snapshot(camera(), operator("a", 5e-5, **stage), operator("b", 4.5e-5, **stage))
    ).bottleneck
    assert found.where == "a"
    assert not any("fuse" in line for line in found.advice)


def test_a_model_is_advised_on_only_where_there_may_be_one() -> None:
    light = explain(snapshot(camera(), operator("a", 0.032), operator("b", 1e-4)))
    heavy = explain(snapshot(camera(), operator("a", 0.032, heavy=True), operator("b", 1e-4)))
    sink = explain(snapshot(camera(), operator("a", 0.032, heavy=True)))
    assert [any("model" in a for a in e.bottleneck.advice) for e in (light, heavy, sink)] == [
        False, True, False,
    ]  # fmt: skip


def test_batches_are_advised_on_only_where_they_can_help() -> None:
    machine = replace(QUIET, cpu=9.9)
    computing = explain(snapshot(camera(), operator("a", 0.032, cpu=0.97), machine=machine))
    waiting = explain(snapshot(camera(), operator("a", 0.032, cpu=0.02)))
    assert not any("batch" in line for line in computing.bottleneck.advice)
    assert not any("batch" in line for line in waiting.bottleneck.advice)
    assert any("less waiting in a" in line for line in waiting.bottleneck.advice)
    model = snapshot(camera(), operator("a", 0.032, heavy=True, cpu=0.02), operator("b", 1e-4))
    assert any("batch" in line for line in explain(model).bottleneck.advice)
    assert "for a GPU" in waiting.bottleneck.evidence


def test_frames_of_a_file_are_not_to_be_dropped() -> None:
    file = explain(snapshot(camera(paced=0.0), operator("a", 0.032)))
    sensor = explain(snapshot(camera(paced=0.1), operator("a", 0.032)))
    assert not any("drop_oldest" in line for line in file.bottleneck.advice)
    assert any("drop_oldest" in line for line in sensor.bottleneck.advice)


def test_another_worker_is_advised_where_the_slow_operator_has_to_share_one() -> None:
    shared = snapshot(
        camera(), operator("a", 0.028), operator("b", 0.004), workers=1, scheduler="greedy"
    )
    found = explain(shared).bottleneck
    assert (found.cause, found.where) == ("slow operator", "a")
    assert any("workers: 2" in line for line in found.advice)


def test_few_samples_of_the_cpu_do_not_outweigh_what_the_process_used() -> None:
    machine = replace(QUIET, cpu=0.5, crowded=0.0)
    found = explain(snapshot(camera(), operator("a", 0.032, cpu=0.99), machine=machine))
    assert "on a CPU 5.2% of that time" in found.bottleneck.evidence


# -- sources ---------------------------------------------------------------------------------


def test_a_source_that_gives_no_faster_is_slow() -> None:
    source = operator("disk", 0.032, source=True, cpu=0.02)
    found = explain(snapshot(source, operator("a", 0.005))).bottleneck
    assert (found.cause, found.where) == ("slow source", "disk")
    assert "everything after it waits for it" in found.evidence


def test_a_paced_source_that_is_kept_up_with_is_limited_by_nothing() -> None:
    explanation = explain(snapshot(camera(held=0.0, paced=9.5), operator("a", 0.02)))
    found = explanation.bottleneck
    assert (found.cause, found.weight, found.advice) == ("nothing", 0.0, ())
    assert found.evidence.startswith("camera gives 30 frames a second")
    assert "the busiest, a, works 60% of the time" in found.evidence
    assert explanation.others == ()


def test_a_simulated_clock_paces_nobody() -> None:
    paced = snapshot(
        camera(held=0.0, paced=9.5), operator("a", 0.031), scheduler="inline", workers=1
    )
    assert explain(paced).bottleneck.cause == "slow operator"


def test_no_frame_no_verdict() -> None:
    explanation = explain(Snapshot("app", "a1", 0.0, 0.0, (), ()))
    assert explanation.bottleneck.cause == "unknown"
    assert explanation.bottleneck.evidence == "no frame has come yet"
    assert explanation.critical is None


def test_a_rate_that_was_asked_for_and_not_given_is_told_first() -> None:
    late = camera(own_time=2.0, given_time=10.0)
    held = explain(snapshot(replace(late, held=8.0), operator("a", 0.031))).bottleneck
    slow = explain(snapshot(replace(late, held=0.0, paced=1.0), operator("a", 1e-4))).bottleneck
    said = "camera was asked for 150 frames a second and gave 30; "
    assert [f.evidence.startswith(said) for f in (held, slow)] == [True, True]
    assert (held.where, slow.cause, slow.where) == ("a", "slow source", "camera")
    on_time = camera(held=0.0, paced=9.5, own_time=10.0, given_time=10.1)
    few = camera(held=0.0, paced=9.5, frames=9, own_time=1.0, given_time=9.0)
    for source in (on_time, few):
        found = explain(snapshot(source, operator("a", 1e-4))).bottleneck
        assert (found.cause, "asked" in found.evidence) == ("nothing", False)


def test_a_call_that_began_earlier_takes_no_more_than_all_of_the_time() -> None:
    found = explain(snapshot(camera(), operator("a", 1.1, frames=10))).bottleneck
    assert found.evidence.startswith("a works 1.1 s of each 1.1 s: utilisation 100%")


def test_a_path_that_is_cited_is_named() -> None:
    apart = snapshot(
        camera(held=0.0, paced=9.5), operator("a", 0.001),
        operator("slow", 1e-4, frames=20, source=True, paced=9.9), operator("b", 0.3, frames=20),
        flows=(flow("camera.out", "a.x"), flow("slow.out", "b.x", sent=20)),
        paths=(path(Step("work", "slow", ""), Step("work", "b", "x", 0.0, 0.3), frames=20),),
    )  # fmt: skip
    assert explain(apart).bottleneck.evidence.endswith("on slow → b")


def test_a_budget_is_cited_only_where_its_frames_are_meant() -> None:
    held = (camera(), operator("a", 0.032))
    others = (
        operator("timer", 1e-4, frames=20, source=True, paced=9.9),
        operator("b", 0.3, frames=20),
    )
    way = path(Step("work", "timer", ""), Step("work", "b", "x", 0.0, 0.3), frames=20)
    flows = (flow("camera.out", "a.x"), flow("timer.out", "b.x", sent=20))

    def judged(source: str, target: str) -> Finding:
        budget = BudgetStats(
            source, target, {"mean": 1.0, "p99": 0.1}, "report", 10.0, False, way.end_to_end,
            worst={"mean": 0.3, "p99": 0.3}, judged=10, missed=10,
        )  # fmt: skip
        made = snapshot(*held, *others, flows=flows, paths=(way,), budgets=(budget,))
        return explain(made).bottleneck

    late, slow = judged("timer", "b"), judged("camera", "a")
    assert (late.where, slow.where) == ("b", "a")
    for found in (late, slow):
        assert "p99 from" in found.evidence  # the limit that is exceeded, and not the mean


# -- cores, workers and the lock ---------------------------------------------------------------


def busy_pair(on_cpu: float, **machine: Any) -> Snapshot:
    """Two operators in two workers, both at work nearly all of the time."""
    return snapshot(
        camera(), operator("a", 0.03, cpu=on_cpu), operator("b", 0.029, cpu=on_cpu),
        machine=replace(QUIET, **machine),
    )  # fmt: skip


def test_two_that_compute_by_turns_want_the_interpreter_lock() -> None:
    found = explain(busy_pair(0.5, gil=0.95, cpu=9.9)).bottleneck
    assert (found.cause, found.where) == ("interpreter lock", "main")
    assert "a and b are at work 90% and 87% of the time" in found.evidence
    assert "0.885 of 4 cores" in found.evidence
    assert "fragments" in found.advice[0]


def test_two_that_compute_at_the_same_time_do_not() -> None:
    found = explain(busy_pair(0.97, gil=0.02, cpu=19.0)).bottleneck
    assert (found.cause, found.where) == ("slow operator", "a")


def test_one_that_computes_in_python_is_slow_by_itself() -> None:
    alone = snapshot(
        camera(), operator("a", 0.032, cpu=0.99), operator("b", 1e-3, cpu=0.9),
        machine=replace(QUIET, gil=0.99, cpu=9.9),
    )  # fmt: skip
    found = explain(alone).bottleneck
    assert (found.cause, found.where) == ("slow operator", "a")
    assert "Python" in found.advice[0]


def test_who_waits_for_a_gpu_beside_one_that_computes_is_told_of_the_lock_too() -> None:
    beside = snapshot(
        camera(), operator("gpu", 0.01, frames=960, cpu=0.05),
        operator("a", 0.004, frames=960, cpu=0.99), machine=replace(QUIET, gil=0.7, cpu=4.5),
    )  # fmt: skip
    explanation = explain(beside)
    assert explanation.bottleneck.where == "gpu"
    assert "as a computes in Python" in told(explanation)["interpreter lock"].evidence
    free = replace(beside.fragments[0], machine=replace(QUIET, cpu=4.5))
    assert "interpreter lock" not in told(explain(replace(beside, fragments=(free,))))


def test_an_operator_that_waits_for_cores_names_the_crowd() -> None:
    crowd = replace(QUIET, crowded=0.8, cpu=2.0, cores=2)
    explanation = explain(snapshot(camera(), operator("a", 0.032, cpu=0.2), machine=crowd))
    assert explanation.bottleneck.cause == "crowded machine"
    assert "other programs take the rest" in explanation.bottleneck.evidence
    assert told(explanation)["slow operator"].where == "a"


def test_an_operator_that_sleeps_is_not_slowed_by_the_crowd() -> None:
    crowd = replace(QUIET, crowded=0.95, cpu=0.2, cores=2)
    found = explain(snapshot(camera(), operator("a", 0.032, cpu=0.005), machine=crowd)).bottleneck
    assert (found.cause, found.where) == ("slow operator", "a")


def test_an_app_that_takes_all_cores_itself_is_told_so() -> None:
    own = replace(QUIET, crowded=0.6, cpu=19.5, cores=2)
    crowded = snapshot(
        camera(), operator("a", 0.031, cpu=0.4), operator("b", 0.031, cpu=0.4), machine=own
    )
    found = explain(crowded).bottleneck
    assert found.cause == "crowded machine"
    assert "takes all of them itself" in found.evidence
    assert "OMP_NUM_THREADS" in " ".join(found.advice)


def thirds(cpu: float, **others: Any) -> Snapshot:
    """Three operators that take a third of the time each."""
    return snapshot(
        camera(), *(operator(name, 0.011, cpu=cpu) for name in "abc"), workers=1, **others
    )


def test_three_that_share_one_worker_want_more() -> None:
    found = explain(thirds(0.02)).bottleneck
    assert (found.cause, found.where) == ("too few workers", "main")
    assert "the only worker is busy 99% of the time" in found.evidence
    assert found.advice == ("`scheduler: {kind: event, workers: 3}`",)


def test_three_that_compute_in_python_want_processes_rather_than_workers() -> None:
    found = explain(thirds(0.98, machine=replace(QUIET, gil=0.99, cpu=9.9))).bottleneck
    assert found.cause == "too few workers"
    assert "`fragments` of their own" in found.advice[0]


def test_threads_that_compute_get_no_more_workers_than_cores() -> None:
    machine = replace(QUIET, cores=2, cpu=9.9)
    found = explain(thirds(0.98, machine=machine)).bottleneck
    assert found.advice == ("`scheduler: {kind: event, workers: 2}`",)


def test_the_inline_engine_is_to_be_changed_for_workers() -> None:
    found = explain(thirds(0.02, scheduler="inline")).bottleneck
    assert found.cause == "too few workers"
    assert "--engine holoscan" in found.advice[0]


def test_operators_that_do_next_to_nothing_are_limited_by_scheduling() -> None:
    waits = Waiting(worker=3.0)
    tiny = [operator(name, 5e-6, frames=30_000, waiting=waits) for name in "abc"]
    found = explain(snapshot(camera(frames=30_000), *tiny)).bottleneck
    assert (found.cause, found.where) == ("scheduling", "main")
    assert "waits 400 µs" in found.evidence
    assert "fuse" in found.advice[0]


def test_threads_that_take_turns_for_tiny_calls_are_not_crowded_out() -> None:
    waits = Waiting(worker=3.0)
    tiny = [operator(name, 5e-6, frames=30_000, waiting=waits, cpu=0.5) for name in "abc"]
    machine = replace(QUIET, crowded=0.6, cpu=9.0, cores=2)
    explanation = explain(snapshot(camera(frames=30_000), *tiny, machine=machine))
    assert explanation.bottleneck.cause == "scheduling"
    assert "crowded machine" in told(explanation)


# -- joins and links ---------------------------------------------------------------------------


def join(**others: Any) -> Snapshot:
    """A camera held up at a join with a radar of 2 Hz."""
    return snapshot(
        camera(frames=20), operator("radar", 1e-4, source=True, frames=20, paced=9.9),
        operator("join", 1e-3, frames=20, waiting=Waiting(partner=9.0)),
        flows=(
            flow("camera.out", "join.a", sent=20, waits=times(1.2, count=20)),
            flow("radar.out", "join.b", sent=20, waits=times(1e-4, count=20)),
        ),
        **others,
    )  # fmt: skip


def test_a_join_names_the_input_that_comes_late() -> None:
    found = explain(join()).bottleneck
    assert (found.cause, found.where) == ("late partner", "radar.out -> join.b")
    assert "join waits 450 ms for each message of its input b, from radar" in found.evidence
    assert "radar" in found.advice[0]


def test_branches_of_one_source_are_no_late_partners() -> None:
    branches = snapshot(
        camera(), operator("a", 0.02), operator("join", 1e-3, waiting=Waiting(partner=9.0)),
        flows=(
            flow("camera.out", "a.x"), flow("camera.out", "join.a", waits=times(0.02)),
            flow("a.out", "join.b"),
        ),
    )  # fmt: skip
    found = explain(branches).bottleneck
    assert (found.cause, found.where) == ("slow operator", "a")


def test_messages_without_partners_are_told_though_all_keeps_up() -> None:
    late = snapshot(
        camera(held=0.0, paced=9.0), operator("radar", 1e-4, source=True, paced=9.0),
        operator("join", 1e-3),
        flows=(
            flow("camera.out", "join.a", delivered=200, dropped={"late": 100}),
            flow("radar.out", "join.b", waits=times(1e-5)),
        ),
    )  # fmt: skip
    found = explain(late).bottleneck
    assert (found.cause, found.where) == ("late partner", "radar.out -> join.b")
    assert "100 messages found no partner in time" in found.evidence
    assert any("tolerance" in line for line in found.advice)


def test_a_batch_that_fills_slowly_is_a_late_partner() -> None:
    infer = operator("infer", 1e-3, batch=8, waiting=Waiting(partner=90.0))
    way = path(Step("work", "camera", ""), Step("work", "infer", "x", 0.3, 0.001))
    found = explain(snapshot(camera(held=0.0, paced=9.0), infer, paths=(way,))).bottleneck
    assert (found.cause, found.where) == ("late partner", "camera.out -> infer.x")
    assert "batch of up to 8" in found.evidence


@pytest.mark.parametrize(("kind", "cause"), [("link", "link"), ("serialise", "serialising")])
def test_the_way_between_processes(kind: Any, cause: str) -> None:
    way = path(
        Step("work", "camera", ""), Step(kind, "view", "x", 0.03, 0.02),
        Step("work", "view", "x", 1e-4, 1e-3),
    )  # fmt: skip
    found = explain(snapshot(camera(), operator("view", 1e-3), paths=(way,))).bottleneck
    assert (found.cause, found.where) == (cause, "camera.out -> view.x")
    assert "20 ms of each frame, after 30 ms of waiting: 98%" in found.evidence


# -- latency -----------------------------------------------------------------------------------


def queue_of(length: int, depth: float, *, dropped: int = 0, **others: Any) -> Snapshot:
    """A full queue in front of a slow operator."""
    wait = depth * 10.0 / 300
    when_full = "drop_oldest" if dropped else "block"
    full = flow(
        "camera.out", "detect.x", queue=length, waits=times(wait), dropped={"full": dropped},
        delivered=300 - dropped, when_full=when_full,
    )  # fmt: skip
    way = path(Step("work", "camera", ""), Step("work", "detect", "x", wait, 0.032))
    detect = operator("detect", 0.032, waiting=Waiting(turn=wait * 300))
    return snapshot(camera(), detect, flows=(full,), paths=(way,), **others)


def test_a_long_queue_is_second_to_what_it_waits_for() -> None:
    explanation = explain(queue_of(30, 28.0))
    assert explanation.bottleneck.cause == "slow operator"
    assert explanation.others[0].cause == "full queue"
    assert explanation.others[0].where == "camera.out -> detect.x"
    assert "28 of 30 messages" in explanation.others[0].evidence


def test_where_frames_are_dropped_it_counts_how_old_the_others_get() -> None:
    explanation = explain(queue_of(30, 28.0, dropped=100))
    assert explanation.bottleneck.cause == "full queue"
    assert explanation.bottleneck.advice[0].startswith("`queue: 1` on detect.x")
    assert told(explanation)["slow operator"].where == "detect"


def test_a_short_queue_is_not_to_blame() -> None:
    assert "full queue" not in told(explain(queue_of(2, 2.0, dropped=100)))


def budget(limit: float, worst: float, missed: int) -> BudgetStats:
    """A budget judged 20 times."""
    return BudgetStats(
        "camera", "detect", {"p99": limit}, "warn", 10.0, False, times(worst),
        worst={"p99": worst}, judged=20, missed=missed,
    )  # fmt: skip


def test_a_missed_budget_names_what_takes_the_time() -> None:
    way = path(Step("work", "camera", ""), Step("work", "detect", "x", 1e-4, 0.012))
    kept_up = snapshot(
        camera(held=0.0, paced=9.0), operator("detect", 0.012), paths=(way,),
        budgets=(budget(0.008, 0.013, missed=18),),
    )  # fmt: skip
    found = explain(kept_up).bottleneck
    assert (found.cause, found.where) == ("slow operator", "detect")
    assert found.evidence.endswith("p99 from camera to detect may be 8 ms, and was 13 ms")


def test_one_hiccup_misses_no_budget() -> None:
    way = path(Step("work", "camera", ""), Step("work", "detect", "x", 1e-4, 0.012))
    kept_up = snapshot(
        camera(held=0.0, paced=9.0), operator("detect", 0.012), paths=(way,),
        budgets=(budget(0.008, 0.013, missed=1),),
    )  # fmt: skip
    assert explain(kept_up).bottleneck.cause == "nothing"


def test_the_long_queue_of_a_missed_budget_comes_first() -> None:
    explanation = explain(queue_of(30, 28.0, budgets=(budget(0.1, 0.9, missed=20),)))
    assert explanation.bottleneck.cause == "full queue"


def test_the_critical_path_is_the_slowest_of_those_that_come_last() -> None:
    slow = path(Step("work", "a", ""), Step("work", "c", "x", 0.2, 0.01), critical=4)
    deciding = path(Step("work", "b", ""), Step("work", "c", "y", 0.1, 0.01))
    other = path(Step("work", "b", ""), Step("work", "d", "x", 0.01, 0.01))
    critical = explain(snapshot(camera(), paths=(slow, deciding, other))).critical
    assert critical is deciding


def test_other_findings_are_few_and_told_once() -> None:
    explanation = explain(queue_of(30, 28.0))
    keys = [(f.cause, f.where) for f in (explanation.bottleneck, *explanation.others)]
    assert len(keys) == len(set(keys)) <= 6
    weights = [finding.weight for finding in explanation.others]
    assert weights == sorted(weights, reverse=True)
