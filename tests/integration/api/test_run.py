"""Apps that are run from Python."""

import threading
from collections.abc import Iterator

import pytest

import holoflow
from holoflow import HoloflowError, Operator, param


class CountOp(Operator):
    until: int = param(0, doc="how many; 0 goes on for ever")

    def frames(self) -> Iterator[int]:
        number = 0
        while number < self.until or (not self.until and not self.context.ending.wait(0.001)):
            yield number
            number += 1


class KeepOp(Operator):
    fail_at: int = param(-1, doc="number to fail on")

    def start(self) -> None:
        self.first = threading.Event()

    def process(self, number: int) -> None:
        if number == self.fail_at:
            raise ValueError("no <b>good</b>")
        KEPT.append(number)
        CAME.set()


KEPT: list[int] = []
CAME = threading.Event()


@pytest.fixture(autouse=True)
def _nothing_yet():
    KEPT.clear()
    CAME.clear()


def numbers(until: int = 0, fail_at: int = -1) -> holoflow.App:
    app = holoflow.App("numbers")
    app.flow(app.add("count", CountOp, until=until), app.add("keep", KeepOp, fail_at=fail_at))
    return app


@pytest.fixture(params=["inline", "threads", pytest.param("holoscan", marks=pytest.mark.holoscan)])
def engine(request):
    return request.param


def test_a_run_to_its_end(engine, tmp_path):
    ended = holoflow.run(numbers(50), engine=engine, output=tmp_path)
    assert (ended.outcome, ended.failure, ended.output) == ("done", None, tmp_path)
    assert list(range(50)) == KEPT
    assert [stats.frames for stats in ended.statistics.operators] == [50, 50]
    assert repr(ended).startswith("<numbers: done, 50 frames in ")
    assert f"report: {tmp_path / 'report.json'}" in str(ended)
    assert (tmp_path / "report.html").exists()


def test_a_failure_is_in_the_result(engine, tmp_path):
    ended = holoflow.run(numbers(50, fail_at=7), engine=engine, output=tmp_path)
    assert ended.outcome == "failed"
    assert ended.failure.operator == "keep"
    assert isinstance(ended.failure.error, ValueError)
    assert "no &lt;b&gt;good&lt;/b&gt;" in ended._repr_html_()
    assert "ValueError" in (tmp_path / "error.log").read_text()


def test_a_run_is_looked_at_and_drained_from_another_thread(engine, tmp_path):
    found = []

    def work() -> None:
        with holoflow.run_async(numbers(), engine=engine, output=tmp_path) as handle:
            assert CAME.wait(60)
            with pytest.raises(TimeoutError):
                handle.result(0)
            assert handle.state in ("starting", "running")
        found.append(handle)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(120)
    (handle,) = found
    ended = handle.result()
    assert handle.state == ended.outcome == "interrupted"
    (flow,) = ended.statistics.flows
    assert flow.sent == flow.delivered == len(KEPT)
    assert handle.snapshot() == ended.statistics


def test_what_cannot_run_is_refused_before_anything_starts(tmp_path):
    app = numbers(5)
    app.fragment("a", ["count", "keep"])
    app.fragment("b", ["count"])
    with pytest.raises(HoloflowError, match="'count' is in two fragments"):
        holoflow.run(app, output=tmp_path)
    for name, value in (("engine", "warp"), ("frames", 0), ("seconds", "9s"), ("output", 5)):
        with pytest.raises(HoloflowError, match=rf"run\(\): {name} cannot be {value!r}; it should"):
            holoflow.run(numbers(5), **{name: value})
    with pytest.raises(TypeError, match="no argument 'fames'"):
        holoflow.run(numbers(5), fames=3)  # type: ignore[call-arg]
    handle = holoflow.run_async(numbers(), output=tmp_path / "one")
    with pytest.raises(HoloflowError, match="another run"):
        holoflow.run(numbers(5), output=tmp_path / "one")
    handle.stop(now=True)
    assert handle.result().outcome == "interrupted"
    assert not KEPT or KEPT[0] == 0
