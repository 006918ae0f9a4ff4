"""Processes end with their status, whatever their threads do."""

import subprocess
import sys

import pytest

LEAVE = """
import threading, time
from holoflow.core import lifecycle as leaving
leaving.PATIENCE = {patience}
def work():
    while {goes_on}:
        time.sleep(0.01)
    print("written")
threading.Thread(target=work, name="writer", daemon={daemon}).start()
print("reported", end="")
leaving.leave(3)
"""


@pytest.mark.parametrize(
    ("daemon", "goes_on", "out", "err"),
    [
        (False, "False", "written", ""),
        (False, "True", "reported", "not waited for any longer: thread writer\n"),
        (True, "True", "reported", ""),
    ],
    ids=["ends", "held", "left behind"],
)
def test_with_a_thread(daemon, goes_on, out, err):
    patience = 60.0 if goes_on == "False" else 0.05
    code = LEAVE.format(patience=patience, goes_on=goes_on, daemon=daemon)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert (ended.returncode, ended.stderr) == (3, err)
    assert out in ended.stdout
    assert "reported" in ended.stdout


SIGNALLED = """
import signal
from holoflow.core import lifecycle as leaving
others = leaving._others
def signalled():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    return others()
leaving._others = signalled
leaving.leave(3)
"""


def test_signals_do_not_change_how_it_ends():
    code = [sys.executable, "-c", SIGNALLED]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stderr) == (3, "")
