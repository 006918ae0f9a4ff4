"""`holoflow top` beside apps, each a process of its own, also such as are killed."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from support.terminal import Terminal, assert_restored

APP = """
app: watched
schema: 1
operators:
  scene:
    type: capture.synthetic
    with: {objects: 2, length: 1000000, size: 16, rate: 200hz, seed: 8}
  look:
    type: ./look.py:LookOp
    inputs: {image: scene.image}
"""
LOOK = '''
from holoflow import Image, Operator


class LookOp(Operator):
    """Look at every image."""

    def process(self, image: Image) -> None:
        self.seen = image
'''
TESTS = Path(__file__).parents[1]
PATIENCE = 300.0


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.yaml").write_text(APP, encoding="utf-8")
    (tmp_path / "look.py").write_text(LOOK, encoding="utf-8")
    (tmp_path / "run").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def start(folder):
    """Start a Python module as a process; whatever still runs is killed."""
    started = []
    environment = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(TESTS),
        "PYTHONUTF8": "1",
    }

    def start(module, *arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            **{
                "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                "text": True, "cwd": folder, "env": environment, **options,
            },
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def publish(start):
    """Start a process with made-up statistics that can be watched."""

    def publish(*arguments):
        process = start("support.watchable", *arguments)
        assert process.stdout.readline() == "ready\n"
        return process

    return publish


@pytest.fixture
def top(start):
    """Run top to its end."""

    def top(*arguments):
        process = start("holoflow", "top", *arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return top


@pytest.fixture
def terminal(folder):
    opened = []

    def open_terminal(*arguments, **options):
        places = {"XDG_RUNTIME_DIR": str(folder / "run"), "TMPDIR": str(folder)}
        opened.append(Terminal(folder, "top", *arguments, **places, **options))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()


def views(process):
    """Yield what a top with --json prints."""
    while line := process.stdout.readline():
        yield json.loads(line)


def until(seen, met):
    for view in seen:
        if met(view):
            return view
    return pytest.fail("top has ended")


def lines_until(process, beginning):
    """Read lines up to one that begins so; returns those before it."""
    before = []
    while not (line := process.stdout.readline()).startswith(beginning):
        assert line, "top has ended"
        before.append(line)
    return before


def sockets(folder):
    return os.listdir(folder / "run" / "holoflow")


# -- holoflow run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["inline", pytest.param("holoscan", marks=pytest.mark.holoscan)])
def test_an_app_is_watched_killed_and_started_again(start, folder, engine):
    run = ("run", ".", "--engine", engine, "--output", "out")
    watching = views(start("holoflow", "top", "--json", "--every", "100ms"))
    assert next(watching)["state"] == "none"
    app = start("holoflow", *run, stdout=subprocess.DEVNULL)
    view = until(watching, lambda view: view["paths"])
    assert (view["state"], view["app"]) == ("live", "watched")
    assert [operator["name"] for operator in view["operators"]] == ["scene", "look"]
    assert view["paths"][0]["name"] == "scene → look"
    assert view["rate"] > 0
    assert view["bottleneck"]["evidence"]
    assert [f["pid"] for f in view["fragments"].values()] == [app.pid]
    app.kill()
    ended = until(watching, lambda view: view["state"] == "ended")
    assert ended["operators"]
    again = start("holoflow", *run, stdout=subprocess.DEVNULL)
    back = until(watching, lambda view: view["state"] == "live" and view["paths"])
    assert back["run"] != view["run"]
    assert [f["pid"] for f in back["fragments"].values()] == [again.pid]
    assert len(sockets(folder)) == 1  # what the killed one left is gone
    again.send_signal(signal.SIGINT)
    until(watching, lambda view: view["state"] == "ended")
    assert again.wait(PATIENCE) == 130
    assert sockets(folder) == []


def test_the_last_books_of_a_run_are_shown(start, folder):
    watching = views(start("holoflow", "top", "--json", "--every", "100ms"))
    assert next(watching)["state"] == "none"
    options = ("--for", "2s", "--engine", "inline", "--output", "out")
    app = start("holoflow", "run", ".", *options, stdout=subprocess.DEVNULL)
    ended = until(watching, lambda view: view["state"] == "ended")
    assert app.wait(PATIENCE) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert ended["seconds"] == report["snapshot"]["seconds"]


# -- made-up statistics ---------------------------------------------------------------------------


def test_nothing_runs(top):
    for arguments in ([], ["--json"]):
        done = top("--once", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("no app runs; start it with: holoflow run APP;")


def test_another_app_runs(top, publish):
    publish("hello", "1", "main")
    done = top("faces", "--once")
    assert done.returncode == 2
    assert done.stderr.startswith("faces does not run (these do: hello); start it with: ")


def test_of_several_apps_one_is_named(top, publish):
    publish("hello", "1", "main")
    faces = publish("faces", "2", "main")
    for arguments in (["--once"], []):
        done = top(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[:2] == [
            "several apps run; name one, such as holoflow top faces:",
            f"  faces: run 2, main is process {faces.pid}",
        ]
    assert json.loads(top("hello", "--once", "--json").stdout)["app"] == "hello"


def test_once_shows_the_last_seconds_for_people_and_for_machines(top, publish):
    publish("faces", "1", "main")
    done = top("--once", "--every", "2s")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"faces  live  .* s  30 frames/s  over [\d.]+ s, times in ms", lines[0])
    assert any(line.startswith("▶  camera → detect → overlay → screen ") for line in lines)
    assert any(line.startswith("detect works 31 ms of each 33.3 ms") for line in lines)
    shown = json.loads(top("--once", "--json").stdout)
    assert shown["operators"][1]["rate"] == pytest.approx(30.0)
    assert shown["operators"][1]["utilisation"] == pytest.approx(0.93, rel=0.02)
    assert 1.0 <= shown["span"] < shown["seconds"]


def test_plain_lines_for_a_pipe_until_ctrl_c(start, publish):
    watching = start("holoflow", "top", "--every", "100ms")
    assert watching.stdout.readline() == "no app runs; waiting\n"
    app = publish("faces", "1", "main")
    lines_until(watching, "faces: live, ")
    app.kill()
    between = lines_until(watching, "faces: ended; waiting for it")
    assert all(line.startswith("faces: live, ") for line in between)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(PATIENCE) == 130
    assert watching.stderr.read() == ""


def test_who_reads_the_lines_may_go_away(start, publish):
    publish("faces", "1", "main")
    watching = start("holoflow", "top", "--every", "100ms", "--json")
    assert watching.stdout.readline()
    watching.stdout.close()
    assert watching.wait(PATIENCE) == 141
    watching.stdout = None
    assert watching.stderr.read() == ""


def test_fragments_come_and_go_one_by_one(start, publish):
    edge = publish("faces", "1", "edge", "camera")
    view = publish("faces", "1", "view", "detect", "overlay", "screen")
    watching = views(start("holoflow", "top", "--json", "--every", "100ms"))
    names = ["camera", "detect", "overlay", "screen"]
    both = until(watching, lambda seen: len(seen["operators"]) == 4 and seen["span"] > 3)
    assert [operator["name"] for operator in both["operators"]] == names
    assert {name: f["pid"] for name, f in both["fragments"].items()} == {
        "edge": edge.pid, "view": view.pid,
    }  # fmt: skip
    assert [operator["rate"] for operator in both["operators"]] == [30.0] * 4
    view.kill()
    alone = until(watching, lambda seen: not seen["fragments"]["view"]["live"])
    assert alone["state"] == "live"
    until(watching, lambda seen: seen["operators"][1]["rate"] == 0 < seen["operators"][0]["rate"])
    again = publish("faces", "1", "view", "detect", "overlay", "screen")
    back = until(watching, lambda seen: seen["fragments"]["view"]["live"])
    assert back["fragments"]["view"]["pid"] == again.pid
    until(watching, lambda seen: seen["operators"][1]["rate"] == 30.0)


def test_an_app_that_is_stopped_is_silent_and_then_goes_on(start, publish):
    app = publish("faces", "1", "main")
    watching = start("holoflow", "top", "--every", "100ms")
    lines_until(watching, "faces: live, ")
    app.send_signal(signal.SIGSTOP)
    lines_until(watching, "faces: no news for ")
    app.send_signal(signal.SIGCONT)
    lines_until(watching, "faces: live, ")


def test_tops_that_are_stopped_or_killed_harm_neither_app_nor_others(start, publish):
    app = publish("faces", "1", "main")
    tops = [start("holoflow", "top", "--json", "--every", "100ms") for _ in range(4)]
    for process in tops:
        assert json.loads(process.stdout.readline())["app"] == "faces"
    stopped, killed, *others = tops
    stopped.send_signal(signal.SIGSTOP)
    killed.kill()
    memory = resident(app.pid)
    for process in others:
        seen = views(process)
        first = next(seen)["seconds"]
        until(seen, lambda view, first=first: view["seconds"] > first + 40)
    assert resident(app.pid) < memory + 20_000_000
    app.stdin.close()
    app.stdin = None
    for process in others:
        assert until(views(process), lambda view: view["state"] == "ended")
    assert app.wait(PATIENCE) == 0
    stopped.send_signal(signal.SIGCONT)
    assert until(views(stopped), lambda view: view["state"] == "ended")


def resident(pid):
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


# -- on a terminal ---------------------------------------------------------------------------------

ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


@pytest.mark.parametrize(("keys", "status"), [(b"q", 0), (b"xyQ", 0), (b"\x03", 130)])
def test_the_screen_is_renewed_until_the_user_leaves(terminal, publish, keys, status):
    shown = terminal()
    shown.read_until("no app runs; waiting  q leaves")
    app = publish("faces", "1", "main")
    shown.read_until(r"faces  live .* frames/s  over [\d.]+ s, times in ms  q leaves")
    shown.read_until("▶  camera → detect → overlay → screen")
    shown.read_until("detect works 31 ms of each 33.3 ms")
    app.kill()
    shown.read_until("ended; waiting for it to restart")
    publish("faces", "2", "main")
    shown.seen = shown.seen[shown.seen.index(ENTERED) :][: len(ENTERED)]
    shown.read_until("faces  live ")
    shown.press(keys)
    assert shown.finish() == status
    assert_restored(shown)
    assert shown.seen.index(ENTERED) < shown.seen.rindex(LEFT)
    assert shown.seen.count(ENTERED) == shown.seen.count(LEFT) == 1


def test_sigterm_leaves_the_terminal_as_it_was(terminal, publish):
    publish("faces", "1", "main")
    shown = terminal()
    shown.read_until("q leaves")
    shown.process.terminate()
    assert shown.finish() == 130
    assert_restored(shown)
    assert shown.seen.count(ENTERED) == shown.seen.count(LEFT) == 1


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(terminal, publish):
    publish("faces", "1", "main")
    shown = terminal()
    shown.read_until("q leaves")
    shown.press(b"\x1a")
    while (state := stat(shown.process.pid)) != "T":
        assert state in "SRD"  # it lives
        if select.select([shown.end], [], [], 0.05)[0]:
            shown._read()
    while select.select([shown.end], [], [], 0.05)[0]:
        shown._read()
    assert_restored(shown)
    assert shown.seen.count(ENTERED) == shown.seen.count(LEFT) == 1
    shown.seen = ""
    shown.process.send_signal(signal.SIGCONT)
    shown.read_until("faces  live ")
    assert shown.seen.count(ENTERED) == 1
    shown.press(b"q")
    assert shown.finish() == 0
    assert_restored(shown)


def stat(pid):
    """Return the state of a process: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_new_size_is_drawn_for_at_once(terminal, publish):
    publish("faces", "1", "main")
    shown = terminal("--every", "1h", columns=70)
    shown.read_until("faces  (live|starting)")
    shown.seen = ""
    fcntl.ioctl(shown.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    shown.read_until("operator .* dropped")  # which has no room in 70 columns
    shown.press(b"q")
    assert shown.finish() == 0


@pytest.mark.parametrize("columns", [1, 20, 40])
def test_a_narrow_terminal(terminal, publish, columns):
    publish("faces", "1", "main")
    shown = terminal("faces", rows=6, columns=columns)
    shown.read_until("…" if columns == 1 else "faces  live")
    shown.press(b"q")
    assert shown.finish() == 0
    assert_restored(shown)


def test_a_dumb_terminal_gets_lines(terminal, publish):
    publish("faces", "1", "main")
    shown = terminal("--every", "100ms", TERM="dumb")
    shown.read_until("faces: live, .* frames/s")
    assert "\x1b" not in shown.seen
    shown.press(b"\x03")
    assert shown.finish() == 130


def test_once_on_a_terminal_leaves_its_picture_there(terminal, publish):
    publish("faces", "1", "main")
    shown = terminal("--once")
    assert shown.finish() == 0
    assert ENTERED not in shown.seen
    assert "faces  live" in shown.text
    assert "q leaves" not in shown.text


def test_a_user_has_to_choose_also_on_a_terminal(terminal, publish):
    publish("faces", "1", "main")
    publish("hello", "1", "main")
    shown = terminal()
    assert shown.finish() == 2
    assert_restored(shown)
    assert "several apps run; name one" in shown.text
