"""Fragments in processes of their own that ucx joins."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import ucx_fragment
from support.hosts import Host
from support.launched import JOINED, Launched

from holoflow.engine import RunOptions, execute
from holoflow.link.ucx.control import Frames, UcxHello, UcxProgress, write
from holoflow.plan import plan

pytestmark = [pytest.mark.holoscan, pytest.mark.timeout(300)]

PATIENCE = 300.0
"""Seconds after which what should have happened long ago is taken to have failed."""
TWO = {"a": ["source", "work"], "b": ["sink"]}
THREE = {"a": ["source"], "b": ["work"], "c": ["sink"]}
PROGRAM = [sys.executable, ucx_fragment.__file__]


class Fragments:
    """The processes of a run, and what they leave."""

    def __init__(
        self, folder: Path, wanted: Mapping[str, Any], hosts: Mapping[str, Host] | None = None
    ) -> None:
        self.wanted = dict(wanted)
        self.hosts = hosts or {}
        self.folders = {
            name: self.hosts[name].home if name in self.hosts else folder
            for name in self.wanted["fragments"]
        }
        """Where each leaves what it has to say."""
        self.processes: dict[str, subprocess.Popen[Any]] = {}

    def start(self, *names: str) -> None:
        for name in names or self.wanted["fragments"]:
            command = [*PROGRAM, name, str(self.folders[name]), json.dumps(self.wanted)]
            popen = self.hosts[name].popen if name in self.hosts else subprocess.Popen
            with (self.folders[name] / f"{name}.log").open("w") as log:
                self.processes[name] = popen(command, stdout=log, stderr=subprocess.STDOUT)

    def wait(self) -> dict[str, int]:
        deadline = time.monotonic() + PATIENCE
        for name, process in self.processes.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pytest.fail(f"{name} does not end: {self.log(name)}")
        return {name: process.returncode for name, process in self.processes.items()}

    def wait_for_frames(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.lines()) < count:
            assert time.monotonic() < deadline, {n: self.log(n) for n in self.processes}
            time.sleep(0.05)

    def lines(self) -> list[str]:
        (place,) = (name for name, inside in self.wanted["fragments"].items() if "sink" in inside)
        written = self.folders[place] / "sink.jsonl"
        return written.read_text().splitlines() if written.exists() else []

    def said(self, name: str) -> dict[str, Any]:
        left: dict[str, Any] = json.loads((self.folders[name] / f"{name}.json").read_text())
        return left

    def log(self, name: str) -> str:
        return (self.folders[name] / f"{name}.log").read_text()[-2000:]

    def end(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def fragments(
    folder: Path, on: Mapping[str, Host] | None = None, **wanted: Any
) -> Iterator[Fragments]:
    made = Fragments(folder, wanted, on)
    try:
        made.start()
        yield made
    finally:
        made.end()


def alone(folder: Path, **wanted: Any) -> tuple[list[str], str]:
    """Return what the sink writes and the path of its frames, all in one process."""
    folder.mkdir()
    graph = ucx_fragment.make_app({**wanted, "fragments": {"all": ["source", "work", "sink"]}})
    options = RunOptions(engine="inline", output=folder, lossless=True)
    (path,) = execute(plan(graph, lossless=True), options).last.paths
    return (folder / "sink.jsonl").read_text().splitlines(), path.name


@pytest.mark.parametrize("places", [TWO, THREE], ids=["two", "three"])
def test_every_frame_as_in_one_process(tmp_path, places):
    wanted = {"source": {"n": 60, "arrays": 3}}
    lines, path = alone(tmp_path / "alone", **wanted)
    with fragments(tmp_path, fragments=places, **wanted) as run:
        assert set(run.wait().values()) == {0}, [run.log(name) for name in places]
        assert run.lines() == lines
        last = run.said(list(places)[-1])
        assert last["paths"] == [[path, 60]]
        assert last["stats"]["work sink"] == [60, 60, {}]
        assert not list(tmp_path.glob("ucx-*"))


def test_large_arrays_and_many(tmp_path):
    wanted = {"source": {"n": 5, "size": 25_000_000, "arrays": 150}}
    lines, _ = alone(tmp_path / "alone", **wanted)
    with fragments(tmp_path, fragments=TWO, **wanted) as run:
        assert set(run.wait().values()) == {0}
        assert run.lines() == lines


@pytest.mark.parametrize("kind", ["greedy", "multithread"])
def test_other_schedulers(tmp_path, kind):
    wanted = {"source": {"n": 20}, "scheduler": {"kind": kind, "workers": 1}}
    lines, _ = alone(tmp_path / "alone", **wanted)
    with fragments(tmp_path, fragments=TWO, **wanted) as run:
        assert set(run.wait().values()) == {0}
        assert run.lines() == lines


def test_what_is_dropped_is_booked(tmp_path):
    flow = {"when_full": "drop_oldest"}
    wanted = {"source": {"n": 200}, "sink": {"seconds": 0.01}, "lossless": False, "flow": flow}
    with fragments(tmp_path, fragments=TWO, **wanted) as run:
        assert set(run.wait().values()) == {0}
        sent, delivered, dropped = run.said("b")["stats"]["work sink"]
        assert sent == delivered + sum(dropped.values())
        assert set(dropped) <= {"full"}
        assert len(run.lines()) == delivered > 0


def test_an_operator_that_raises(tmp_path):
    with fragments(tmp_path, fragments=THREE, work={"fail_at": 20}) as run:
        assert run.wait() == {"a": 0, "b": 1, "c": 0}
        assert run.said("b")["failure"] == (
            "operator 'work' failed on frame 20 of source: ValueError: bad 20"
        )
        assert len(run.lines()) == 20  # what had passed it was worked off
        stats = run.said("b")["stats"]
        assert stats["work sink"] == [20, 20, {}]
        _, delivered, dropped = stats["source work"]
        assert (delivered, dropped["error"]) == (20, 1)
        assert set(dropped) <= {"error", "stopped"}


@pytest.mark.parametrize("dead", ["a", "b", "c"])
def test_a_fragment_that_dies(tmp_path, dead):
    endless = {"n": 1_000_000, "size": 1_000_000}
    with fragments(tmp_path, fragments=THREE, source=endless) as run:
        run.wait_for_frames(10)
        run.processes[dead].send_signal(signal.SIGKILL)
        statuses = run.wait()
        assert statuses.pop(dead) == -signal.SIGKILL
        neighbours = {"a": ["b"], "b": ["a", "c"], "c": ["b"]}[dead]
        for name in neighbours:
            assert statuses[name] == 1
            assert dead in run.said(name)["failure"].replace("fragment ", ""), run.said(name)
            assert "ucx" in run.said(name)["failure"]


def listening(process: subprocess.Popen[Any]) -> list[str]:
    """Return the addresses at which a process listens, as /proc has them."""
    sockets = set()
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        target = str(entry.readlink()) if entry.is_symlink() else ""
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.append(fields[1].split(":")[0])
    return found


def test_on_one_host_nobody_listens_to_others(tmp_path):
    with fragments(tmp_path, fragments=TWO, source={"n": 1_000_000}) as run:
        run.wait_for_frames(5)
        for process in run.processes.values():
            assert set(listening(process)) == {"0100007F"}  # 127.0.0.1


def test_a_stranger_who_sends_a_pickle(tmp_path):
    made = Fragments(tmp_path, {"fragments": TWO})
    with socket.socket(socket.AF_UNIX) as line:
        try:
            made.start("b")
            port = join(line, tmp_path / "ucx-1")
            stranger = Path(ucx_fragment.__file__).with_name("ucx_stranger.py")
            proof = tmp_path / "proof"
            command = [sys.executable, str(stranger), str(port), str(proof)]
            subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
            deadline = time.monotonic() + PATIENCE
            while "a pickle was received" not in made.log("b"):
                assert time.monotonic() < deadline, made.log("b")
                assert made.processes["b"].poll() is None, made.log("b")
                time.sleep(0.05)
            assert not proof.exists()
        finally:
            made.end()


def join(line: socket.socket, path: Path) -> int:
    """Be the fragment that sends; return the port at which UCX listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            line.connect(str(path))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    line.settimeout(PATIENCE)
    line.sendall(write(UcxHello(1, 0, "run")))
    frames = Frames()
    port = 0
    while True:
        for frame in frames.feed(line.recv(1000)):
            if isinstance(frame, UcxHello):
                port = frame.port
            if isinstance(frame, UcxProgress) and frame.listening:
                return port


