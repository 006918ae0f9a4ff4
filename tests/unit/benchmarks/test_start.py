"""The apps that the benchmark of starting makes of those that ship are right."""

from pathlib import Path

import pytest

from holoflow.app import load

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def start(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import start

    return start


def test_its_apps_are_right_and_end_with_who_sees_the_first_frame(start, tmp_path):
    start.write_apps(tmp_path)
    for name in (*start.FIRST_FRAMES, *start.IDLE):
        app = load(start.path_of(tmp_path, name))
        assert not any(flow.source.operator == "seen" for flow in app.flows)


def test_what_is_shown_is_the_median_over_that_of_bare_python(start):
    costs = {
        start.BARE: [start.Cost(1.0, 0.5), start.Cost(3.0, 0.5), start.Cost(2.0, 0.5)],
        "holoflow --help": [start.Cost(5.0, 1.0), start.Cost(9.0, 3.0), start.Cost(6.0, 2.0)],
    }
    _, row = start.rows(costs)
    assert (row["seconds"], row["seconds over bare Python"]) == (6.0, 4.0)
    assert (row["CPU seconds over bare Python"], row["CPU / bare Python"]) == (1.5, 4.0)
