"""Links through shared memory between processes that are killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
from support.shared_ends import DEADLINE, Run, eventually, new_run
from support.shared_process import main

from holoflow.link.shared_memory import remove_leftovers
from holoflow.stats.counters import SENT, TAKEN, delivered, dropped, lost, waiting

pytest.importorskip("iceoryx2")


@pytest.fixture(autouse=True, scope="module")
def _nursery() -> None:
    """What has imported everything, for processes to be forked from: fast to start, and to die."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        forkserver.set_forkserver_preload(["support.shared_process", "iceoryx2"])
        forkserver.ensure_running()


class Processes:
    """A sender, and a receiver for each flow; whoever died is started again."""

    def __init__(self, run: Run, flows: list[str]) -> None:
        self.run, self.flows = run, flows
        self.all: dict[str, Any] = {}
        self._context = multiprocessing.get_context("forkserver")
        for name in ("edge", *(f"view{index}" for index in range(len(flows)))):
            self.start(name)

    def start(self, name: str) -> None:
        what = "send" if name == "edge" else "receive"
        flows = self.flows if name == "edge" else [self.flows[int(name.removeprefix("view"))]]
        self.all[name] = self._context.Process(
            target=main, args=(what, str(self.run.folder), self.run.run, flows)
        )
        self.all[name].start()

    def kill(self, name: str) -> None:
        assert self.all[name].is_alive(), f"{name} ended by itself"
        self.forget(name)

    def forget(self, name: str) -> None:
        self.all[name].kill()
        self.all[name].join()
        self.all[name].close()

    def end(self) -> None:
        (self.run.folder / "stop").touch()
        for process in self.all.values():
            process.join(DEADLINE)
            assert process.exitcode == 0

    def stats(self) -> Iterator[tuple[int, int, dict[str, int]]]:
        for block in self.run.counters.blocks[: len(self.flows)]:
            assert waiting(block) == 0
            assert block[SENT] == delivered(block) + lost(block)
            yield block[SENT], delivered(block), dropped(block)

    def got(self, index: int) -> list[int]:
        """Numbers of the messages that were received."""
        lines = (self.run.folder / f"got.{index}").read_text().splitlines()
        return [int(line.split()[0]) for line in lines]


@contextlib.contextmanager
def processes(*flows: str) -> Iterator[Processes]:
    with new_run(flows=3) as run:
        made = Processes(run, list(flows))
        try:
            yield made
        finally:
            for name in made.all:
                made.forget(name)
        remove_leftovers(run.run)
        assert run.in_memory() == []


def taken(of: Processes, index: int = 0) -> int:
    return of.run.counters.blocks[index][TAKEN]


def test_nothing_is_lost_between_processes_that_live() -> None:
    with processes("0:4:block", "1:2:drop_oldest", "2:1:latest") as of:
        eventually(lambda: taken(of) > 2000 and taken(of, 1) and taken(of, 2), "messages")
        of.end()
        whole, oldest, latest = of.stats()
        assert whole[2] == {}
        assert whole[0] == whole[1]
        assert of.got(0) == list(range(1, whole[0] + 1))
        assert set(oldest[2]) <= {"full"}
        assert set(latest[2]) <= {"full", "replaced"}
        for index in (1, 2):
            assert of.got(index) == sorted(set(of.got(index)))


@pytest.mark.parametrize("victims", [["edge"], ["view0"], ["edge", "view0", "view1"]])
def test_killed_and_started_again(victims: list[str]) -> None:
    deaths = 12
    with processes("0:4:block", "1:2:drop_oldest", "2:3:drop_newest") as of:
        for _ in range(deaths):
            victim = random.choice(victims)
            before = taken(of)
            if random.random() < 0.8:  # else while it starts
                eventually(lambda b=before: taken(of) > b, "messages")  # type: ignore[misc]
            time.sleep(random.random() * 0.1)
            of.kill(victim)
            of.start(victim)
        before = [taken(of, index) for index in range(3)]
        eventually(
            lambda: all(taken(of, i) > before[i] for i in range(3)), "messages after the deaths"
        )
        of.end()
        block, oldest, newest = of.stats()
        assert set(block[2]) <= {"crash"}
        # What a process has in hand, in its queue and under way is bounded, and so is the loss.
        assert lost(of.run.counters.blocks[0]) <= deaths * (4 + 2)
        for _, _, causes in (oldest, newest):
            assert set(causes) <= {"crash", "full"}
        for index, (_, good, _) in enumerate((block, oldest, newest)):
            got = of.got(index)
            assert got == sorted(set(got)), "twice, or out of order"
            assert good <= len(got) <= good + deaths  # one may be in hand when a process dies


def test_the_whole_run_is_killed_and_leaves_nothing() -> None:
    with processes("0:4:block", "1:2:drop_oldest") as of:
        eventually(lambda: taken(of) > 100, "messages")
        for process in of.all.values():
            process.kill()
            process.join()
        left = of.run.in_memory()
        assert left
        assert sorted(remove_leftovers(of.run.run)) == sorted(left)
        assert of.run.in_memory() == []
