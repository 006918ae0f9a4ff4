"""What a run has around it on its host, and what vanishes with it whatever happens."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from holoflow.launch import folder, group, warden


@contextmanager
def surroundings(run: str) -> Iterator[folder.RunFolder]:
    """Make the folder of `run`, and have everything of it end even if this process is killed.

    What earlier runs have left is removed first. Raises HoloflowError where it cannot be made.
    """
    folder.sweep()
    made = folder.RunFolder(run)
    try:
        with _warden(run):
            group.adopt_orphans()
            before = frozenset(group.children())
            try:
                yield made
            finally:
                group.end_adopted(before)
                folder.remove_sockets()
    finally:
        made.remove()


@contextmanager
def _warden(run: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", warden.__file__, run],
        stdin=subprocess.PIPE,
        bufsize=0,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        yield
        # Not where the block has failed: then the warden looks for what may be left.
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # it was killed itself
                process.stdin.write(warden.GOOD_END)
