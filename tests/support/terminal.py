"""A terminal that a command runs on, and which the test holds the other end of."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
background, *arguments = sys.argv[1:]
holoflow = [sys.executable, "-m", "holoflow", *arguments]
if background == "background":
    job = os.fork()
    if job:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, os.WUNTRACED)[1]))
    os.setpgid(0, 0)
os.execv(sys.executable, holoflow)
"""


class Terminal:
    def __init__(self, folder, *arguments, rows=24, columns=80, background=False, **environment):
        self.end, theirs = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes = termios.tcgetattr(self.end)
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, "background" if background else "", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
            env={**inherited, "TERM": "xterm", "PYTHONUTF8": "1", **environment},
        )  # fmt: skip
        self.theirs = theirs
        self.seen = ""

    def read_until(self, pattern):
        while not re.search(pattern, self.text):
            self._read()

    @property
    def text(self):
        """What was seen, without colours and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen)

    def _read(self):
        received = os.read(self.end, 65536)
        self.seen += received.decode("utf-8", "replace")

    def press(self, keys):
        os.write(self.end, keys)

    def finish(self):
        """Read to the end; returns the exit status."""
        os.set_blocking(self.end, False)
        while self.process.poll() is None:
            try:
                self._read()
            except BlockingIOError:
                try:
                    self.process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
        try:
            while True:
                self._read()
        except BlockingIOError:
            return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.theirs)
        os.close(self.end)


HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


def assert_restored(terminal):
    assert terminal.seen.rfind(SHOWN) > terminal.seen.rfind(HIDDEN)
    assert termios.tcgetattr(terminal.end) == terminal.modes
