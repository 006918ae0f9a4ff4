"""The hosts that other tests run on are hosts: apart, joined by cables alone, gone at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from support.hosts import PATIENCE, REPOSITORY, Host, Program

ANSWER = """
import socket
with socket.create_server(("", 7000)) as server:
    print("ready", flush=True)
    open_ones = []
    while True:
        connection, _ = server.accept()
        connection.sendall(b"here")
        open_ones.append(connection)
"""
ASK = """
import socket
with socket.create_connection(("{}", 7000), timeout={}) as connection:
    assert connection.recv(4) == b"here"
"""
HOLD = """
import socket
with socket.create_connection(("{}", 7000)) as connection:
    assert connection.recv(4) == b"here"
    print("ready", flush=True)
    try:
        connection.recv(1)
    except ConnectionError:
        pass
"""
COLLECT = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as end:
    end.bind(("", 7001))
    print("ready", flush=True)
    count = 0
    while end.recv(2000) != b"end":
        count += 1
print(count)
"""
SPEND = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as end:
    for _ in range(50):
        end.sendto(bytes(1000), ("{}", 7001))
"""
END = SPEND.replace("bytes(1000)", "b'end'")


def python(host: Host, code: str) -> Program:
    """Start a program and wait until it says that it is ready."""
    program = host.popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


def ask(host: Host, name: str, *, seconds: float = PATIENCE) -> bool:
    """Whether `name` answers `host` within `seconds`."""
    done = host.run([sys.executable, "-c", ASK.format(name, seconds)], check=False)
    assert done.returncode == 0 or "timed out" in done.stderr, done.stderr
    return done.returncode == 0


def test_hosts_are_apart(hosts):
    edge, server = hosts("edge", "server")
    assert edge.run(["hostname"]).stdout == "edge\n"
    for folder in ("/dev/shm", "/tmp"):
        edge.run(["touch", f"{folder}/mine"])
        assert server.run(["ls", f"{folder}/mine"], check=False).returncode == 2
        assert not Path(folder, "mine").exists()
    assert server.run(["sh", "-c", "echo $HOME; pwd"]).stdout == f"{server.home}\n" * 2
    assert server.home != edge.home
    assert (edge.address, server.address) == ("10.77.0.1", "10.77.0.2")
    assert "eth0" not in server.run(["ip", "address", "show", "lo"]).stdout


def test_repository_is_there(hosts):
    (host,) = hosts("edge")
    code = "import holoflow; print(holoflow.__file__)"
    found = host.run([sys.executable, "-c", code]).stdout.strip()
    assert found == str(REPOSITORY / "holoflow" / "__init__.py")


def test_hosts_reach_one_another_until_the_cable_is_cut(hosts):
    edge, server = hosts("edge", "server")
    with python(server, ANSWER) as answering:
        assert ask(edge, "server")
        assert ask(edge, server.address)
        server.cable.cut()
        assert not ask(edge, "server", seconds=0.5)
        server.cable.mend()
        assert ask(edge, "server")
        edge.cable.cut()
        assert not ask(edge, "server", seconds=0.5)
        edge.cable.mend()
        assert ask(edge, "server")
        answering.kill()


def test_kill_leaves_nothing_but_the_host(hosts):
    edge, server = hosts("edge", "server")
    with python(server, ANSWER) as answering, python(edge, HOLD.format("server")) as holding:
        server.run(["sh", "-c", "touch /dev/shm/kept; setsid sleep 1000 > /dev/null 2>&1 &"])
        assert len(server.processes()) == 2
        server.kill()
        assert server.processes() == []
        assert answering.wait(PATIENCE) == -signal.SIGKILL
        # The kernel lives on, and says good-bye for its programs.
        assert holding.wait(PATIENCE) == 0
    server.run(["ls", "/dev/shm/kept"])
    with python(server, ANSWER) as answering:
        assert ask(edge, "server")
        answering.kill()


def test_a_host_without_power_says_nothing(hosts):
    edge, server = hosts("edge", "server")
    (server.home / "kept").write_text("kept")
    with python(server, ANSWER) as answering, python(edge, HOLD.format("server")) as holding:
        server.run(["touch", "/dev/shm/lost"])
        server.power_off()
        assert answering.wait(PATIENCE) == -signal.SIGKILL
        assert not ask(edge, "server", seconds=0.5)
        assert holding.poll() is None
        server.power_on()
        assert server.run(["cat", "kept"]).stdout == "kept"
        assert server.run(["ls", "/dev/shm"]).stdout == ""
        with python(server, ANSWER) as again:
            assert ask(edge, "server")
            again.kill()
        holding.kill()


def test_signals_go_to_the_program(hosts):
    (host,) = hosts("edge")
    trap = "trap 'echo got it; exit 3' INT; echo ready; while :; do sleep 0.01; done"
    with host.popen(["sh", "-c", trap], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGSTOP)
        program.send_signal(signal.SIGCONT)
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == "got it\n"
        assert program.wait(PATIENCE) == 3
    assert host.run(["sh", "-c", "kill -9 $$"], check=False).returncode == -signal.SIGKILL


def test_limit_limits(hosts):
    edge, server = hosts("edge", "server")

    def arrived() -> int:
        with python(server, COLLECT) as collecting:
            before = edge.cable.carried()
            edge.run([sys.executable, "-c", SPEND.format("server")])
            assert edge.cable.carried() - before < 80_000
            edge.cable.limit(None)
            edge.run(
                [sys.executable, "-c", SPEND.format("server").replace("bytes(1000)", "b'end'")]
            )
            assert collecting.stdout is not None
            return int(collecting.stdout.read())

    edge.cable.limit("8kbit", burst="5kb", queue="10kb")
    edge.cable.limit("8kbit", burst="4kb", queue="8kb")  # replaces the other
    # At a kilobyte a second, only what may wait or go at once can come through.
    assert 3 <= arrived() < 20
    assert arrived() == 50


def test_nothing_outlives_a_test_that_is_killed(hosts, tmp_path):
    code = f"""
import os, sys
from pathlib import Path
from support.hosts import hosts
with hosts(Path({str(tmp_path)!r}), "one", "two") as (one, two):
    program = one.popen(["setsid", "sleep", "1000"])
    two.popen(["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1000; done"])
    spaces = [host._space for host in (one, two)] + [one._switch]
    print(*[space.pid for space in spaces], *one.processes(), *two.processes(), flush=True)
    sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, text=True
    ) as test:  # fmt: skip
        assert test.stdout is not None
        numbers = test.stdout.readline().split()
        assert len(numbers) >= 5
        test.kill()
    deadline = time.monotonic() + PATIENCE
    while left := [number for number in numbers if Path("/proc", number).exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_the_machine_keeps_its_network(hosts):
    before = socket.if_nameindex()
    hosts("edge", "server")
    assert socket.if_nameindex() == before
