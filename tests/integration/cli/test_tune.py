"""Tuning a small app, with real trials."""

import json
import signal

import pytest


@pytest.mark.holoscan
def test_real_trials_are_measured_and_ctrl_c_keeps_them(start, folder):
    before = sorted(folder.iterdir())
    tuning = start("tune", ".", "--set", "until=2000", "--frames", "300", "--json")
    for _ in range(3):
        assert "frames/s, p99" in tuning.stderr.readline()
    tuning.send_signal(signal.SIGINT)
    out, said = tuning.communicate(timeout=300)
    assert tuning.returncode == 130, said
    document = json.loads(out)
    trials = [one for row in document["settings"] for one in row["full_speed"]]
    assert len(trials) >= 2  # the last one is shown just before it is kept
    for trial in trials:
        assert all(trial[name] > 0 for name in ("rate", "p50", "p99", "cpu", "seconds"))
    assert document["interrupted"] is True
    assert document["failed"] == {}
    assert sorted(folder.iterdir()) == before


@pytest.mark.holoscan
def test_an_app_that_fails_is_reported_once(holoflow):
    done = holoflow("tune", ".", "--set", "fail_at=3", "--frames", "9")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("operator 'work' failed on frame 2 of count: ValueError") == 1
