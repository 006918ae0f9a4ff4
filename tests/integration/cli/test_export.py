"""`holoflow export` on the folder of a run."""

from collections import Counter
from itertools import product

import pytest
from support.holohub_log import parse
from support.perfetto_trace import Trace
from support.records import faces as records
from support.snapshots import faces as snapshot

from holoflow.report.export.table import read_records, write_csv, write_trace
from holoflow.report.run_report import RunReport, read_report, write_report


@pytest.fixture
def run(folder):
    """The folder of a traced run."""
    made = folder / "runs" / "faces-1"
    made.mkdir(parents=True)
    write_csv(records(), made / "records.csv")
    started = "2026-02-03T14:05:06+01:00"
    write_report(
        made, RunReport("faces", started, "done", "inline", None, snapshot(), (), {}, {}, {})
    )
    return made


@pytest.mark.parametrize(
    ("form", "name", "begins"),
    [
        ("perfetto", "trace.pftrace", b"\n"),
        ("holohub", "holohub.log", b"(camera,"),
        ("csv", "records.csv", b"app,run,epoch_ns,operator,"),
        ("parquet", "records.parquet", b"PAR1"),
        ("prometheus", "metrics.prom", b"# HELP holoflow_run_info "),
    ],
)
def test_it_writes_into_the_folder_of_the_run(holoflow, run, form, name, begins):
    result = holoflow("export", str(run), "--format", form)
    assert (result.stdout, result.stderr, result.returncode) == (f"{run / name}\n", "", 0)
    assert (run / name).read_bytes().startswith(begins)
    assert read_records(run / "records.csv") == records()


def test_the_newest_run_and_another_file(holoflow, run, folder):
    result = holoflow("export", "--format", "csv", "--output", "calls.csv")
    assert (result.stdout, result.returncode) == ("calls.csv\n", 0)
    assert read_records(folder / "calls.csv") == records()


def test_a_report_stands_for_its_run(holoflow, run):
    write_trace(run, records())
    before = (run / "trace.pftrace").read_bytes()
    (run / "trace.pftrace").unlink()
    result = holoflow("export", str(run / "report.json"), "--format", "perfetto")
    assert (result.stderr, result.returncode) == ("", 0)
    assert (run / "trace.pftrace").read_bytes() == before


@pytest.mark.parametrize("form", ["perfetto", "holohub", "csv", "parquet"])
def test_without_records_it_says_how_to_get_them(holoflow, run, form):
    (run / "records.csv").unlink()
    result = holoflow("export", str(run), "--format", form)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"{run} holds no records of single frames; "
        "run the app with --trace frames=1000 to keep those of the newest 1000\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["nowhere", "--format", "csv"],
            "no run at nowhere; name the folder that `holoflow run` wr",
        ),
        (
            ["--format", "csv", "--output", "no/x.csv"],
            "no/x.csv cannot be written: No such file or",
        ),
        (
            ["--format", "holohub", "--output", "runs/faces-1/records.csv"],
            "runs/faces-1/records.csv holds the records of the run; write to another file",
        ),
        (["."], "Missing option '--format'"),
    ],
)
def test_mistakes(holoflow, run, arguments, complaint):
    result = holoflow("export", *arguments)
    assert complaint in result.stderr
    assert (result.returncode, result.stdout) == (2, "")
    assert read_records(run / "records.csv") == records()


def test_broken_records_are_refused_by_their_line(holoflow, run):
    lines = (run / "records.csv").read_text().splitlines(keepends=True)
    (run / "records.csv").write_text("".join(lines[:3]) + lines[3][:30])
    for form, output in product(("perfetto", "csv"), ("out", "records.csv")):
        result = holoflow("export", str(run), "--format", form, "--output", output)
        assert result.returncode == 2
        assert result.stderr.startswith(f"{run / 'records.csv'}:4: ")


@pytest.mark.parametrize("engine", ["inline", pytest.param("holoscan", marks=pytest.mark.holoscan)])
@pytest.mark.parametrize("fuse", ["auto", "off"])
def test_of_a_traced_run_all_say_the_same(holoflow, folder, engine, fuse):
    result = holoflow(
        "run", ".", "--set", "until=40", "--trace", "frames=1000", "--output", "out",
        "--engine", engine, "--fuse", fuse, "--no-web",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found, last = read_records(folder / "out/records.csv"), read_report(folder / "out").snapshot
    assert (found.app, found.run) == ("numbers", last.run)
    assert Counter(call.operator for call in found.calls) == {
        stats.name: stats.frames for stats in last.operators
    }
    for sides in ("gives", "takes"):
        messages = Counter(flow for call in found.calls for flow, _ in getattr(call, sides))
        assert messages == {stats.name: stats.sent for stats in last.flows}

    trace = Trace((folder / "out/trace.pftrace").read_bytes())
    assert trace.arrows() == {("count", "work"): 40, ("work", "keep"): 40}
    assert holoflow("export", "out", "--format", "holohub").returncode == 0
    latencies, _, _ = parse((folder / "out/holohub.log").read_text())
    (path,) = last.paths
    assert latencies.keys() == {"count→ work→ keep"}
    assert len(latencies["count→ work→ keep"]) == path.frames == 40
    mean = sum(latencies["count→ work→ keep"]) / 40 / 1000
    assert mean == pytest.approx(path.end_to_end.mean, abs=1.1e-6)


def test_only_the_newest_frames_are_kept(holoflow, folder):
    result = holoflow(
        "run", ".", "--set", "until=40", "--trace", "frames=10", "--output", "out", "--no-web",
        "--engine", "inline",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    calls = read_records(folder / "out/records.csv").calls
    assert sorted(call.sequence for call in calls) == [n for n in range(30, 40) for _ in range(3)]
