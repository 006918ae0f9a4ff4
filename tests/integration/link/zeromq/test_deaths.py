"""Two processes, of which one is killed or stopped again and again."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.ends import eventually
from support.zeromq_process import block_of

from holoflow.stats.counters import (
    SENT,
    TAKEN,
    consumer_died,
    dropped,
    lost,
    producer_died,
    waiting,
)

TESTS = Path(__file__).parents[3]


class Ends:
    """Sender and receiver, each with its host; on one host they share the counters."""

    def __init__(self, folder, *, one_host, count, pause=0.0, size=3000, queue=5, policy="block"):
        self.folder, self.count, self.pause = folder, count, pause
        self.hosts = ["one", "one" if one_host else "two"]
        self.rest = [str(size), str(queue), policy]
        self.endpoint = f"ipc://{folder}/screen" if one_host else f"tcp://127.0.0.1:{free_port()}"
        self.blocks = [block_of(folder, host) for host in self.hosts]
        self.running = {}

    def start(self, what):
        number, host = {
            "send": (self.count, self.hosts[0]),
            "receive": (self.pause, self.hosts[1]),
        }[what]
        command = [sys.executable, "-m", "support.zeromq_process", what, str(self.folder)]
        command += [host, self.endpoint, str(number), *self.rest]
        self.running[what] = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)

    def kill(self, what):
        """Kill a process, and do what the launcher does."""
        process = self.running[what]
        process.kill()
        process.communicate()
        if what == "receive":
            consumer_died(self.blocks[1], resent=True)
        else:
            producer_died(self.blocks[0])

    def wait(self):
        """Wait until both have ended; return the most memory of each."""
        said = [process.communicate(timeout=300)[0] for process in self.running.values()]
        assert [process.returncode for process in self.running.values()] == [0, 0]
        return [int(lines.splitlines()[-1]) for lines in said]

    def got(self):
        return [int(line) for line in (self.folder / "got").read_text().splitlines()]

    def __enter__(self):
        self.start("receive")
        self.start("send")
        return self

    def __exit__(self, *raised):
        for process in self.running.values():
            process.kill()
            process.communicate()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("one_host", [True, False])
def test_a_receiver_that_is_killed_loses_only_what_it_had_in_hand(tmp_path, one_host):
    chance = random.Random(one_host)
    with Ends(tmp_path, one_host=one_host, count=1500, pause=0.0005) as ends:
        for _ in range(3):
            before = ends.blocks[1][TAKEN]
            eventually(lambda before=before: ends.blocks[1][TAKEN] > before + 20)
            time.sleep(chance.uniform(0, 0.05))
            ends.kill("receive")
            ends.start("receive")
        ends.wait()
    block, got = ends.blocks[1], ends.got()
    assert got == sorted(set(got)), "something came twice"
    assert waiting(block) == 0
    assert block[SENT] == 1500
    assert set(dropped(block)) <= {"crash"}
    assert lost(block) <= 3  # one in hand each time
    assert 1500 - len(got) <= lost(block)


@pytest.mark.parametrize("one_host", [True, False])
def test_a_sender_that_is_killed_loses_what_it_had_not_sent(tmp_path, one_host):
    with Ends(tmp_path, one_host=one_host, count=1500) as ends:
        for _ in range(3):
            before = ends.blocks[1][TAKEN]
            eventually(lambda before=before: ends.blocks[1][TAKEN] > before + 20)
            ends.kill("send")
            ends.start("send")
        ends.wait()
    block, got = ends.blocks[1], ends.got()
    assert got == sorted(set(got)), "something came twice"
    assert waiting(block) == 0
    assert block[SENT] == 1500 == len(got) + lost(block)
    assert set(dropped(block)) <= {"crash"}
    assert lost(block) <= 3 * 5  # a queue each time


@pytest.mark.parametrize("one_host", [True, False])
@pytest.mark.parametrize("what", ["send", "receive"])
def test_a_process_that_is_stopped_for_long_goes_on_as_if_nothing_were(tmp_path, what, one_host):
    with Ends(tmp_path, one_host=one_host, count=1000) as ends:
        eventually(lambda: ends.blocks[1][TAKEN] > 20)
        os.kill(ends.running[what].pid, signal.SIGSTOP)
        time.sleep(1.2)  # more than twice the silence after which a peer is away
        os.kill(ends.running[what].pid, signal.SIGCONT)
        ends.wait()
    assert ends.got() == list(range(1, 1001))
    assert lost(ends.blocks[1]) == 0
    assert waiting(ends.blocks[1]) == waiting(ends.blocks[0]) == 0


@pytest.mark.parametrize("policy", ["block", "drop_oldest"])
def test_memory_stays_bounded_before_a_slow_receiver(tmp_path, policy):
    size = 2 << 20
    with Ends(
        tmp_path, one_host=False, count=150, pause=0.01, size=size, queue=4, policy=policy
    ) as ends:
        peaks = ends.wait()
    assert ends.blocks[1][SENT] == 150 == len(ends.got()) + lost(ends.blocks[1])
    # Python and its libraries take 60 MB; all messages together would take 300.
    assert max(peaks) < 150 << 20