@pytest.fixture
def three(hosts):
    return dict(zip(THREE, hosts(*THREE), strict=True))


def test_three_hosts(tmp_path, three):
    wanted = {"source": {"n": 60, "arrays": 3}}
    lines, path = alone(tmp_path / "alone", **wanted)
    addresses = {name: host.address for name, host in three.items()}
    with fragments(tmp_path, three, fragments=THREE, hosts=addresses, **wanted) as run:
        assert set(run.wait().values()) == {0}, [run.log(name) for name in THREE]
        assert run.lines() == lines
        assert run.said("c")["paths"] == [[path, 60]]
        # Each host counts for itself and reports it to the senders.
        assert run.said("a")["stats"]["source work"] == [60, 60, {}]
        assert run.said("b")["stats"]["work sink"] == [60, 60, {}]


@pytest.mark.parametrize("fault", ["kill", "cut"])
def test_a_host_that_is_lost(tmp_path, three, fault):
    addresses = {name: host.address for name, host in three.items()}
    endless = {"n": 1_000_000, "size": 100_000}
    with fragments(tmp_path, three, fragments=THREE, hosts=addresses, source=endless) as run:
        run.wait_for_frames(10)
        if fault == "kill":
            three["b"].kill()
        else:
            three["b"].cable.cut()
        statuses = run.wait()
        assert (statuses["a"], statuses["c"]) == (1, 1)
        for name in "ac":
            assert "ucx" in run.said(name)["failure"]


# -- by the launcher -------------------------------------------------------------------------


def test_an_app_of_three_fragments(tmp_path):
    with Launched(tmp_path / "app", JOINED, link="ucx", restart="never") as run:
        assert run.end() == 0, run
        assert {name: stats["delivered"] for name, stats in run.flows().items()} == {
            "count -> work": 40, "work -> keep": 40,
        }  # fmt: skip
        assert run.kept() == list(range(1, 41))
        assert run.left() == []


def test_the_app_ends_with_a_fragment_that_dies(tmp_path):
    wanted = {"link": "ucx", "restart": "never", "fault": "kill", "until": 0}
    with Launched(tmp_path / "app", JOINED, **wanted) as run:
        assert run.end() == 1, run
        assert "[ill] error holoflow.launch: its process was killed by SIGKILL" in str(run)
        assert run.flows()["count -> work"]["dropped"].keys() <= {"crash", "stopped"}
        assert run.left() == []


def test_what_ucx_cannot_do_is_told_before_the_start(tmp_path):
    with Launched(tmp_path / "app", JOINED, link="ucx") as run:
        assert run.end() == 2, run
        assert "fragment 'ill' is to be started again, but ucx carries its messages" in str(run)
        assert not run.output.exists()
