"""What a run leaves: written, read back, refused."""

import json
import os
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from support import random_snapshots
from support.reports import report
from support.snapshots import faces

from holoflow.app.graph import App
from holoflow.core.errors import HoloflowError
from holoflow.engine.control import Failure, RunOptions, RunResult
from holoflow.plan import Plan
from holoflow.report import run_report
from holoflow.report.diagnosis.decision import explain
from holoflow.report.run_report import read_report, to_json, write_report
from holoflow.stats.histogram import Histogram


def test_what_is_written_can_be_read(tmp_path):
    known = report(faces(), failure="operator 'detect' failed: ValueError: µ", outcome="failed")
    file = write_report(tmp_path, known)
    assert file == tmp_path / "report.json"
    assert read_report(tmp_path) == read_report(file) == known


def test_bytes_that_were_never_text_do_not_keep_it_from_being_written(tmp_path):
    write_report(tmp_path, report(faces(), failure="\udcff", options={"output": "runs/\udcff"}))
    assert read_report(tmp_path).failure == "?"


def test_it_has_everything_in_plain_numbers():
    known = report(faces())
    document = json.loads(to_json(known, explain(known.snapshot)))
    statistics = document["statistics"]
    path = statistics["paths"][0]
    assert path["end_to_end"]["count"] == 300
    assert path["end_to_end"]["p99"] == pytest.approx(0.12, rel=0.05)
    assert set(path["end_to_end"]) == {
        "count", "mean", "p50", "p90", "p95", "p99", "p99.9", "max", "std", "tail", "flatness",
    }  # fmt: skip
    whole = sum(
        seconds
        for part in path["split"]
        for kind, seconds in part.items()
        if kind not in ("operator", "port", "begin")
    )
    assert whole == pytest.approx(0.0951, rel=0.01)
    detect = statistics["operators"][1]
    assert detect["utilisation"] == pytest.approx(0.93, abs=0.01)
    assert detect["rate_in"] == 30
    assert statistics["flows"][0]["mean_depth"] == pytest.approx(1.8, rel=0.02)
    assert statistics["budgets"][0]["kept"] is False
    assert statistics["dropped"] == {"full": 10}
    assert document["explanation"]["bottleneck"]["where"] == "detect"
    assert document["explanation"]["critical"] == "camera → detect → overlay → screen"


def test_what_was_not_measured_is_null():
    empty = replace(faces(), paths=(replace(faces().paths[0], link=Histogram()),))
    document = json.loads(to_json(report(empty), explain(empty)))
    assert document["statistics"]["paths"][0]["link"]["p99"] is None


def test_the_report_of_a_run_that_ended(tmp_path):
    failure = Failure("detect", "frame 3 of camera", "ValueError: no")
    known = run_report.report_of(
        Plan(App("faces", None, {}, ()), (), ()),
        RunOptions(output=tmp_path),
        RunResult("failed", "inline", faces(), failure),
        datetime(2026, 2, 3, tzinfo=timezone.utc),
    )
    assert known.started == "2026-02-03T00:00:00+00:00"
    assert known.failure == "operator 'detect' failed on frame 3 of camera: ValueError: no"
    assert known.options["output"] == str(tmp_path)
    assert {"python", "numpy", "holoflow"} <= known.versions.keys()
    write_report(tmp_path, known)
    assert read_report(tmp_path) == known


def written(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    return tmp_path


def good():
    return json.loads(to_json(report(faces()), explain(faces())))


def changed(**values):
    return json.dumps({**good(), **values}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "broken JSON"),
        (b'{"format": ', "broken JSON"),
        (b"\xff\xfe\x00", "broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b'{"format": NaN}', "broken JSON: NaN is not a finite number"),
        (b'{"format": 1e999}', "broken JSON: 1e999 is not a finite number"),
        (b'{"format": 99999999999999999999}', "broken JSON: 99999999999999999999"),
        (b"[1, 2]", "not a report of a run"),
        (b'{"operators": []}', "not a report of a run"),
        (b'{"format": "holoflow run report", "version": 99}', "version 99, where"),
        (b'{"format": "holoflow run report", "version": 1}', "broken report: .*app"),
    ],
)
def test_what_is_no_report_is_refused_with_a_reason(tmp_path, content, message):
    with pytest.raises(HoloflowError, match=message) as refused:
        read_report(written(tmp_path, content))
    assert str(refused.value).endswith(str(tmp_path / "report.json"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outcome": "splendid"}, "outcome"),
        ({"history": [{}]}, r"history\.0"),
        ({"snapshot": 3}, "snapshot"),
        ({"versions": []}, "versions"),
    ],
)
def test_a_report_that_was_changed_is_refused(tmp_path, values, message):
    with pytest.raises(HoloflowError, match=f"broken report: .*{message}"):
        read_report(written(tmp_path, changed(**values)))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(HoloflowError, match=r"a run leaves report\.json in its folder: .*json"):
        read_report(tmp_path)
    with pytest.raises(HoloflowError, match=r"no such file: .*nowhere"):
        read_report(tmp_path / "nowhere")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "report.json")
    with pytest.raises(HoloflowError, match="not a file"):
        read_report(tmp_path)


def test_nothing_huge_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(run_report, "MOST_BYTES", 1000)
    with pytest.raises(HoloflowError, match="larger than any report"):
        read_report(written(tmp_path, b" " * 1001))


@settings(max_examples=40)
@given(random_snapshots.snapshots, random_snapshots.histories)
def test_every_snapshot_is_the_same_after_it_was_read(tmp_path_factory, snapshot, samples):
    folder = tmp_path_factory.mktemp("run")
    known = report(snapshot, samples)
    write_report(folder, known)
    assert read_report(folder) == known
