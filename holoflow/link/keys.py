"""Keys of hosts: this host's own pair, and the public keys of the hosts that it trusts."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from holoflow.core.errors import HoloflowError, optional
from holoflow.core.files import write_whole
from holoflow.core.text import choices, suggestion

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_KEY = re.compile(f"[{re.escape(_DIGITS)}]{{40}}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class OwnKeys:
    """The key pair of this host, as z85 text."""

    name: str
    """Name of the host where its public key is allowed."""
    public: str
    secret: str = field(repr=False)


def new_keys(name: str) -> OwnKeys:
    """Return a new key pair for the host `name`; raise HoloflowError if the name is invalid."""
    return OwnKeys(checked_name(name), *_pair())


def keys_folder() -> Path:
    """Return the folder of the keys; reads the environment, not the disk.

    `$HOLOFLOW_KEYS`, else `$XDG_CONFIG_HOME/holoflow/keys`, else `~/.config/holoflow/keys`.
    """
    if own := os.environ.get("HOLOFLOW_KEYS"):
        return Path(own).expanduser().absolute()
    users = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(users).expanduser().absolute() / "holoflow" / "keys"


class KeyStore:
    """The keys in a folder: `secret` and `public` of this host, `allowed/NAME` of others."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder`, or the one given by the environment; it need not exist."""
        self.folder = keys_folder() if folder is None else folder
        self._secret = self.folder / "secret"
        self._public = self.folder / "public"
        self._allowed = self.folder / "allowed"

    def create(self, name: str | None = None, *, force: bool = False) -> OwnKeys:
        """Create a key pair for this host.

        Args:
            name: Name of the host; None: as the system calls it.
            force: Whether to replace an existing pair.

        Raises:
            HoloflowError: There is a pair already, or it cannot be written.
        """
        name = checked_name(socket.gethostname() if name is None else name)
        if self._secret.exists() and not force:
            raise HoloflowError(
                f"{self.folder} already contains the keys of this host",
                "with --force they are "
                "replaced, and all hosts that allow the old key have to allow the new one",
            )
        pair = new_keys(name)
        self.keep(pair)
        return pair

    def keep(self, own: OwnKeys) -> None:
        """Store `own` as this host's key pair; raise HoloflowError if it cannot be written."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            _write(self._secret, own.secret)
            _write(self._public, f"{own.public} {own.name}")
        except OSError as error:
            raise HoloflowError(f"cannot write {self.folder}: {error.strerror}") from None

    def own(self) -> OwnKeys:
        """Return the key pair of this host.

        Raises:
            HoloflowError: There is none, or others could read it.
        """
        if not self._secret.exists():
            raise HoloflowError(
                f"this host has no keys in {self.folder}", "create them with: holoflow keys new"
            )
        _check_private(self.folder, 0o700)
        _check_private(self._secret, 0o600)
        public, _, name = _read(self._public).partition(" ")
        return OwnKeys(name.strip(), _key(public, self._public), _key(_read(self._secret), None))

    def allow(self, name: str, key: str) -> Path:
        """Trust the host `name` with the public `key`; return the file in which it is stored.

        Raises:
            HoloflowError: The name or the key is invalid, or the file cannot be written.
        """
        path = self._allowed / checked_name(name)
        if not is_key(key):
            raise HoloflowError(
                f"{key[:50]!r} is not a public key, which is 32 bytes as 40 characters of z85",
                "print it on the other host with: holoflow keys show",
            )
        try:
            self._allowed.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, key)
        except OSError as error:
            raise HoloflowError(f"cannot write {path}: {error.strerror}") from None
        return path

    def allowed(self) -> dict[str, str]:
        """Return the public keys of the trusted hosts, by name.

        Raises:
            HoloflowError: A file contains anything else, or others may change the keys.
        """
        if not self._allowed.is_dir():
            return {}
        _check_ours(self._allowed)
        names = sorted(entry.name for entry in self._allowed.iterdir())
        paths = {name: self._allowed / name for name in names if _NAME.fullmatch(name)}
        return {name: _key(_read(path), path) for name, path in paths.items()}

    def remove(self, name: str) -> None:
        """Stop trusting the host `name`; raise HoloflowError if it was not trusted."""
        try:
            (self._allowed / checked_name(name)).unlink()
        except FileNotFoundError:
            known = self.allowed()
            right = suggestion(name, known, f"allowed: {choices(known)}")
            raise HoloflowError(f"no host {name!r} is allowed here", right) from None
        except OSError as error:
            raise HoloflowError(f"cannot remove {name!r}: {error.strerror}") from None

    def of(self, hosts: Iterable[str]) -> dict[str, str]:
        """Return the public keys of all `hosts`, by name.

        Raises:
            HoloflowError: Keys are missing; the message has the commands to exchange them.
        """
        self.own()
        allowed = self.allowed()
        wanted = list(hosts)
        missing = [host for host in wanted if host not in allowed]
        if missing:
            raise HoloflowError(
                f"no key is known here for the host{'s' * (len(missing) > 1)} {', '.join(missing)}",
                "run `holoflow keys show` there, and here the line that it prints: "
                + "; ".join(f"holoflow keys allow {host} '…'" for host in missing),
            )
        return {host: allowed[host] for host in wanted}


def _pair() -> tuple[str, str]:
    zmq = optional("zmq", "zeromq")
    while True:
        public, secret = (key.decode() for key in zmq.curve_keypair())
        if public[0].isalnum():  # so that a command line does not take it for an option
            return public, secret


def is_key(key: str) -> bool:
    """Whether `key` is the z85 of 32 bytes."""
    groups = [key[at : at + 5] for at in range(0, len(key), 5)]
    return _KEY.fullmatch(key) is not None and all(map(_fits, groups))


def _fits(group: str) -> bool:
    """Whether five digits of base 85 fit into 32 bits."""
    number = 0
    for digit in group:
        number = number * 85 + _DIGITS.index(digit)
    return number < 1 << 32


def checked_name(name: str) -> str:
    """Return `name`; raise HoloflowError if it is not a valid name of a host."""
    if _NAME.fullmatch(name) is None or len(name) > 100:
        raise HoloflowError(
            f"{name[:100]!r} is not a name of a host: write letters, digits, '.', ':', '-' and "
            "'_', as it is called in the app"
        )
    return name


def _write(path: Path, text: str) -> None:
    """Write a file that its owner alone may read; no power cut leaves it empty."""
    write_whole(path, f"{text}\n".encode("ascii"), durable=True)


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(1000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HoloflowError(f"cannot read the key in {path}: {error}") from None


def _key(text: str, path: Path | None) -> str:
    if not is_key(text):
        where = "the secret key of this host" if path is None else path
        raise HoloflowError(
            f"{where} is not a key", "create or allow it again (holoflow keys --help)"
        )
    return text


def _check_private(path: Path, mode: int) -> None:
    found = path.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HoloflowError(
            f"{path} can be read by others",
            f"it is not used until you run: chmod {mode:o} '{path}'",
        )


def _check_ours(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise HoloflowError(
            f"{path} can be changed by others", f"it is not used until you run: chmod 700 '{path}'"
        )
