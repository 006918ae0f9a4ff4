"""A run of the command line with an engine that the test plays."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest

from holoflow import engine
from holoflow.app.graph import App, Endpoint, Flow, Node
from holoflow.cli import running
from holoflow.cli.running import run_plan
from holoflow.core.errors import HoloflowError
from holoflow.core.operator import Operator
from holoflow.engine.control import Failure, RunOptions, RunResult
from holoflow.plan import Plan
from holoflow.stats.snapshot import Snapshot


class CameraOp(Operator):
    def frames(self) -> "Iterator[float]":  # noqa: F821
        yield 1.0


class DetectOp(Operator):
    def process(self, image: float) -> None: ...


@pytest.fixture
def planned() -> Plan:
    nodes = {
        "camera": Node("camera", "./a.py:CameraOp", CameraOp),
        "detect": Node("detect", "./a.py:DetectOp", DetectOp, {"level": 0.5}),
    }
    flow = Flow(Endpoint("camera", "image"), Endpoint("detect", "image"))
    app = App("faces", Path("faces/app.yaml"), nodes, (flow,))
    return Plan(app, (), (), ("this may surprise",))


@pytest.fixture
def play(monkeypatch, planned, tmp_path):
    """Run with a function in the engine's place; gives the exit status."""

    def run(execute, **options):
        monkeypatch.setattr(engine, "execute", execute)
        shown = {"as_json": False, "log_level": "info"} | options
        return run_plan(planned, RunOptions(output=tmp_path), **shown)

    return run


def done(made, **arguments):
    return lambda *_, **__: made.result(**arguments)


@pytest.mark.parametrize(("outcome", "status"), [("done", 0), ("failed", 1), ("interrupted", 130)])
def test_exit_status_follows_the_outcome(made, play, outcome, status):
    assert play(done(made, outcome=outcome)) == status


def test_a_signal_while_the_report_is_written_does_not_cost_it(made, play, tmp_path, monkeypatch):
    def write(*arguments):
        signal.raise_signal(signal.SIGINT)
        return written(*arguments)

    written = running.write_files
    monkeypatch.setattr(running, "write_files", write)
    assert play(done(made, outcome="interrupted")) == 130
    assert (tmp_path / "report.json").exists()


def test_notices_files_and_report_are_named(made, play, tmp_path, capsys):
    def execute(plan, options, **_):
        (options.output / "faces.mp4").write_bytes(bytes(1234))
        return made.result()

    play(execute)
    said = capsys.readouterr()
    assert said.err == "note: this may surprise\n"
    assert "\n  faces.mp4  1.23 kB\n" in said.out
    assert said.out.endswith(
        f"page: {tmp_path / 'report.html'}\nreport: {tmp_path / 'report.json'}\n"
    )
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_report_is_the_whole_run_as_plain_data(made, play, tmp_path):
    play(done(made))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["app"] == "faces"
    assert report["outcome"] == "done"
    assert report["snapshot"]["flows"][0]["dropped"] == {"full": 3, "late": 2}
    assert report["plan"]["app"]["operators"]["detect"]["parameters"] == {"level": 0.5}
    assert report["options"]["output"] == str(tmp_path)
    assert {"holoflow", "python", "platform", "numpy"} <= report["versions"].keys()


def test_a_failure_names_operator_frame_and_cause_and_keeps_the_traceback(
    made, play, tmp_path, capsys
):
    try:
        raise ValueError("no [red]good\x1b[1m")
    except ValueError as error:
        failure = Failure("detect", "frame 3 of camera", f"ValueError: {error}", error)
    assert play(done(made, outcome="failed", failure=failure)) == 1
    assert capsys.readouterr().err == (
        "note: this may surprise\n"
        "operator 'detect' failed on frame 3 of camera: ValueError: no [red]good\\x1b[1m\n"
        f"the traceback is in {tmp_path / 'error.log'}\n"
    )
    assert "test_running.py" in (tmp_path / "error.log").read_text()


def test_snapshots_logs_and_the_last_announcement_are_shown(made, play, capsys):
    def execute(plan, options, *, observe, **_):
        observe(made.snapshot(1.0, 30), ())
        logging.getLogger("holoflow.operator.camera").warning("lost some")
        ended = made.result(announcements=(("live page", "http://127.0.0.1:1"),))
        observe(ended.last, ())
        return ended

    play(execute, as_json=True)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == [
        "snapshot", "log", "announcement", "snapshot", "end", "summary",
    ]  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True])
def test_what_operators_print_does_not_come_between_lines_for_machines(made, play, capsys, as_json):
    def execute(plan, options, **_):
        print("chatter")
        return made.result()

    play(execute, as_json=as_json)
    said = capsys.readouterr()
    assert "chatter\n" in (said.err if as_json else said.out)
    assert "chatter" not in (said.out if as_json else said.err)


def test_the_first_signal_drains_and_the_second_stops(made, play, capsys):
    def execute(plan, options, *, stopper, **_):
        os.kill(os.getpid(), signal.SIGINT)
        assert stopper.drain.wait(300)
        assert not stopper.now.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopper.now.wait(300)
        return made.result("interrupted")

    assert play(execute) == 130
    assert capsys.readouterr().err.splitlines()[1:] == [
        "draining; Ctrl-C again stops now",
        "stopping now; Ctrl-C again ends without a report",
    ]


def test_an_app_that_ends_by_itself_after_a_signal_is_done(made, play):
    def execute(plan, options, *, stopper, **_):
        os.kill(os.getpid(), signal.SIGINT)
        assert stopper.drain.wait(300)
        return made.result("done")

    assert play(execute) == 0


def test_a_reader_that_has_gone_drains_the_run(made, play, monkeypatch, tmp_path):
    reading, writing = os.pipe()

    def execute(plan, options, *, stopper, observe, **_):
        os.close(reading)
        observe(made.snapshot(6.0, 30), ())
        assert stopper.drain.wait(300)
        observe(made.snapshot(12.0, 60), ())
        assert not stopper.now.is_set()
        return made.result("interrupted")

    with open(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert play(execute) == 141
    assert (tmp_path / "report.json").exists()


def test_what_the_engine_raises_passes(play):
    def execute(*_, **__):
        raise HoloflowError("Holoscan is not installed")

    with pytest.raises(HoloflowError, match="not installed"):
        play(execute)


def test_a_report_that_cannot_be_written_is_said(made, play, tmp_path, capsys):
    (tmp_path / "report.json").mkdir()
    assert play(done(made)) == 1
    assert "the run is done, but its report cannot be written" in capsys.readouterr().err


def test_a_run_without_a_single_frame_is_summed_up(play, capsys):
    empty = Snapshot("faces", "a1b2c3", 1.79e9, 0.0, (), ())
    assert play(lambda *_, **__: RunResult("done", "inline", empty)) == 0
    assert "faces: done, 0 frames in 0 s, engine inline" in capsys.readouterr().out
