"""The command line on a terminal, which the test holds the other end of."""

import json
import os
import re

import pytest
from support.terminal import Terminal, assert_restored

ENGINES = ["inline", pytest.param("holoscan", marks=pytest.mark.holoscan)]


@pytest.fixture
def terminal(folder):
    opened = []

    def open_terminal(*arguments, **options):
        opened.append(Terminal(folder, *arguments, **options))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_is_renewed_until_ctrl_c_and_the_terminal_is_as_it_was(terminal, engine):
    shown = terminal("run", ".", "--engine", engine, "--set", "log_every=20")
    shown.read_until(r"operator +frames +in/s +busy +work p50 +latency p50 +latency p99")
    shown.read_until(r"number 40")
    shown.press(b"\x03")
    assert shown.finish() == 130
    assert_restored(shown)
    assert "\x1b[1A" in shown.seen  # up, to draw the table anew
    assert "draining; Ctrl-C again stops now" in shown.text
    assert "numbers: interrupted" in shown.text
    assert re.search(r"report: runs/numbers-[\d-]+/report\.json\r\n$", shown.text)


def test_what_is_logged_stands_above_the_table_in_a_line_of_its_own(terminal):
    shown = terminal("run", ".", "--frames", "100", "--set", "log_every=10")
    assert shown.finish() == 0
    lines = re.split(r"[\r\n]+", shown.text)
    expected = [f"warning work: [bold]number {n} →\\x1b[2J" for n in range(10, 101, 10)]
    assert [line for line in lines if "number" in line and "warning" in line] == expected
    assert "counting: [bold]from 1\\x1b[31m →" in lines


def test_the_third_ctrl_c_leaves_the_terminal_as_it_was(terminal):
    shown = terminal("run", ".", "--set", "hang_at=3")
    shown.read_until("hanging")
    shown.press(b"\x03")
    shown.read_until("draining")
    shown.press(b"\x03")
    shown.read_until("stopping now")
    shown.press(b"\x03")
    assert shown.finish() == 130
    assert_restored(shown)


@pytest.mark.parametrize("columns", [1, 12, 40])
def test_a_narrow_terminal(terminal, columns):
    shown = terminal("run", ".", "--frames", "30", rows=5, columns=columns)
    assert shown.finish() == 0
    assert_restored(shown)


def test_a_dumb_terminal_gets_plain_lines(terminal):
    shown = terminal("run", ".", "--frames", "30", TERM="dumb")
    assert shown.finish() == 0
    assert "\x1b" not in shown.seen
    assert "numbers: done, 30 frames" in shown.seen


def test_a_run_in_the_background_ends_by_itself(terminal):
    # A job of a shell: a process group that does not have the terminal.
    shown = terminal("run", ".", "--frames", "3", background=True)
    assert shown.finish() == 0
    assert "numbers: done, 3 frames" in shown.text


def test_a_terminal_that_is_closed_drains_the_run(folder):
    terminal = Terminal(folder, "run", ".", "--output", "out", "--engine", "inline")
    terminal.read_until("counting")
    os.close(terminal.theirs)
    os.close(terminal.end)
    assert terminal.process.wait(300) == 130
    assert json.loads((folder / "out" / "report.json").read_text())["outcome"] == "interrupted"
