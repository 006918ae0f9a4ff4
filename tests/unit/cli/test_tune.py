"""`holoflow tune`, with trials that run nothing."""

import itertools
import json

import pytest
from support.planned import write_app
from typer.testing import CliRunner

from holoflow.app import load
from holoflow.cli.program import program
from holoflow.holoscan import runtime
from holoflow.tune.trial import Measurement, TrialError, Trials


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The app `whole`, of which each frame takes a third longer unless it is scheduled greedily."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "available", lambda: True)
    monkeypatch.setattr(Trials, "run", run)
    write_app(tmp_path / "whole", fragments=False)
    write_app(tmp_path / "watch")
    return tmp_path


def run(_, setting, *, full_speed):
    rate = 120.0 if "greedy" in str(setting) else 90.0
    return Measurement(rate, 0.01, 0.02, 0.005, 4.0, 400)


def invoke(*arguments):
    return CliRunner().invoke(program, ["tune", *arguments])


def test_the_table_begins_with_the_best_and_ends_with_its_yaml():
    done = invoke("whole")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1].split() == [
        "setting", "trials", "rate", "/s", "p50", "ms", "p99", "ms", "CPU", "ms", "spread", "to",
        "default",
    ]  # fmt: skip
    assert lines[2].split()[:2] == ["kind", "greedy"]
    assert lines[2].split()[-1] == "1.33"
    assert "best: kind greedy; 1.33 times the rate of the default" in lines
    assert "scheduler: {kind: greedy}" in lines
    assert "kind greedy … 120 frames/s, p99 20.0 ms" in done.stderr


def test_latency_is_compared_at_the_sources_own_pace():
    done = invoke("whole", "--goal", "latency")
    assert done.exit_code == 0, done.output
    assert "paced p99" in done.stdout
    assert "best: kind greedy; the default has less than 90% of the best rate" in done.stdout


def test_json_has_every_trial():
    document = json.loads(invoke("whole", "--json").stdout)
    assert document["best"]["app"] == {"scheduler": {"kind": "greedy"}}
    best, *others = document["settings"]
    assert best["ratio"] == pytest.approx(4 / 3)
    assert best["spread"] == 0
    assert all(one["full_speed"][0]["p99"] == 0.02 for one in (best, *others))
    assert sum(one["default"] for one in document["settings"]) == 1


def test_what_is_best_is_written_into_a_file_that_extends_the_app(folder):
    before = (folder / "whole" / "app.yaml").read_text()
    for _ in range(2):  # its own file may be written again
        assert "written: whole/app.tuned.yaml" in invoke("whole", "--write").stderr
    tuned = load(folder / "whole" / "app.tuned.yaml")
    assert tuned.scheduler.kind == "greedy"
    assert (folder / "whole" / "app.yaml").read_text() == before
    assert invoke("whole", "--output", "mine.yaml").exit_code == 0
    assert load(folder / "mine.yaml").scheduler.kind == "greedy"


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("watch",), "watch has fragments"),
        (("hello", "--write"), "--output tuned.yaml"),
        (("whole", "--output", "whole/app.yaml"), "is there already"),
        (("whole", "--output", "nowhere/a.yaml"), "there is no folder nowhere"),
        (("whole", "--seconds", "0s"), "must be longer than 0"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_trial(arguments, wrong, monkeypatch):
    monkeypatch.setattr(Trials, "run", lambda *_, **__: pytest.fail("a trial"))
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert wrong in done.output


def test_without_holoscan_there_is_nothing_to_tune(monkeypatch):
    monkeypatch.setattr(runtime, "available", lambda: False)
    done = invoke("whole")
    assert (done.exit_code, "Holoscan's schedulers" in done.output) == (2, True)


def test_an_app_that_fails_gives_the_error_of_its_run_once(monkeypatch):
    def fail(*_, **__):
        raise TrialError("operator 'detect' failed on frame 3 of camera: ValueError: no")

    monkeypatch.setattr(Trials, "run", fail)
    done = invoke("whole")
    assert done.exit_code == 1
    assert done.output.count("operator 'detect' failed on frame 3") == 1


def test_a_noisy_machine_is_said(monkeypatch):
    rates = itertools.cycle([50.0, 90.0])
    monkeypatch.setattr(
        Trials, "run", lambda *_, **__: Measurement(next(rates), 0.01, 0.02, 0.005, 4.0, 400)
    )
    assert "trials of the default differ by " in invoke("whole").stdout


def test_ctrl_c_shows_what_is_known(monkeypatch, folder):
    left = iter(range(3))

    def interrupted(self, setting, *, full_speed):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return run(self, setting, full_speed=full_speed)

    monkeypatch.setattr(Trials, "run", interrupted)
    done = invoke("whole", "--write")
    assert done.exit_code == 130
    assert "the app is best as it is so far" in done.stdout
    assert not (folder / "whole" / "app.tuned.yaml").exists()
