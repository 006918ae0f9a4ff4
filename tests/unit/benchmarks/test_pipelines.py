"""The benchmark of whole pipelines: its apps are right, its sums too, and it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from holoflow.app import load

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def pipelined(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from pipelined import apps, contender, results

    return apps, contender, results


def entry(rate, latencies=(), loads=(), others=0.0):
    return {
        "rate": rate, "cpu": 0.002, "memory": 1_000_000, "others": others,
        "latencies": list(latencies), "loads": list(loads),
    }  # fmt: skip


def test_all_apps_are_right_however_frames_come(pipelined, tmp_path):
    apps, contender, _ = pipelined
    (tmp_path / apps.CLIP).write_bytes(b"")
    for name, pipeline in apps.PIPELINES.items():
        assert set(pipeline.contenders) <= contender.CONTENDERS.keys()
        feeds = [apps.Feed("Live", pipeline.live)] if pipeline.live else [apps.Feed()]
        if pipeline.loads:
            feeds += [apps.Feed("Paced", 10.0), apps.Feed("Live", 10.0)]
        for feed in feeds:
            file = tmp_path / f"{name}.yaml"
            file.write_text(json.dumps({"app": "x", "schema": 1, **pipeline.make(feed, tmp_path)}))
            app = load(file)
            sources = [one.cls for one in app.operators.values() if one.cls.ports().source]
            assert all(cls.live == (feed.kind == "Live") for cls in sources)


def test_rates_are_medians_and_ratios_are_of_them(pipelined):
    *_, results = pipelined
    ours, theirs = results.summary({
        "holoflow": [entry(10.0), entry(40.0), entry(20.0)],
        "plain loop": [entry(5.0), entry(4.0), entry(6.0)],
        "never ran": [],
    })  # fmt: skip
    assert (ours["rate"], ours["lowest"], ours["highest"]) == (20.0, 10.0, 40.0)
    assert (ours["holoflow is"], theirs["holoflow is"]) == (1.0, 4.0)
    assert (ours["CPU ms"], ours["memory MB"]) == (2.0, 1.0)


def test_percentiles_need_frames_beyond_them_in_all_repetitions_together(pipelined):
    *_, results = pipelined
    (row,) = results.summary({"holoflow": [entry(1.0, [1_000_000] * 500)] * 2})
    assert (row["p50"], row["p99"], row["p99.9"]) == (1.0, 1.0, 1.0)
    (row,) = results.summary({"holoflow": [entry(1.0, [1_000_000] * 499)] * 2})
    assert (row["p99"], row["p99.9"]) == (1.0, None)
    assert results.number(row["p99.9"]) == "–"


def test_rows_that_others_have_disturbed_are_marked(pipelined):
    *_, results = pipelined
    assert [results.marked(cores) for cores in (None, 0.1, 0.11)] == ["–", "0.10", "0.11 !"]


def test_every_table_has_a_cell_for_each_head(pipelined):
    *_, results = pipelined
    load = {"load": 0.5, "hz": 10.0, "rate": 9.0, "others": None, "latencies": [1]}
    runs = {"video": {"holoflow": [entry(1.0, loads=[load])]}}
    assert [len(table.columns) for table in results.tables(runs)] == [
        len(results.HEADS), len(results.LOAD_HEADS),
    ]  # fmt: skip
    lines = [line for line in results.markdown(runs).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines[:3]} == {len(results.HEADS) + 1}


@pytest.mark.slow
@pytest.mark.holoscan
def test_it_runs(tmp_path):
    result = tmp_path / "result.json"
    contenders = ["holoflow", "plain loop", "thread pool", "Holoscan, event"]
    subprocess.run(
        [
            sys.executable, BENCHMARKS / "pipelines.py", "--quick", "--pipelines", "samples",
            "--contenders", *contenders, "--json", result,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads(result.read_text())
    assert not found["failures"]
    assert [row["contender"] for row in found["summary"]["samples"]] == contenders
    assert all(row["rate"] > 0 for row in found["summary"]["samples"])
