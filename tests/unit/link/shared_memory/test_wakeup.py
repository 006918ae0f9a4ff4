"""Doorbells between processes; here in one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shared_ends import DEADLINE, new_run

from holoflow.link.shared_memory.wakeup import MORE, ROOM, WakeUpSocket, wakeup_path


class End:
    def __init__(self) -> None:
        self.woken = threading.Event()
        self.asleep = False

    def wake(self) -> None:
        self.woken.set()

    def missed(self) -> bool:
        return self.asleep


@pytest.fixture
def folder() -> Iterator[Path]:
    with new_run() as run:
        yield run.folder


def test_only_the_end_that_is_notified_wakes_up(folder: Path) -> None:
    edge, view = WakeUpSocket(folder, "edge"), WakeUpSocket(folder, "view")
    wanted, other, room = End(), End(), End()
    view.register(MORE, 1, wanted)
    view.register(MORE, 2, other)
    view.register(ROOM, 1, room)
    edge.notify("view", MORE, 1)
    assert wanted.woken.wait(DEADLINE)
    assert not other.woken.is_set()
    assert not room.woken.is_set()
    edge.close()
    view.close()


def test_an_end_that_sleeps_over_work_wakes_up_by_itself(folder: Path) -> None:
    wakeup, end = WakeUpSocket(folder, "view"), End()
    wakeup.register(MORE, 1, end)
    end.asleep = True
    assert end.woken.wait(DEADLINE)
    wakeup.close()


def test_nobody_there_and_a_full_socket_are_no_errors(folder: Path) -> None:
    wakeup = WakeUpSocket(folder, "edge")
    wakeup.notify("view", MORE, 1)
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind(str(wakeup_path(folder, "view")))
    for _ in range(5000):
        wakeup.notify("view", MORE, 1)
    deaf.close()
    wakeup.notify("view", MORE, 1)
    wakeup.close()


def test_a_successor_takes_the_place_of_one_that_died(folder: Path) -> None:
    died = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    died.bind(str(wakeup_path(folder, "view")))
    died.close()
    edge, view, end = WakeUpSocket(folder, "edge"), WakeUpSocket(folder, "view"), End()
    view.register(MORE, 1, end)
    edge.notify("view", MORE, 1)
    assert end.woken.wait(DEADLINE)
    edge.close()
    view.close()
    assert not wakeup_path(folder, "view").exists()


def test_garbage_and_failing_ends_silence_nobody(folder: Path) -> None:
    class Failing(End):
        def wake(self) -> None:
            super().wake()
            raise RuntimeError("no")

    wakeup, failing, end = WakeUpSocket(folder, "view"), Failing(), End()
    wakeup.register(MORE, 1, failing)
    wakeup.register(MORE, 2, end)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for said in (b"", b"m", b"x" * 9, b"y" * 500):
            stranger.sendto(said, str(wakeup_path(folder, "view")))
    wakeup.notify("view", MORE, 1)
    assert failing.woken.wait(DEADLINE)
    wakeup.notify("view", MORE, 2)
    assert end.woken.wait(DEADLINE)
    wakeup.close()


def test_long_names_are_shortened(folder: Path) -> None:
    name = "a" * 200
    wakeup, end = WakeUpSocket(folder, name), End()
    wakeup.register(MORE, 1, end)
    wakeup.notify(name, MORE, 1)
    assert end.woken.wait(DEADLINE)
    wakeup.close()
    assert wakeup_path(folder, name) != wakeup_path(folder, name + "b")
