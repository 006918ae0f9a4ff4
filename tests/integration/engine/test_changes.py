"""Live parameters: checked as in the file, changed between two frames, in every kind of stage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from support.graphs import EVENT2, INLINE, THREADS2, Endless, Sink, app, flow, node
from typing_extensions import TypedDict

from holoflow import HoloflowError, Operator, param
from holoflow.app.graph import App
from holoflow.engine import RunOptions, Stopper, execute
from holoflow.engine.changes import MOST, Changes, LiveParameters
from holoflow.engine.control import Control
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.stage import Stage
from holoflow.plan import plan
from holoflow.stats.spans import PathTree

on_engines = pytest.mark.parametrize("engine", [INLINE, EVENT2, THREADS2], ids=str)


class Pair(TypedDict):
    """What the operator saw at the beginning and at the end of a call."""

    x: tuple[int, int]


class Gain(Operator):
    """Multiplies, and shows its parameters as they were before and after the work."""

    stateless: ClassVar[bool] = True

    gain: int = param(1, ge=0, le=100, doc="factor", live=True)
    most: int = param(1000, doc="above the gain", live=True)
    fixed: int = param(0, doc="cannot change")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        if self.gain > self.most:
            raise HoloflowError("the gain is above the most")

    def process(self, x: int) -> tuple[int, int]:
        before = self.gain
        threading.Event().wait(0.0002)
        return before, self.gain


class HeavyGain(Gain):
    """The same in threads of its copies."""

    heavy: ClassVar[bool] = True


class Gains(Gain):
    """The same as several messages for each frame."""

    def process(self, x: int) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        before = self.gain
        yield before, before
        yield before, self.gain


class Keep(Sink):
    """Keeps what came, and ends the run once it has seen the last gain."""

    seen: ClassVar[list[tuple[int, int]]] = []
    enough: ClassVar[Stopper]

    def process(self, x: tuple[int, int]) -> None:  # type: ignore[override]
        self.seen.append(x)
        if x[1] == 7:
            self.enough.ask()


def line(cls: type[Operator], **fields: Any) -> App:
    """Return an app whose operator in the middle has live parameters."""
    nodes = [node("source", Endless), node("gain", cls, **fields), node("keep", Keep)]
    return app(nodes, [flow("source", "gain"), flow("gain", "keep")])


def ran(graph: App, engine: Any, tmp_path: Any, ask: Any) -> Any:
    """Run `graph`; `ask` is called with its live parameters at the first snapshot."""
    live, asked = LiveParameters(), []
    Keep.seen, Keep.enough = [], Stopper()

    def observe(snapshot: Any, _history: Any) -> None:
        if not asked and Keep.seen:
            asked.append(ask(live))

    graph = App(**{**vars(graph), "scheduler": engine.scheduler})
    options = RunOptions(engine=engine.name, output=tmp_path)
    return execute(
        plan(graph), options, stopper=Keep.enough, observe=observe, every=0.01, live=live
    )


@on_engines
@pytest.mark.parametrize(
    ("cls", "fields"),
    [(Gain, {}), (HeavyGain, {"copies": 3}), (Gains, {}), (Gain, {"fuse": False})],
)
def test_a_parameter_changes_between_two_frames(engine, cls, fields, tmp_path):
    result = ran(line(cls, **fields), engine, tmp_path, lambda live: live.change("gain", "gain", 7))
    assert result.outcome == "interrupted", result.failure
    assert set(Keep.seen) == {(1, 1), (7, 7)}
    assert Keep.seen == sorted(Keep.seen)
    (change,) = result.last.changes
    assert (change.operator, change.parameter, change.before, change.value) == (
        "gain", "gain", "1", "7",
    )  # fmt: skip


WRONG = [
    ("gian", "gain", 7, "no operator 'gian' runs here; did you mean 'gain'"),
    ("gain", "gian", 7, "Gain has no parameter 'gian'; did you mean 'gain'"),
    ("gain", "fixed", 7, "gain.fixed cannot be changed while the app runs"),
    ("gain", "gain", 101, "gain.gain: .* less than or equal to 100, got 101"),
    ("gain", "gain", "7", "gain.gain: .*integer"),
    ("gain", "most", 0, "the gain is above the most"),
]


@pytest.mark.parametrize(("operator", "parameter", "value", "words"), WRONG)
def test_a_wrong_change_is_refused_and_the_run_goes_on(operator, parameter, value, words, tmp_path):
    def ask(live: LiveParameters) -> None:
        try:
            with pytest.raises(HoloflowError, match=words):
                live.change(operator, parameter, value)
        finally:
            live.change("gain", "gain", 7)

    result = ran(line(Gain), EVENT2, tmp_path, ask)
    assert result.outcome == "interrupted", result.failure
    assert [change.value for change in result.last.changes] == ["7"]


def test_copies_that_are_processes_keep_their_parameters(tmp_path):
    def ask(live: LiveParameters) -> None:
        with pytest.raises(HoloflowError, match="copies are processes"):
            live.change("gain", "gain", 7)
        Keep.enough.ask()

    result = ran(line(Gain, copies=2), EVENT2, tmp_path, ask)
    assert result.outcome == "interrupted", result.failure
    assert result.last.changes == ()


def test_operators_of_holoscans_keep_their_parameters():
    changes = Changes({}, {"show": node("show", Sink)})
    with pytest.raises(HoloflowError, match="'show' is one of Holoscan's operators"):
        changes.change("show", "level", 7)


def test_nothing_changes_before_a_run():
    live = LiveParameters()
    with pytest.raises(HoloflowError, match="not running"):
        live.change("gain", "gain", 7)


def test_of_values_that_wait_the_newest_counts_and_those_of_others_bind_it(tmp_path):
    def ask(live: LiveParameters) -> None:
        live.change("gain", "most", 50)  # may wait for the end of a frame
        with pytest.raises(HoloflowError, match="the gain is above the most"):
            live.change("gain", "gain", 60)
        for gain in (*range(20, 50), 7):
            live.change("gain", "gain", gain)

    result = ran(line(Gain), EVENT2, tmp_path, ask)
    assert result.outcome == "interrupted", result.failure
    assert Keep.seen[-1] == (7, 7)
    made = {(change.parameter, change.value) for change in result.last.changes}
    assert {("most", "50"), ("gain", "7")} <= made


def test_the_newest_value_of_each_parameter_is_remembered(tmp_path):
    stage = Stage([], {}, Control())
    runner = OperatorRunner(node("gain", Gain), Gain(), ["x"], PathTree().step("work", "gain", "x"))
    stage.runners = [runner]
    changes = Changes({"gain": stage}, {"gain": node("gain", Gain)})
    changes.change("gain", "most", 99)
    stage.change()
    for gain in range(2000):
        changes.change("gain", "gain", gain % 90 + 1)
        stage.change()
    changes.change("gain", "gain", runner.operator.gain)
    stage.change()
    made = changes.made()
    assert len(made) == MOST
    assert (made[0].parameter, made[0].value) == ("most", "99")
    assert made[-1].value == str(runner.operator.gain)


def test_checks_of_an_operator_may_raise_anything(tmp_path):
    stage = Stage([], {}, Control())
    stage.runners = [
        OperatorRunner(node("odd", Odd), Odd(), ["x"], PathTree().step("work", "odd", "x"))
    ]
    changes = Changes({"odd": stage}, {"odd": node("odd", Odd)})
    with pytest.raises(HoloflowError, match=r"odd\.gain: ZeroDivisionError"):
        changes.change("odd", "gain", 0)


class Odd(Gain):
    """Divides by its gain when it is made."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.inverse = 1 / self.gain


class Refusing(Gain):
    """Does not take a gain of 5."""

    def changed(self) -> None:
        if self.gain == 5:
            raise ValueError("five is too much")


def test_a_value_that_the_operator_does_not_take_is_left(caplog):
    stage = Stage([], {}, Control())
    runner = OperatorRunner(
        node("gain", Refusing), Refusing(), ["x"], PathTree().step("work", "gain", "x")
    )
    stage.runners = [runner]
    changes = Changes({"gain": stage}, {"gain": node("gain", Refusing)})
    for gain in (5, 7):
        changes.change("gain", "gain", gain)
        stage.change()
    assert runner.operator.gain == 7
    assert [(change.before, change.value) for change in changes.made()] == [("1", "7")]
    assert "gain.gain is left as it is: ValueError: five is too much" in caplog.text
