"""Tuning a small app, with real trials."""

import json

import pytest

from holoflow.app import load


@pytest.mark.holoscan
def test_a_small_app_is_tuned(holoflow, folder):
    before = (folder / "app.yaml").read_text()
    done = holoflow(
        "tune", ".", "--set", "until=2000", "--frames", "300", "--output", "tuned.yaml", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    trials = [one for row in document["settings"] for one in row["full_speed"]]
    assert len(trials) >= len(document["settings"]) > 3
    assert all(one["seconds"] > 0 for one in trials)
    assert document["failed"] == {}
    assert (folder / "app.yaml").read_text() == before
    assert (folder / "tuned.yaml").exists() == bool(document["best"]["app"])
    if document["best"]["app"]:
        assert load(folder / "tuned.yaml").operators.keys() == {"count", "work", "keep"}


@pytest.mark.holoscan
def test_an_app_that_fails_is_reported_once(holoflow):
    done = holoflow("tune", ".", "--set", "fail_at=3", "--frames", "9")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("operator 'work' failed on frame 2 of count: ValueError") == 1
