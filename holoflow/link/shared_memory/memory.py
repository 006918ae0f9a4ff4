"""Shared memory pages: reserved before they are written to, and freed after a crash."""

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
    """Return the prefix of the names of all shared memory of `run`, and of no other run."""
    # Without underscores inside, the prefix of one run cannot be that of another.
    name = run if _PLAIN.fullmatch(run) else hashlib.blake2s(run.encode()).hexdigest()[:32]
    return f"holoflow_{name}_"


def remove_leftovers(run: str, memory: Path = MEMORY) -> list[str]:
    """Remove the shared memory that `run` has left, and return the names of what was removed.

    None of its processes may be alive any more. Everything else that iceoryx2 keeps is in the
    run's folder.
    """
    begin = prefix(run)
    removed = []
    try:
        names = sorted(os.listdir(memory))
    except OSError:
        return []
    for name in names:
        if name.startswith(begin):
            with contextlib.suppress(OSError):  # another user's, or already removed
                (memory / name).unlink()
                removed.append(name)
    return removed


SMALL: Final = 4 << 20
"""Bytes of a segment up to which all of it is reserved at once."""
BOOKS: Final = 2 << 20
"""Bytes that iceoryx2 may write to in a new segment, besides the message."""
HEAD: Final = 256
"""Bytes before a message that include those iceoryx2 writes when the sample is taken."""

Reserve = Callable[[int, int, int], None]
"""Makes the system allocate bytes of an open file: descriptor, first byte, number of bytes."""


class Segment(NamedTuple):
    """A file of shared memory that this process has mapped."""

    path: Path
    begin: int
    """Address of its first byte."""
    end: int


class PagePopulator:
    """Populates the pages that an outlet is about to write to.

    Shared memory is allocated page by page on the first write; if there is none left, the system
    kills the writing process with SIGBUS. Reserving the pages first turns that into an error.
    """

    def __init__(
        self, prefix: str, memory: Path = MEMORY, reserve: Reserve = os.posix_fallocate
    ) -> None:
        """Populate pages of the files in `memory` whose names start with `prefix`."""
        self._prefix = prefix
        self._memory = memory
        self._reserve = reserve
        self._claimed: dict[int, memoryview] = {}
        self._segment: Segment | None = None

    def require(self, size: int, whose: str) -> None:
        """Raise ShortageError if there is no room for the first message of `size` bytes."""
        if free(self._memory) < size + BOOKS:
            raise no_memory(self._memory, size, f"a message of {whose}")

    def claim(self, address: int, size: int, whose: str) -> memoryview:
        """Return the memory at `address`, at least `size` bytes that can be written to.

        Raises:
            ShortageError: There is no room; the message says what is needed, and for `whose`
                messages.
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
        """Forget all pages: from now on other memory may be mapped at the same addresses."""
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
    """Populate all small segments that are mapped, among them those that iceoryx2 itself writes.

    Raises:
        ShortageError: There is no room for them.
    """
    for segment in mapped(prefix, memory):
        size = segment.end - segment.begin
        if size <= SMALL:
            try:
                _give(segment, [(0, size)])
            except FileNotFoundError:  # just removed by another process, after a crash
                pass
            except OSError as error:
                if is_shortage(error):
                    raise no_memory(memory, size, f"the link of {whose}") from None
                raise


def _give(
    segment: Segment, pieces: list[tuple[int, int]], reserve: Reserve = os.posix_fallocate
) -> None:
    """Make the system allocate `pieces` of a segment; raise OSError if it cannot."""
    opened = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        end = os.fstat(opened).st_size
        for first, length in pieces:
            if (there := min(length, end - first)) > 0:
                reserve(opened, first, there)
    finally:
        os.close(opened)


def _heads(segment: Segment, address: int, size: int) -> list[tuple[int, int]]:
    """Return where iceoryx2 may write when it takes a sample, as (first byte, number of bytes).

    Samples are at multiples of a power of two.

    Args:
        segment: The segment of the samples.
        address: Address of a message in it.
        size: Bytes that were requested for that message.
    """
    length = segment.end - segment.begin
    if length <= SMALL:
        return [(0, length)]
    step = 1 << (size - 1).bit_length()
    first = (address - segment.begin) % step
    return [(max(at - HEAD, 0), 2 * HEAD) for at in range(first, length, step)]


def mapped(prefix: str, memory: Path = MEMORY) -> Iterator[Segment]:
    """Yield the files in `memory` mapped by this process whose names start with `prefix`."""
    begin = str(memory / prefix)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            place, _, _, _, _, *name = line.rstrip("\n").split(maxsplit=5)
            if name and name[0].startswith(begin) and not name[0].endswith(" (deleted)"):
                first, _, last = place.partition("-")
                yield Segment(Path(name[0]), int(first, 16), int(last, 16))


def free(memory: Path = MEMORY) -> int:
    """Return the number of free bytes in `memory`."""
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize
