import json
import os
import signal
import subprocess
import sys

import pytest

ENGINES = ["inline", pytest.param("holoscan", marks=pytest.mark.holoscan)]


def read_until(stream, beginning):
    for line in stream:
        if line.startswith(beginning):
            return
    pytest.fail(f"no line begins with {beginning!r}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains_and_reports(start, folder, engine, number):
    process = start("run", ".", "--output", "out", "--engine", engine)
    read_until(process.stdout, "counting")
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "draining; Ctrl-C again stops now\n"
    assert "numbers: interrupted" in out
    report = json.loads((folder / "out" / "report.json").read_text())
    kept = (folder / "out" / "numbers.txt").read_text().split()
    flows = report["snapshot"]["flows"]
    assert [flow["sent"] for flow in flows] == [len(kept)] * 2
    assert all(flow["dropped"] == {} for flow in flows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_closed_terminal_is_nothing_under_nohup(start, folder, engine):
    def nohup():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    options = ("--output", "out", "--engine", engine)
    process = start("run", ".", *options, preexec_fn=nohup)
    read_until(process.stdout, "counting")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "draining; Ctrl-C again stops now\n")


def test_ctrl_c_is_heeded_by_what_a_script_has_started_in_the_background(start):
    """Shells have such commands ignore SIGINT; whoever sends it to this one means it."""

    def in_the_background():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = start("run", ".", "--engine", "inline", preexec_fn=in_the_background)
    read_until(process.stdout, "counting")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "draining; Ctrl-C again stops now\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_second_signal_ends_what_hangs_and_reports(start, folder, engine):
    process = start("run", ".", "--set", "hang_at=3", "--engine", engine, "--output", "out")
    read_until(process.stdout, "hanging")
    for said in ("draining", "stopping now"):
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, said)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "")
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["outcome"] == "interrupted"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_third_signal_ends_what_hangs(start, engine):
    process = start("run", ".", "--set", "hang_at=3", "--engine", engine)
    read_until(process.stdout, "hanging")
    for said in ("draining", "stopping now"):
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, said)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130


def test_a_signal_before_the_run_begins_is_status_130(start, folder):
    os.mkfifo(folder / "gate")
    operators = folder / "operators.py"
    operators.write_text("open('gate').read()\n" + operators.read_text())
    process = start("check", ".")
    with (folder / "gate").open("w"):  # returns once the operators' file is being imported
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [("-m holoflow check .", 130, "interrupted\n"), ("-c import_holoflow.core.array", -2, None)],
    ids=["command", "library"],
)
def test_ctrl_c_while_python_imports_is_a_word_for_the_command_alone(folder, command, status, said):
    (folder / "numpy.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(300)\n"
    )
    arguments = [word.replace("import_", "import ") for word in command.split()]
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status
    assert said is None or ended.stderr == said
