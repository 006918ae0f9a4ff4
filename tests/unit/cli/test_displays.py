import io
import json
import logging
import re
import sys
import threading
from pathlib import Path

import pytest

from holoflow.cli.display import PlainDisplay
from holoflow.cli.display_json import JsonDisplay
from holoflow.cli.display_live import LiveDisplay
from holoflow.cli.summary import Summary, Written
from holoflow.engine.control import Failure

PAGE = ("live page", "http://127.0.0.1:8080")


def record(message, level=logging.WARNING):
    return logging.LogRecord("holoflow.operator.camera", level, "", 0, message, None, None)


def summary(made, **arguments):
    return Summary(
        "faces",
        made.result(**arguments),
        Path("runs/x"),
        (Written("faces.mp4", 1, 1200), Written("shots/*.png", 30, 99)),
        Path("runs/x/report.json"),
    )


def test_plain_display_prints_progress_every_few_seconds(made, capsys):
    display = PlainDisplay()
    for step in range(1, 25):
        display.snapshot(made.snapshot(step / 2, 15 * step + 5, announcements=(PAGE,)))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "live page: http://127.0.0.1:8080"
    assert [line.partition(":")[0] for line in rest] == ["5 s", "10 s"]
    assert rest[0] == (
        "5 s: 155 frames, 31 frames/s, latency p50 45.0 ms, p99 45.0 ms, "
        "dropped 1 device, 3 full, 2 late"
    )


def test_plain_display_prints_logs_without_control_codes(capsys):
    PlainDisplay().log(record("[red]lost\x1b[31m 3"))
    assert capsys.readouterr().out == "warning camera: [red]lost\\x1b[31m 3\n"


def test_plain_summary_holds_all_and_cuts_nothing(made, capsys):
    PlainDisplay().end(summary(made))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    lines = said.splitlines()
    assert lines[0] == "faces: done, 1,305 frames in 10 s (130 frames/s), engine inline"
    assert lines[1] == "operators: times in ms"
    assert lines[3].split()[:4] == ["camera", "1,305", "130", "130"]
    assert lines[3].endswith("0  1 device")
    assert "dropped camera.image -> detect.image: 3 full, 2 late of 1,305" in lines
    assert any(line.startswith("bottleneck: ") for line in lines)
    assert lines[-5:] == [
        "written to runs/x:",
        "  faces.mp4  1.2 kB",
        "  shots/*.png  30 files,  99 B",
        "page: runs/x/report.html",
        "report: runs/x/report.json",
    ]
    assert all(line == line.rstrip() for line in lines)


def test_json_display_prints_an_object_a_line(made, capsys):
    display = JsonDisplay()
    display.log(record("lost [b]\n3"))
    display.snapshot(made.snapshot(0.5, 15))
    display.snapshot(made.snapshot(1.0, 30, announcements=(PAGE,)))
    display.snapshot(made.snapshot(1.5, 45, announcements=(PAGE,)))
    display.end(
        summary(
            made,
            outcome="failed",
            failure=Failure("detect", "frame 3 of camera", "ValueError: no", ValueError("no")),
        )
    )
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event.pop("event") for event in events] == [
        "log", "snapshot", "announcement", "snapshot", "snapshot", "end", "summary",
    ]  # fmt: skip
    assert events[0]["from"] == "camera"
    assert events[0]["text"] == "lost [b]\n3"
    assert events[2] == {"kind": PAGE[0], "text": PAGE[1]}
    assert events[3]["operators"][0]["frames"] == 30
    assert events[3]["operators"][1]["latency"]["p99"] == pytest.approx(0.045, rel=0.01)
    assert events[5] == {"outcome": "failed", "seconds": 10.0}
    assert events[6]["failure"]["operator"] == "detect"
    assert events[6]["flows"][0]["dropped"] == {"full": 3, "late": 2}
    assert events[6]["dropped"] == {"device": 1, "full": 3, "late": 2}
    assert events[6]["explanation"]["bottleneck"]["evidence"]
    assert events[6]["written"][0] == {"name": "faces.mp4", "files": 1, "size": 1200}
    assert events[6]["report"] == "runs/x/report.json"


@pytest.mark.parametrize("display", [PlainDisplay, JsonDisplay])
def test_notes_go_to_stderr(display, capsys):
    display().note("draining \x07")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "draining \\x07\n")


@pytest.mark.parametrize("kind", [PlainDisplay, JsonDisplay])
def test_a_line_is_never_torn_by_another_thread(kind, made, capsys):
    display = kind()

    def talk(name):
        for _ in range(50):
            display.log(record(name * 40))

    threads = [threading.Thread(target=talk, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100
    assert all(("a" * 40 in line) != ("b" * 40 in line) for line in lines)


class Terminal(io.StringIO):
    behind = False

    def isatty(self):
        return True


def on_terminal(monkeypatch):
    """Not a fixture: pytest replaces the streams between setup and call."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setattr("sys.stderr", Terminal())
    return sys.stdout


def test_many_entries_of_the_log_and_prints_draw_the_table_once(made, monkeypatch):
    terminal = on_terminal(monkeypatch)
    display = LiveDisplay("faces", terminal)
    display.snapshot(made.snapshot(1.0, 30))
    drawn = terminal.getvalue().count("times in ms")
    for number in range(100):
        display.log(record(f"lost {number}."))
        print("printed", f"{number}.")
        print(f"to stderr {number}.", file=sys.stderr)
    assert "printed" not in terminal.getvalue()
    display.snapshot(made.snapshot(2.0, 60))
    assert terminal.getvalue().count("times in ms") <= drawn + 2
    display.log(record("the last"))
    print("a line without an end", end="")
    display.stop()
    assert sys.stdout is terminal
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    lines = [line.strip() for line in said.splitlines()]
    for begin in ("warning camera: lost", "printed", "to stderr"):
        assert [line for line in lines if line.startswith(begin)] == [
            f"{begin} {number}." for number in range(100)
        ]
    assert "warning camera: the last" in said
    assert "a line without an end\n" in said
    assert not sys.stderr.getvalue()


def test_prints_that_are_too_many_between_two_tables_are_told(made, monkeypatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr("holoflow.cli.display_live.MOST", 10_000)
    display = LiveDisplay("faces", terminal)
    display.snapshot(made.snapshot(1.0, 30))
    for number in range(1000):
        print(f"{number:<100}")
    display.stop()
    assert "lines of output left out" in terminal.getvalue()
    assert len(terminal.getvalue()) < 30_000
