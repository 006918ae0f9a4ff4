"""The cost of reading, planning and building an app grows with its size, not with its square."""

import sys
from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.core.operator import OperatorContext
from holoflow.engine.build import build
from holoflow.engine.control import Control
from holoflow.plan import plan

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SIZE = 80


@pytest.fixture
def apps(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from sized import apps

    return apps


def steps(call, *arguments):
    """Return what `call` returns, and how many lines and calls of Python it takes."""
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event in ("line", "call")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = call(*arguments)
    finally:
        sys.settrace(before)
    return result, count


def made(planned, folder):
    contexts = {name: OperatorContext(name, folder) for name in planned.app.operators}
    return build(planned, Control(), contexts, None)


def costs(apps, shape, count, fragments, folder):
    path = apps.write(folder / f"of_{count}.yaml", apps.SHAPES[shape](count), fragments=fragments)
    app, loading = steps(load, path)
    planned, planning = steps(plan, app)
    found = {"load": loading, "plan": planning}
    if fragments == 1:
        program, found["build"] = steps(made, planned, folder)
        assert sorted(program.runners) == sorted(app.operators)
    return found


@pytest.mark.parametrize(
    ("shape", "fragments"),
    [
        ("chain", 1),
        ("chain, unfused", 8),
        ("fan-out 64", 1),
        ("joins", 1),
        ("joins", 8),
        ("merges", 1),
    ],
)
def test_an_app_four_times_as_large_costs_four_times_as_much(apps, tmp_path, shape, fragments):
    """A loop over all flows for each operator would cost up to sixteen times as much."""
    costs(apps, shape, 5, 1, tmp_path)  # what is done once
    small, large = (costs(apps, shape, n, fragments, tmp_path) for n in (SIZE, 4 * SIZE))
    ratios = {what: large[what] / small[what] for what in small}
    assert max(ratios.values()) < 4.5, ratios
