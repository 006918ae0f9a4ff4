"""Doorbells between processes; here in one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shared_ends import DEADLINE, new_run

from holoflow.link.shared_memory.wakeup import MORE, ROOM, WakeUpSocket, bell_path


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


def test_who_is_rung_for_wakes_up_and_nobody_else(folder: Path) -> None:
    edge, view = WakeUpSocket(folder, "edge"), WakeUpSocket(folder, "view")
    wanted, other, room = End(), End(), End()
    view.answer(MORE, 1, wanted)
    view.answer(MORE, 2, other)
    view.answer(ROOM, 1, room)
    edge.ring("view", MORE, 1)
    assert wanted.woken.wait(DEADLINE)
    assert not other.woken.is_set()
    assert not room.woken.is_set()
    edge.close()
    view.close()


def test_who_sleeps_over_work_wakes_up_unrung(folder: Path) -> None:
    bell, end = WakeUpSocket(folder, "view"), End()
    bell.answer(MORE, 1, end)
    end.asleep = True
    assert end.woken.wait(DEADLINE)
    bell.close()


def test_nobody_there_and_a_full_bell_are_no_errors(folder: Path) -> None:
    bell = WakeUpSocket(folder, "edge")
    bell.ring("view", MORE, 1)
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind(str(bell_path(folder, "view")))
    for _ in range(5000):
        bell.ring("view", MORE, 1)
    deaf.close()
    bell.ring("view", MORE, 1)
    bell.close()


def test_a_successor_takes_the_place_of_one_that_died(folder: Path) -> None:
    died = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    died.bind(str(bell_path(folder, "view")))
    died.close()
    edge, view, end = WakeUpSocket(folder, "edge"), WakeUpSocket(folder, "view"), End()
    view.answer(MORE, 1, end)
    edge.ring("view", MORE, 1)
    assert end.woken.wait(DEADLINE)
    edge.close()
    view.close()
    assert not bell_path(folder, "view").exists()


def test_garbage_and_failing_ends_silence_nobody(folder: Path) -> None:
    class Failing(End):
        def wake(self) -> None:
            super().wake()
            raise RuntimeError("no")

    bell, failing, end = WakeUpSocket(folder, "view"), Failing(), End()
    bell.answer(MORE, 1, failing)
    bell.answer(MORE, 2, end)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for said in (b"", b"m", b"x" * 9, b"y" * 500):
            stranger.sendto(said, str(bell_path(folder, "view")))
    bell.ring("view", MORE, 1)
    assert failing.woken.wait(DEADLINE)
    bell.ring("view", MORE, 2)
    assert end.woken.wait(DEADLINE)
    bell.close()


def test_long_names_are_shortened(folder: Path) -> None:
    name = "a" * 200
    bell, end = WakeUpSocket(folder, name), End()
    bell.answer(MORE, 1, end)
    bell.ring(name, MORE, 1)
    assert end.woken.wait(DEADLINE)
    bell.close()
    assert bell_path(folder, name) != bell_path(folder, name + "b")
