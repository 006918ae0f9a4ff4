"""Room in shared memory: asked for before it is written to, since running out kills a process."""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from holoflow.errors import HoloflowError
from holoflow.link.shared_memory.leftovers import MEMORY

POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE, of Linux 5.14 and newer."""

REMOVE = 9
"""MADV_REMOVE"""


class Room:
    """The memory that an outlet has written to, and so has.

    Shared memory is given page by page as it is first written to; where there is none left, the
    system kills whoever writes.
    """

    def __init__(
        self,
        memory: Path = MEMORY,
        populate: Callable[[int, int], int] | None = None,
    ) -> None:
        """Look for room in `memory`; `populate` has pages given, see `populate`."""
        self._memory = memory
        self._populate = populate_pages if populate is None else populate
        self._claimed: dict[int, memoryview] = {}

    def claim(self, address: int, size: int, whose: str) -> memoryview:
        """Return the memory at `address`, at least `size` bytes that can be written to.

        Raises HoloflowError where there is no room for them; it says what is needed, and for
        `whose` messages.
        """
        claimed = self._claimed.get(address)
        if claimed is not None and claimed.nbytes >= size:
            return claimed
        left = free(self._memory)
        error = self._populate(address, size)
        if error in (errno.EINVAL, errno.ENOSYS):  # an older kernel
            error = 0 if left >= size else errno.ENOMEM
        if error:
            raise HoloflowError(
                f"shared memory is full: a message of {whose} needs {size / 1e6:.1f} MB, "
                f"{self._memory} has {left / 1e6:.1f} MB left; give it more (of a "
                "container: --shm-size=2g), or send by `link: zeromq`"
            )
        claimed = memoryview((ctypes.c_uint8 * size).from_address(address)).cast("B")
        self._claimed[address] = claimed
        return claimed

    def forget(self) -> None:
        """Note that the memory is another from now on, at whatever address."""
        self._claimed.clear()


def free(memory: Path = MEMORY) -> int:
    """Return the bytes that are left in `memory`."""
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize


def populate_pages(address: int, size: int) -> int:
    """Have the system give all pages from `address` on; returns 0, or the number of an error.

    With an error it takes back those that lie in this memory alone.
    """
    start = address & -mmap.PAGESIZE
    if _madvise()(start, address + size - start, POPULATE_WRITE) == 0:
        return 0
    error = ctypes.get_errno()
    first, last = -(-address // mmap.PAGESIZE), (address + size) // mmap.PAGESIZE
    if error not in (errno.EINVAL, errno.ENOSYS) and last > first:
        _madvise()(first * mmap.PAGESIZE, (last - first) * mmap.PAGESIZE, REMOVE)
    return error


@functools.cache
def _madvise() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
