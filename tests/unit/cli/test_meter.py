from dataclasses import replace

import pytest

from holoflow.cli.meter import OperatorReadings


def test_first_rate_is_the_mean_since_the_start(made):
    camera, _ = OperatorReadings().read(made.snapshot(0.5, 15))
    assert camera.rate == pytest.approx(30)


def test_rate_is_that_of_the_last_seconds(made):
    meter = OperatorReadings()
    for step in range(1, 41):  # ten seconds at 30/s, then ten at 60/s
        seconds = step * 0.5
        frames = 30 * seconds if seconds <= 10 else 300 + 60 * (seconds - 10)
        camera, _ = meter.read(made.snapshot(seconds, int(frames)))
    assert camera.rate == pytest.approx(60)


def test_two_snapshots_at_one_time_do_not_divide_by_zero(made):
    assert OperatorReadings().read(made.snapshot(0.0, 5))[0].rate == 0


def test_readings_join_the_books_of_operators_and_of_the_flows_that_end_there(made):
    camera, detect = OperatorReadings().read(made.snapshot(10.0, 305))
    assert (camera.name, camera.waiting, camera.queue, dict(camera.dropped)) == (
        "camera", 0, 0, {"device": 1},
    )  # fmt: skip
    assert (detect.waiting, detect.queue, dict(detect.dropped)) == (1, 2, {"full": 3, "late": 2})
    assert detect.skipped == 2


def test_times_and_utilisation_are_those_of_the_last_seconds(made):
    meter = OperatorReadings()
    meter.read(made.snapshot(10.0, 305))
    for seconds in (20.0, 30.0, 30.5):
        _, detect = meter.read(made.snapshot(seconds, 305 + int(10 * (seconds - 10))))
    assert detect.latency.count == 105  # since second 20: the last 2 seconds are in it
    assert detect.latency.quantile(0.5) == pytest.approx(0.045, rel=0.01)
    assert detect.working.quantile(0.5) == pytest.approx(0.02, rel=0.01)
    assert detect.utilisation == pytest.approx(0.2, rel=0.05)


def test_what_was_not_measured_has_no_utilisation(made):
    last = made.snapshot(1.0, 30)
    untracked = made.operator("camera", 30)
    (camera,) = OperatorReadings().read(replace(last, operators=(untracked,), flows=()))
    assert (camera.rate, camera.utilisation, camera.latency.count) == (30, None, 0)
