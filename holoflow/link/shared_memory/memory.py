"""Room in shared memory: asked for before it is written to, and freed after a crash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from ctypes import c_uint8
from pathlib import Path
from typing import Final, NamedTuple

from holoflow.core.errors import HoloflowError, ShortageError, is_shortage, no_memory, words

MEMORY: Final = Path("/dev/shm")  # noqa: S108
"""Where Linux keeps shared memory."""

_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}")


def prefix(run: str) -> str:
    """Return what the names of all shared memory of `run` begin with, and of no other run."""
    # No underscore within: else the name of one run could be the beginning of another's.
    name = run if _PLAIN.fullmatch(run) else hashlib.blake2s(run.encode()).hexdigest()[:32]
    return f"holoflow_{name}_"


def remove_leftovers(run: str, memory: Path = MEMORY) -> list[str]:
    """Remove the shared memory that `run` has left, and return the names of what was removed.

    None of its processes may be alive any more. All else that iceoryx2 keeps is in the folder of
    the run.
    """
    begin = prefix(run)
    removed = []
    try:
        names = sorted(os.listdir(memory))
    except OSError:
        return []
    for name in names:
        if name.startswith(begin):
            with contextlib.suppress(OSError):  # another user's, or gone by now
                (memory / name).unlink()
                removed.append(name)
    return removed


SMALL: Final = 4 << 20
"""Bytes of a segment up to which all of it is asked for at once."""
BOOKS: Final = 2 << 20
"""Bytes that iceoryx2 may write to in a new segment, besides the message."""
HEAD: Final = 256
"""Bytes before a message in which iceoryx2 writes when the sample is taken, and more."""

Reserve = Callable[[int, int, int], None]
"""Has the system give the bytes of an open file: descriptor, first byte, number."""


class Segment(NamedTuple):
    """A file of shared memory that this process has mapped."""

    path: Path
    begin: int
    """Address of its first byte."""
    end: int


class PagePopulator:
    """The memory that an outlet has written to, and so has.

    Shared memory is given page by page as it is first written to; where there is none left, the
    system kills whoever writes.
    """

    def __init__(
        self, prefix: str, memory: Path = MEMORY, reserve: Reserve = os.posix_fallocate
    ) -> None:
        """Look for room in the files of `memory` whose names begin with `prefix`."""
        self._prefix = prefix
        self._memory = memory
        self._reserve = reserve
        self._claimed: dict[int, memoryview] = {}
        self._segment: Segment | None = None

    def require(self, size: int, whose: str) -> None:
        """Raise ShortageError where there is no room for the first message of `size` bytes."""
        if free(self._memory) < size + BOOKS:
            raise no_memory(self._memory, size, f"a message of {whose}")

    def claim(self, address: int, size: int, whose: str) -> memoryview:
        """Return the memory at `address`, at least `size` bytes that can be written to.

        Raises ShortageError where there is no room for them; it says what is needed, and for
        `whose` messages.
        """
        claimed = self._claimed.get(address)
        if claimed is not None and claimed.nbytes >= size:
            return claimed
        segment = self._segment
        if segment is None or not segment.begin <= address < segment.end:
            segment = self._segment = self._find(address)
            self._give(segment, _heads(segment, address, size), size, whose)
        first = address - segment.begin
        self._give(segment, [(max(first - HEAD, 0), size + HEAD)], size, whose)
        claimed = memoryview((c_uint8 * size).from_address(address)).cast("B")
        self._claimed[address] = claimed
        return claimed

    def forget(self) -> None:
        """Note that the memory is another from now on, at whatever address."""
        self._claimed.clear()
        self._segment = None

    def _find(self, address: int) -> Segment:
        for segment in mapped(self._prefix, self._memory):
            if segment.begin <= address < segment.end:
                return segment
        raise HoloflowError(f"no file in {self._memory} is mapped where a message is to be written")

    def _give(self, segment: Segment, pieces: list[tuple[int, int]], size: int, whose: str) -> None:
        try:
            _give(segment, pieces, self._reserve)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise no_memory(self._memory, size, f"a message of {whose}") from None
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"no shared memory for {whose}: {words(error)}") from None


def claim_small(prefix: str, whose: str, memory: Path = MEMORY) -> None:
    """Have all of the small segments that are mapped: what iceoryx2 itself writes to is there.

    Raises ShortageError where there is no room for them.
    """
    for segment in mapped(prefix, memory):
        size = segment.end - segment.begin
        if size <= SMALL:
            try:
                _give(segment, [(0, size)])
            except FileNotFoundError:  # another process has just removed what a dead one left
                pass
            except OSError as error:
                if is_shortage(error):
                    raise no_memory(memory, size, f"the link of {whose}") from None
                raise


def _give(
    segment: Segment, pieces: list[tuple[int, int]], reserve: Reserve = os.posix_fallocate
) -> None:
    """Have the system give `pieces` of a segment; raises OSError where it does not."""
    opened = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        end = os.fstat(opened).st_size
        for first, length in pieces:
            if (there := min(length, end - first)) > 0:
                reserve(opened, first, there)
    finally:
        os.close(opened)


def _heads(segment: Segment, address: int, size: int) -> list[tuple[int, int]]:
    """Return where iceoryx2 may write as a sample of `segment` is taken, as (first byte, number).

    `address` is that of a message in it for which `size` bytes were asked. Samples lie at
    multiples of a power of two.
    """
    length = segment.end - segment.begin
    if length <= SMALL:
        return [(0, length)]
    step = 1 << (size - 1).bit_length()
    first = (address - segment.begin) % step
    return [(max(at - HEAD, 0), 2 * HEAD) for at in range(first, length, step)]


def mapped(prefix: str, memory: Path = MEMORY) -> Iterator[Segment]:
    """Yield the files in `memory` that this process has mapped, whose names begin with `prefix`."""
    begin = str(memory / prefix)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            place, _, _, _, _, *name = line.rstrip("\n").split(maxsplit=5)
            if name and name[0].startswith(begin) and not name[0].endswith(" (deleted)"):
                first, _, last = place.partition("-")
                yield Segment(Path(name[0]), int(first, 16), int(last, 16))


def free(memory: Path = MEMORY) -> int:
    """Return the bytes that are left in `memory`."""
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize
