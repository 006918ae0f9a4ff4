"""What links cost, from statistics made by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.snapshots import flow, operator, path, times

from holoflow.core.errors import HoloflowError
from holoflow.predict import calibration
from holoflow.predict.calibration import Trial, background, link_costs, point, reckon, stage_cpu
from holoflow.predict.costs import MEASURED, LinearCost, plain_costs, read_costs
from holoflow.stats.snapshot import FragmentStats, MachineStats, Snapshot, Step, WorkerStats

FRAMES = 1000
SECONDS = 2.0
IDLE = 0.1


def run(size: int, latency: float, *, apart: bool = True) -> Snapshot:
    """Return a run whose stages took 50 µs a message beside their work, its links 1 ns a byte."""
    names = ("sending", "receiving") if apart else ("app", "app")
    ops = [
        operator(name, 1e-4, frames=FRAMES, fragment=fragment, cpu=1.0, waits=times(latency))
        for name, fragment in zip(("send", "receive"), names, strict=True)
    ]
    ticks = FRAMES * (1e-4 + 5e-5)
    cpu = ticks + IDLE * SECONDS + FRAMES * size * 1e-9
    fragments = dict.fromkeys(names, 1 if apart else 2)
    return Snapshot(
        app="calibration", run="1", time=1.0, seconds=SECONDS, operators=tuple(ops),
        flows=(flow("send.out", "receive.array", sent=FRAMES),),
        paths=(
            replace(
                path(Step("work", "send", ""), Step("work", "receive", "array", 0.0, 1e-4)),
                end_to_end=times(*[latency + 1e-4] * 5), working=times(*[1e-4] * 5),
            ),
        ),
        workers=tuple(WorkerStats(name, "w", ticks * many) for name, many in fragments.items()),
        fragments=tuple(
            FragmentStats(
                name, 1, "box", "holoscan", "event", 2, SECONDS,
                MachineStats(2, cpu if apart else 2 * ticks, 1),
            )
            for name in fragments
        ),
    )  # fmt: skip


def test_stage_time_is_that_beside_the_operators():
    assert stage_cpu(run(0, 1.0), "sending") == pytest.approx(FRAMES * 5e-5)


def test_background_is_what_no_stage_used():
    assert background(run(0, 1.0), "sending") == pytest.approx(IDLE)


def test_point_tells_stages_from_the_links_own_threads():
    made = point(Trial(10**6, run(10**6, 0.005), run(10**6, 0.005)), overhead=2e-5, idle=IDLE)
    assert (made.send, made.receive) == (pytest.approx(3e-5), pytest.approx(3e-5))
    assert (made.out, made.into) == (pytest.approx(1e-3), pytest.approx(1e-3))
    assert made.latency == pytest.approx(0.005)


def test_line_goes_through_both_sizes_and_never_below_nothing():
    assert LinearCost.through((10, 5.0), (20, 10.0)) == LinearCost(0.0, 0.5)
    assert LinearCost.through((10, 5.0), (20, 3.0)) == LinearCost(5.0, 0.0)
    assert LinearCost.through((10, -1.0), (20, 3.0)) == LinearCost(0.0, 0.3)


def test_delay_is_what_is_left_of_the_latency():
    ends = [
        point(Trial(size, run(size, latency), run(size, latency)), 0.0, IDLE)
        for size, latency in ((0, 0.001), (10**6, 0.004))
    ]
    costs = link_costs(*ends, known=0.0002)
    assert costs.out.at(10**6) == pytest.approx(0.001)
    # 4 ms less twice 1 ms in threads, twice 50 µs in stages, and what is known
    assert costs.delay.at(10**6) == pytest.approx(0.0017)
    assert costs.delay.at(0) == pytest.approx(0.0007)


def test_costs_are_those_of_all_trials():
    alone = run(1000, 0.0004, apart=False)
    both = [Trial(size, run(size, 0.002), run(size, 0.002)) for size in (1000, 10**6)]
    made = reckon(Trial(1000, alone, alone), {"zeromq": both}, "a table")
    assert made.overhead == pytest.approx(5e-5)
    assert made.wake == pytest.approx(0.0004, rel=0.3)
    assert made.background == pytest.approx(IDLE, rel=0.01)
    assert set(made.links) == {"zeromq"}


class TestFile:
    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOLOFLOW_CACHE", str(tmp_path))

    def test_without_it_there_is_what_ships(self):
        assert calibration.known_costs() is MEASURED

    def test_what_was_written_is_read(self):
        other = replace(MEASURED, measured="here")
        calibration.costs_file().write_text(json.dumps(plain_costs(other)))
        assert calibration.known_costs() == other == read_costs(plain_costs(other))

    @pytest.mark.parametrize("content", ["{", "[]", '{"measured": 1}'])
    def test_broken_one_is_told(self, content):
        calibration.costs_file().write_text(content)
        with pytest.raises(HoloflowError, match="--calibrate"):
            calibration.known_costs()
