"""Room in shared memory, looked for before it is written to."""

from __future__ import annotations

import ctypes
import errno
import mmap
from pathlib import Path

import pytest

from holoflow.errors import HoloflowError
from holoflow.link.shared_memory.room import Room, free, populate_pages


class Pages:
    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, address: int, size: int) -> int:
        self.asked.append((address, size))
        return self.answers.pop(0)


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    pages = Pages(0, 0, 0)
    room = Room(tmp_path, pages)
    for size in (100, 50, 100, 200):
        room.claim(4096, size, "camera.image")
    assert pages.asked == [(4096, 100), (4096, 200)]
    room.forget()
    room.claim(4096, 50, "camera.image")
    assert pages.asked[2:] == [(4096, 50)]


def test_no_room_says_what_is_needed_and_by_whom(tmp_path: Path) -> None:
    pages = Pages(errno.EFAULT, 0)
    room = Room(tmp_path, pages)
    with pytest.raises(HoloflowError, match=r"camera\.image needs 6\.2 MB") as raised:
        room.claim(4096, 6_220_800, "camera.image")
    assert str(tmp_path) in str(raised.value)
    room.claim(4096, 6_220_800, "camera.image")  # somebody else has made room
    assert len(pages.asked) == 2


def test_older_kernels_are_asked_how_much_is_left(tmp_path: Path) -> None:
    room = Room(tmp_path, Pages(errno.EINVAL, errno.EINVAL))
    room.claim(4096, 1, "camera.image")
    with pytest.raises(HoloflowError, match="shared memory is full"):
        room.claim(4096, free(tmp_path) + (1 << 40), "camera.image")


def test_the_system_gives_pages() -> None:
    with mmap.mmap(-1, 1 << 16) as memory:
        first = ctypes.c_char.from_buffer(memory)
        error = populate_pages(ctypes.addressof(first) + 100, 1 << 15)
        del first
        assert error in (0, errno.EINVAL, errno.ENOSYS)
    assert populate_pages(mmap.PAGESIZE, 100) != 0  # nothing is there
