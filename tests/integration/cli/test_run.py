import json
import os
import re

import pytest

ENGINES = ["inline", pytest.param("holoscan", marks=pytest.mark.holoscan)]


def test_a_run_says_what_it_did_and_what_it_wrote(holoflow, folder):
    ran = holoflow("run", ".", "--set", "until=20", "--output", "out")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "counting: [bold]from 1\\x1b[31m →\n" in ran.stdout
    assert "numbers: done, 20 frames in" in ran.stdout
    assert re.search(r"^count → work → keep +20 ", ran.stdout, re.MULTILINE)
    assert re.search(r"^bottleneck: ", ran.stdout, re.MULTILINE)
    assert ran.stdout.endswith(
        "written to out:\n  numbers.txt  51 B\npage: out/report.html\nreport: out/report.json\n"
    )
    assert (folder / "out" / "numbers.txt").read_text().split() == [str(n) for n in range(1, 21)]


def test_without_output_every_run_has_a_folder_of_its_own(holoflow, folder):
    for _ in range(2):
        assert holoflow("run", ".", "--set", "until=2").returncode == 0
    runs = list((folder / "runs").iterdir())
    assert len(runs) == 2
    assert all(re.fullmatch(r"numbers-\d{8}-\d{6}(-2)?", run.name) for run in runs)


def test_a_folder_belongs_to_one_run_at_a_time(holoflow, start, folder):
    first = start("run", ".", "--output", "out")
    assert "counting" in first.stdout.readline()
    for _ in range(2):
        second = holoflow("run", ".", "--set", "until=2", "--output", "./out")
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr == (
            f"another run (process {first.pid}) writes into the output folder out; name another\n"
        )
    first.kill()
    first.wait()
    assert holoflow("run", ".", "--set", "until=2", "--output", "out").returncode == 0
    assert (folder / "out" / "numbers.txt").read_text() == "1\n2\n"


def test_frames_ends_a_source_that_never_ends(holoflow, folder):
    ran = holoflow("run", ".", "--frames", "7", "--output", "out")
    assert ran.returncode == 0
    assert len((folder / "out" / "numbers.txt").read_text().split()) == 7


def test_for_ends_a_source_that_never_ends(holoflow):
    ran = holoflow("run", ".", "--for", "0.2s")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", [(), ("--fuse", "off", "--lossless", "--tracking", "off")])
def test_options_reach_the_run(holoflow, folder, engine, options):
    ran = holoflow(
        "run", ".", "--set", "until=5", "--output", "out", "--engine", engine,
        "--scheduler", "greedy", "--workers", "1", "--no-web", *options,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["engine"] == engine
    assert report["plan"]["processes"][0]["scheduler"]["kind"] == "greedy"
    assert report["plan"]["processes"][0]["scheduler"]["workers"] == 1
    assert len(report["plan"]["processes"][0]["stages"]) == (3 if options else 1)
    chosen = {key: report["options"][key] for key in ("web", "lossless", "tracked")}
    assert chosen == {"web": False, "lossless": bool(options), "tracked": not options}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failing_operator_is_status_1(holoflow, folder, engine):
    ran = holoflow(
        "run", ".", "--set", "until=9", "--set", "fail_at=4", "--output", "out", "--engine", engine
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        "operator 'work' failed on frame 3 of count: ValueError: no [red]good µ\n"
        "the traceback is in out/error.log\n"
    )
    assert "numbers: failed" in ran.stdout
    assert 'raise ValueError("no [red]good µ")' in (folder / "out" / "error.log").read_text()


def test_json_is_an_object_a_line(holoflow):
    ran = holoflow("run", ".", "--set", "until=9", "--set", "log_every=4", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[-2:] == ["end", "summary"]
    assert {"announcement", "snapshot", "log"} <= set(kinds)
    logged = [event["text"] for event in events if event["event"] == "log"]
    assert logged == ["[bold]number 4 →\x1b[2J", "[bold]number 8 →\x1b[2J"]
    flows = events[-1]["flows"]
    assert all(flow["sent"] == flow["delivered"] + sum(flow["dropped"].values()) for flow in flows)


def test_log_level(holoflow):
    arguments = ("run", ".", "--set", "until=4", "--set", "log_every=4")
    assert "warning work: [bold]number 4 →\\x1b[2J\n" in holoflow(*arguments).stdout
    assert "number 4" not in holoflow(*arguments, "--log-level", "error").stdout


def test_an_encoding_without_the_characters_ends_nothing(holoflow):
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    ran = holoflow("run", ".", "--set", "until=4", "--set", "log_every=4", environment=ascii_only)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "number 4 ?" in ran.stdout


@pytest.mark.parametrize("output", ["app.yaml", "app.yaml/below"])
def test_an_output_folder_that_cannot_be_is_status_2(holoflow, output):
    ran = holoflow("run", ".", "--set", "until=2", "--output", output)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.search(
        r"^(the output folder app\.yaml is a file|cannot make the output folder)", ran.stderr
    )


def test_a_wrong_app_is_status_2_and_starts_nothing(holoflow, folder):
    app = folder / "app.yaml"
    app.write_text(app.read_text().replace("KeepOp", "KepOp"))
    ran = holoflow("run", ".")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.match(r"\S*app\.yaml:\d+:\d+: .*KepOp", ran.stderr)
    assert not (folder / "runs").exists()


def test_a_reader_that_goes_away_ends_the_run(start):
    process = start("run", ".", "--json")
    assert "announcement" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(300) == 141
    assert process.stderr.read() == ""


def test_help_into_a_closed_pipe_is_silent(start):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("--help", stdout=writing)
    os.close(writing)
    assert process.stderr.read() == ""
    assert process.wait(300) != 0


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["plain", "json"])
def test_a_run_ends_although_nobody_reads_what_it_says(start, folder, options):
    arguments = ("--set", "log_every=1", "--set", "until=20000", "--engine", "inline", *options)
    process = start("run", ".", "--output", "out", *arguments)
    assert process.wait(300) == 0
    assert len((folder / "out" / "numbers.txt").read_text().split()) == 20_000
    assert json.loads((folder / "out" / "report.json").read_text())["outcome"] == "done"


def test_a_disk_without_room_for_the_output_is_told(start, folder):
    with open("/dev/full", "w") as full:
        process = start("run", ".", "--output", "out", "--engine", "inline", stdout=full)
        _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (
        1, "the output cannot be written: no space left on device\n"
    )  # fmt: skip
    assert json.loads((folder / "out" / "report.json").read_text())["outcome"] == "interrupted"
