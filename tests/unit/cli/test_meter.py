import pytest

from holoflow.cli.meter import Meter, source_frames, total_dropped


def test_first_rate_is_the_mean_since_the_start(made):
    camera, _ = Meter().read(made.snapshot(0.5, 15))
    assert camera.rate == pytest.approx(30)


def test_rate_is_that_of_the_last_seconds(made):
    meter = Meter()
    for step in range(1, 41):  # ten seconds at 30/s, then ten at 60/s
        seconds = step * 0.5
        frames = 30 * seconds if seconds <= 10 else 300 + 60 * (seconds - 10)
        camera, _ = meter.read(made.snapshot(seconds, int(frames)))
    assert camera.rate == pytest.approx(60)


def test_two_snapshots_at_one_time_do_not_divide_by_zero(made):
    assert Meter().read(made.snapshot(0.0, 5))[0].rate == 0


def test_readings_join_the_books_of_operators_and_of_the_flows_that_end_there(made):
    camera, detect = Meter().read(made.snapshot(10.0, 305))
    assert (camera.name, camera.waiting, camera.queue, dict(camera.dropped)) == (
        "camera", 0, 0, {"device": 1},
    )  # fmt: skip
    assert (detect.waiting, detect.queue, dict(detect.dropped)) == (1, 2, {"full": 3, "late": 2})
    assert detect.working == pytest.approx(0.02)
    assert detect.skipped == 2


def test_frames_are_those_of_the_sources(made):
    assert source_frames(made.snapshot(10.0, 305)) == 305


def test_total_of_what_was_lost(made):
    assert total_dropped(made.snapshot(10.0, 305)) == {"device": 1, "full": 3, "late": 2}
