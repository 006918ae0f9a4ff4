"""Sockets for watching running apps, in folders that only their user may enter."""

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
"""Most sockets of a folder that are considered."""


class SocketAddress(NamedTuple):
    """The folder and name of a socket."""

    place: Path
    name: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.place / self.name

    @property
    def pid(self) -> int:
        """Id of the process that made it; 0 if its name does not say."""
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


def of_fragment(app: str, run: str, fragment: str) -> Iterator[SocketAddress]:
    """Yield the sockets of the processes of a fragment."""
    own = name(app, run, fragment, 0).removesuffix("0")
    for place in places():
        with contextlib.suppress(HoloflowError):
            yield from (found for found in addresses(place) if found.name.startswith(own))


def short(text: str) -> str:
    """Return `text` as part of a file name: unchanged if it can be, else with a hash."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,20}", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:11] + "-" + digest


@contextmanager
def opened(place: Path) -> Iterator[int]:
    """Open a folder that only its user may enter; yields its descriptor.

    Raises:
        HoloflowError: Others may enter it, or it belongs to another user.
        OSError: It cannot be opened.
    """
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:  # a symbolic link is not a directory either
        raise HoloflowError(f"not a folder, but a link or a file: {place}") from None
    try:
        found = os.fstat(folder)
        if found.st_uid != os.getuid():
            raise HoloflowError(f"belongs to another user: {place}")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise HoloflowError("others may enter it", f"make it private with: chmod 700 {place}")
        yield folder
    finally:
        os.close(folder)


def listen(address: SocketAddress) -> socket.socket:
    """Return a socket that listens at `address`; makes the folder if it is missing.

    Raises HoloflowError or OSError, as `opened` does.
    """
    with contextlib.suppress(FileExistsError):
        address.place.mkdir(mode=0o700)
    with opened(address.place) as folder:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            # Names that begin with a dot are ignored: a process that connected before `listen`
            # would consider the socket stale. The path through the open descriptor is short
            # (108 bytes are the limit) and certain to lead into this folder.
            made.bind(f"/proc/self/fd/{folder}/.{address.name}")
            made.listen(_WAITING)
            os.rename(f".{address.name}", address.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            made.close()
            raise
    return made


def addresses(place: Path) -> list[SocketAddress]:
    """Return the sockets in `place`; raises HoloflowError if others may put some there."""
    try:
        with opened(place) as folder, os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
            ]
    except OSError:  # no folder: nothing runs
        return []
    return [SocketAddress(place, name) for name in sorted(names)[:_MOST]]


def connect(address: SocketAddress) -> socket.socket | None:
    """Return a connection; None if no process listens or too many connections wait.

    The socket of a killed process is removed.
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
    """Remove a socket, if it exists."""
    with contextlib.suppress(OSError, HoloflowError), opened(address.place) as folder:
        os.unlink(address.name, dir_fd=folder)


def clean(place: Path) -> None:
    """Remove the sockets of killed processes in `place`."""
    for address in addresses(place):
        if is_gone(address.pid) and (made := connect(address)) is not None:
            made.close()  # another process still listens there


def is_gone(pid: int) -> bool:
    """Whether there is no process `pid`, or only a zombie."""
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
