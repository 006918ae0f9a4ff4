"""Several hosts on one machine: Linux namespaces, joined by cables to a switch.

A host has its own network, host name, process numbers, `/dev/shm`, `/tmp` and home. All of it
hangs on one process, the host's first, which ends when its standard input does: so nothing
outlives the test, however that ends. Nothing of the machine's own network is touched, and
since namespaces have no names, tests that run at the same time do not meet.

Needs root, and Debian's iproute2 and util-linux.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from holoflow.assets.fetching import cache_folder

PATIENCE = 300.0
"""Seconds after which what should have happened long ago is taken to have failed."""
NETWORK = "10.77.0.{}"
REPOSITORY = Path(__file__).parents[2]

_PROBE = """
set -e
ip link add bridge type bridge
ip link add port1 type veth peer name eth0
tc qdisc add dev eth0 root tbf rate 1mbit burst 16kb limit 16kb
mount -t tmpfs tmpfs /dev/shm
"""
_SWITCH = "ip link add bridge type bridge; ip link set bridge up"
# $1: name, $2: file with all names and addresses, $3…: what remains visible of /tmp.
_HOST = """
hostname "$1"
mount --bind "$2" /etc/hosts
shift 2
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --rbind /tmp /mnt
mount -t tmpfs -o mode=1777 tmpfs /tmp
for path; do
    mkdir -p "$path"
    mount --bind "/mnt${path#/tmp}" "$path"
