"""Sockets through which running apps are watched, in folders that only their user may enter."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from holoflow.core.errors import HoloflowError

_WAITING = 16
"""Connections that may wait to be accepted."""
_MOST = 256
"""Sockets of a folder that are looked at."""


class SocketAddress(NamedTuple):
    """A socket."""

    place: Path
    name: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.place / self.name

    @property
    def pid(self) -> int:
        """The process that made it; 0 where the name does not tell."""
        last = self.name.rpartition(".")[2]
        return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0


def places() -> list[Path]:
    """Return the folders in which a user's apps are found, the first choice first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    own = [Path(runtime, "holoflow")] if runtime.startswith("/") else []
    return [*own, Path(tempfile.gettempdir(), f"holoflow-{os.getuid()}")]


def name(app: str, run: str, fragment: str, pid: int) -> str:
    """Return the name of a socket: `faces.a1b2c3d4.main.4711`; long parts are cut and hashed."""
    return ".".join((short(app), short(run), short(fragment), str(pid)))


def short(text: str) -> str:
    """Return `text` as part of a file's name: itself where it can be one, else with a hash."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,20}", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:11] + "-" + digest


@contextmanager
def opened(place: Path) -> Iterator[int]:
    """Open a folder that is its user's alone; gives its descriptor.

    Raises HoloflowError where others may enter it or it is another's, and OSError where it
    cannot be opened.
    """
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:  # a symbolic link is no directory either
        raise HoloflowError(f"a folder of its own is needed, no link or file: {place}") from None
    try:
        found = os.fstat(folder)
        if found.st_uid != os.getuid():
            raise HoloflowError(f"belongs to another user: {place}")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise HoloflowError(f"others may enter it; make it private with: chmod 700 {place}")
        yield folder
    finally:
        os.close(folder)


def listen(address: SocketAddress) -> socket.socket:
    """Return a socket that listens at `address`; makes the folder where it is missing.

    Raises HoloflowError or OSError, as `opened` does.
    """
    with contextlib.suppress(FileExistsError):
        address.place.mkdir(mode=0o700)
    with opened(address.place) as folder:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            # A name that begins with a dot is not looked at: who connected before `listen`
            # would take it for one that was left behind. Leading through the open folder, the
            # way is both short (108 bytes are the limit) and surely this folder's.
            made.bind(f"/proc/self/fd/{folder}/.{address.name}")
            made.listen(_WAITING)
            os.rename(f".{address.name}", address.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            made.close()
            raise
    return made


def addresses(place: Path) -> list[SocketAddress]:
    """Return the sockets in `place`; raises HoloflowError where others may put some there."""
    try:
        with opened(place) as folder, os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
            ]
    except OSError:  # not there: nothing runs
        return []
    return [SocketAddress(place, name) for name in sorted(names)[:_MOST]]


def connect(address: SocketAddress) -> socket.socket | None:
    """Return a connection; None where nobody listens (any more) or too many wait there.

    What a killed process has left is removed.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        with opened(address.place) as folder:
            made.connect(f"/proc/self/fd/{folder}/{address.name}")
    except ConnectionRefusedError:
        made.close()
        remove(address)
        return None
    except (OSError, HoloflowError):
        made.close()
        return None
    return made


def remove(address: SocketAddress) -> None:
    """Remove a socket; nothing happens where it is gone."""
    with contextlib.suppress(OSError, HoloflowError), opened(address.place) as folder:
        os.unlink(address.name, dir_fd=folder)


def clean(place: Path) -> None:
    """Remove what killed processes have left in `place`."""
    for address in addresses(place):
        if is_gone(address.pid) and (made := connect(address)) is not None:
            made.close()  # another process goes on listening there


def is_gone(pid: int) -> bool:
    """Whether there is no process `pid`, or only what is left of it until it is waited for."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        if state in (b"Z", b"X"):
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
