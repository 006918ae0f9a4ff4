"""Room in shared memory, looked for before it is written to."""

from __future__ import annotations

import ctypes
import errno
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from holoflow.core.errors import ShortageError
from holoflow.link.shared_memory.memory import HEAD, PagePopulator, claim_small, free

LARGE = 64 << 20


class Asked:
    """Stands in for the system; says the answers one after another, 0 at the end."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.pieces: list[tuple[int, int]] = []

    def __call__(self, _opened: int, first: int, length: int) -> None:
        self.pieces.append((first, length))
        if self.answers and (answer := self.answers.pop(0)):
            raise OSError(answer, "")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[int]:
    """The address of a large segment of `x_`, which lies in a file with holes."""
    with (tmp_path / "x_1").open("w+b") as file:
        file.truncate(LARGE)
        with mmap.mmap(file.fileno(), LARGE) as memory:
            first = ctypes.c_char.from_buffer(memory)
            yield ctypes.addressof(first)
            del first


def test_what_is_there_is_not_asked_for_again(tmp_path: Path, begin: int) -> None:
    asked = Asked()
    room = PagePopulator("x_", tmp_path, asked)
    room.claim(begin + 4096, 1 << 20, "camera.image")
    assert asked.pieces.pop() == (4096 - HEAD, (1 << 20) + HEAD)
    # Whatever sample is taken next, there is memory for what is written as it is taken.
    assert [first for first, _ in asked.pieces] == [
        4096 - HEAD + (number << 20) for number in range(LARGE >> 20)
    ]
    for size in (50, 1 << 20, 2 << 20, 100):
        room.claim(begin + 4096, size, "camera.image")
    assert asked.pieces[LARGE >> 20 :] == [(4096 - HEAD, (2 << 20) + HEAD)]


def test_no_room_says_what_is_needed_and_by_whom(tmp_path: Path, begin: int) -> None:
    room = PagePopulator("x_", tmp_path, Asked(errno.ENOSPC))
    with pytest.raises(ShortageError, match=r"camera\.image needs 6,220,800 bytes"):
        room.claim(begin, 6_220_800, "camera.image")
    claimed = room.claim(begin, 6_220_800, "camera.image")  # somebody else has made room
    assert claimed.nbytes == 6_220_800
    with pytest.raises(ShortageError, match=r"is full: a message of camera\.image needs"):
        room.require(free(tmp_path) + (1 << 40), "camera.image")


def test_small_segments_are_there_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "x_2"
    with path.open("w+b") as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 1 << 20):
            assert path.stat().st_blocks == 0
            claim_small("x_", "camera.image", tmp_path)
    assert path.stat().st_blocks * 512 >= 1 << 20