done
umount -R /mnt
mount -t proc proc /proc
ip link set lo up
"""
# The first process of all in a space tells its number as it is outside, where /proc is still
# that of outside. It ignores SIGCHLD, so that orphans vanish when they end.
_FIRST = """
set -e
read -r number rest < /proc/self/stat
eval "$0"
echo $number
exec env --ignore-signal=CHLD cat > /dev/null
"""


def why_not() -> str:
    """Say why there can be no hosts here; empty where there can."""
    for program in ("ip", "tc", "unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    command = ["unshare", *_Space.FLAGS, "sh", "-c", _PROBE]
    probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if probe.returncode == 0:
        return ""
    return f"it may not make namespaces with networks ({probe.stderr.strip()})"


@contextmanager
def hosts(folder: Path, *names: str) -> Iterator[list[Host]]:
    """Start hosts of these `names`, with homes in `folder`; they end with the block."""
    book = folder / "hosts"
    lines = [f"{NETWORK.format(number)} {name}\n" for number, name in enumerate(names, 1)]
    book.write_text("".join(["127.0.0.1 localhost\n", *lines]))
    with ExitStack() as stack:
        switch = _Space(_SWITCH)
        stack.callback(switch.end)
        started = []
        for number, name in enumerate(names, 1):
            host = Host(name, number, folder / name, book, switch)
            stack.callback(host.power_off)
            host.power_on()
            started.append(host)
        yield started


class _Space:
    """Namespaces of their own, held by a process that ends with its standard input."""

    FLAGS = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork")

    def __init__(self, script: str, *arguments: str) -> None:
        self._holder = subprocess.Popen(
            ["unshare", *self.FLAGS, "sh", "-c", _FIRST, script, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        number = self._holder.stdout.readline()
        if not number:
            self.end()
            raise RuntimeError("a host could not be started; it said why on stderr")
        self.pid = int(number)
        """Of the first process."""
        self._id = os.readlink(f"/proc/{self.pid}/ns/pid")

    def end(self) -> None:
        """End all processes at once, and with them everything."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait(PATIENCE)
        self._holder.stdout.close()

    def entering(self, *command: str) -> list[str]:
        """Return the command line that runs `command` inside."""
        return ["nsenter", f"--target={self.pid}", "-n", "-m", "-u", "-i", "-p", "--", *command]

    def network(self, line: str) -> str:
        """Run a command line of ip or tc on the network inside and return what it prints."""
        command = ["nsenter", f"--target={self.pid}", "-n", "--", *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def processes(self) -> list[int]:
        """Return the numbers of all processes inside but the first, as they are outside."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                inside = entry.name.isdigit() and os.readlink(entry / "ns/pid") == self._id
            except OSError:  # it has just ended
                continue
            if inside and int(entry.name) != self.pid:
                found.append(int(entry.name))
        return found


class Program(subprocess.Popen[str]):
    """A program on a host; signals go to it, not to nsenter."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        super().__init__(command, text=True, **options)
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        self.inner: int | None = None
        """Its number outside of the host; None where it ended at once."""
        while self.inner is None and self.poll() is None:
            numbers = children.read_text().split()
            self.inner = int(numbers[0]) if numbers else None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:  # nobody else will end it now
            self.kill()
        super().__exit__(kind, error, trace)

    def send_signal(self, sig: int) -> None:
        """Send a signal to the program, if it is still there."""
        if self.poll() is None and self.inner is not None:
            os.kill(self.inner, sig)
            # nsenter stops along with its program, a moment later.
            if sig == signal.SIGSTOP:
                os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            elif sig == signal.SIGCONT:
                super().send_signal(sig)


class Cable:
    """What joins a host to the switch."""

    def __init__(self, switch: _Space, port: str, host: _Space) -> None:
        self._switch, self._port = switch, port
        self._ends = ((switch, port), (host, "eth0"))

    def cut(self) -> None:
        """Let nothing through any more; nobody is told."""
        self._switch.network(f"ip link set {self._port} down")

    def mend(self) -> None:
        """Let everything through again."""
        self._switch.network(f"ip link set {self._port} up")

    def limit(self, rate: str | None, *, burst: str = "32kb", queue: str = "64kb") -> None:
        """Let `rate` (as tc takes it: 20mbit) through each way; None takes the limit away.

        `burst` goes through at once; what is more than `queue` then waits is lost.
        """
        for space, device in self._ends:
            if "tbf" in space.network(f"tc qdisc show dev {device}"):
                space.network(f"tc qdisc del dev {device} root")
            if rate is not None:
                shape = f"tbf rate {rate} burst {burst} limit {queue}"
                space.network(f"tc qdisc add dev {device} root {shape}")

    def carried(self) -> int:
        """Return how many bytes have gone through, both ways together, with headers."""
        shown = self._switch.network(f"ip -stats -json link show {self._port}")
        counts = json.loads(shown)[0]["stats64"]
        return int(counts["rx"]["bytes"]) + int(counts["tx"]["bytes"])


class Host:
    """A host; it is off until it is switched on."""

    def __init__(self, name: str, number: int, home: Path, book: Path, switch: _Space) -> None:
        self.name = name
        self.address = NETWORK.format(number)
        self.home = home
        """A folder of its own, at the same path inside and outside; outlives the power."""
        self.cable: Cable
        self._number, self._book, self._switch = number, book, switch
        self._space: _Space | None = None
        self._programs: list[Program] = []
        home.mkdir(parents=True, exist_ok=True)

    def power_on(self) -> None:
        """Start it, with an empty `/dev/shm` and `/tmp`; its address and its home are as before."""
        assert self._space is None, f"{self.name} is on"
        needed = [REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), cache_folder(), self.home]
        kept = [str(path) for path in sorted(needed) if path.is_relative_to("/tmp")]
        space = self._space = _Space(_HOST, self.name, str(self._book), *kept)
        port = f"port{self._number}"
        # The hardware address is as before, too: others remember it for a while.
        end = f"name eth0 address 02:00:0a:4d:00:{self._number:02x} netns {space.pid}"
        self._switch.network(f"ip link add {port} type veth peer {end}")
        space.network(f"ip address add {self.address}/16 dev eth0")
        space.network("ip link set eth0 up")
        self._switch.network(f"ip link set {port} master bridge up")
        self.cable = Cable(self._switch, port, space)

    def power_off(self) -> None:
        """End it at once: others are not told, they only hear nothing of it any more."""
        if self._space is None:
            return
        space, self._space = self._space, None
        try:
            self._switch.network(f"ip link del port{self._number}")
        finally:
            space.end()
            for program in self._programs:
                program.wait(PATIENCE)
            self._programs.clear()

    def kill(self) -> None:
        """Send SIGKILL to all its processes at once; the host and its network go on."""
        self.run(["sh", "-c", "kill -9 -1"], check=False)
        deadline = time.monotonic() + PATIENCE
        while left := self.processes():
            assert time.monotonic() < deadline, f"processes {left} do not end"
            time.sleep(0.01)

    def processes(self) -> list[int]:
        """Return the numbers of its processes, as they are outside; none when it is off."""
        return [] if self._space is None else self._space.processes()

    def left_behind(self) -> list[str]:
        """Return what lies in its `/dev/shm`, and the files in its `/tmp`."""
        shared = self.run(["find", "/dev/shm", "-mindepth", "1"]).stdout
        # What is needed of the machine's own /tmp is another file system, mounted there.
        others = self.run(["find", "/tmp", "-xdev", "-not", "-type", "d"]).stdout
        return shared.splitlines() + others.splitlines()

    def popen(self, command: Sequence[str | Path], **options: Any) -> Program:
        """Start a program in its home; `env` comes on top of the environment there."""
        assert self._space is not None, f"{self.name} is off"
        elsewhere = ("XDG_", "HOLOFLOW_", "TMPDIR")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(elsewhere)}
        own = {"HOME": str(self.home), "HOLOFLOW_CACHE": str(cache_folder())}
        environment = inherited | own | dict(options.pop("env", {}))
        enter = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.home), *map(str, command)]
        program = Program(self._space.entering(*enter), env=environment, **options)
        self._programs.append(program)
        return program

    def run(
        self, command: Sequence[str | Path], *, check: bool = True, timeout: float = PATIENCE,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a program to its end and return what it printed.

        Raises AssertionError with all of it where it fails, unless `check` is false.
        """
        pipe = subprocess.PIPE
        with self.popen(command, stdout=pipe, stderr=pipe, **options) as program:
            try:
                out, err = program.communicate(timeout=timeout)
            except BaseException:
                program.kill()
                raise
        assert not check or program.returncode == 0, f"{command}: {out}{err}"
        return subprocess.CompletedProcess(list(command), program.returncode, out, err)
