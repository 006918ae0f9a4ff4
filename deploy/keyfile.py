"""Key files of services: each has its own pair of keys and the public keys of its peers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError, optional
from holoflow.deploy.output import File
from holoflow.deploy.services import Service
from holoflow.link.keys import KeyStore, OwnKeys, checked_name, is_key, new_keys

LARGEST = 1_000_000
"""Most bytes of a file that is read: enough for the keys of 10,000 hosts."""

VARIABLE = "HOLOFLOW_KEYS_FILE"
"""Environment variable with the path of the file."""

_ENTRIES = {"name", "public", "secret", "allowed"}


@dataclass(frozen=True)
class KeyFile:
    """The content of a key file."""

    own: OwnKeys
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Public keys of trusted hosts, by name."""


def new_pair(name: str) -> OwnKeys:
    """Return a new key pair for the host `name`; raises HoloflowError if the name is invalid."""
    return new_keys(name)


def write(own: OwnKeys, allowed: Mapping[str, str]) -> str:
    """Return the text of the key file of a host that trusts those in `allowed`."""
    entries = {
        "name": own.name,
        "public": own.public,
        "secret": own.secret,
        "allowed": dict(allowed),
    }
    return json.dumps(entries, indent=2) + "\n"


def parse(text: str, where: str) -> KeyFile:
    """Return the content of a key file from its text.

    Args:
        text: The text.
        where: Name of the file for errors, which never show a key.

    Raises:
        HoloflowError: This is not the text of a key file.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise HoloflowError(f"{where} has no keys: it is not JSON") from None
    if not isinstance(data, dict) or set(data) != _ENTRIES:
        raise _wrong(where, f"it must be an object with {', '.join(sorted(_ENTRIES))}")
    allowed = data["allowed"]
    if not isinstance(allowed, dict):
        raise _wrong(where, "allowed must be an object with public keys by host")
    for name in (data["name"], *allowed):
        if not isinstance(name, str):
            raise _wrong(where, "name must be that of a host")
        checked_name(name)
    for what in ("public", "secret"):
        _check_key(data[what], where, f"the {what} key of {data['name']}")
    for name, key in allowed.items():
        _check_key(key, where, f"the public key of {name}")
    own = OwnKeys(data["name"], data["public"], data["secret"])
    if optional("zmq", "zeromq").curve_public(own.secret.encode()) != own.public.encode():
        raise _wrong(where, f"the public key of {own.name} does not belong to its secret key")
    return KeyFile(own, allowed)


def read(path: Path) -> KeyFile:
    """Return the content of the key file at `path`.

    Raises:
        HoloflowError: It cannot be read or is not a key file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise HoloflowError(f"the keys cannot be read: {error.strerror}: {path}") from None
    if len(text) > LARGEST:
        raise HoloflowError(f"{path} has no keys: it is larger than {LARGEST:,} bytes")
    if not text.lstrip().startswith(b"{"):
        # Podman 4.3 mounts a Secret of Kubernetes base64-encoded, as in its manifest.
        with suppress(ValueError):
            text = b64decode(text, validate=True)
    return parse(text.decode("utf-8", "replace"), str(path))


def unpack(keys: KeyFile, folder: Path) -> None:
    """Write `keys` into `folder`, where links look for them; only this user can access it.

    Raises:
        HoloflowError: They cannot be written.
    """
    store = KeyStore(folder)
    store.keep(keys.own)
    for name, key in keys.allowed.items():
        store.allow(name, key)


@contextmanager
def unpacked() -> Iterator[None]:
    """Let links in the block use the keys in the file that the environment names, if any.

    Raises:
        HoloflowError: The keys cannot be read or unpacked.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    keys = read(Path(path))
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    before = os.environ.get("HOLOFLOW_KEYS")
    folder = _private_folder(runtime if os.path.isdir(runtime) else None)
    try:
        unpack(keys, folder)
        os.environ["HOLOFLOW_KEYS"] = str(folder)
        yield
    finally:
        os.environ.pop("HOLOFLOW_KEYS", None)
        if before is not None:
            os.environ["HOLOFLOW_KEYS"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _private_folder(parent: str | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="holoflow-keys-", dir=parent))
    except OSError as error:
        raise HoloflowError(
            f"cannot make a folder for the keys: {error.strerror}: {error.filename}"
        ) from None


def _check_key(key: Any, where: str, whose: str) -> None:
    if not isinstance(key, str) or not is_key(key):
        raise _wrong(where, f"{whose} must be 32 bytes as 40 characters of z85")


def _wrong(where: str, right: str) -> HoloflowError:
    return HoloflowError(f"{where} is not a key file", right)


@dataclass(frozen=True)
class Secrets:
    """The key files of a deployment."""

    files: Mapping[str, str]
    """Their texts by service; a service without encrypted links has none."""
    made: tuple[str, ...]
    """Services with a new pair."""
    kept: tuple[str, ...]
    """Services that keep their pair."""


def secrets(services: Sequence[Service], before: Mapping[str, str]) -> Secrets:
    """Return the key files that `services` need.

    Args:
        services: The services.
        before: Texts of earlier key files by service, whose pairs are kept.

    Raises:
        HoloflowError: A text is not the key file of its service; it is not overwritten.
    """
    needing = [service for service in services if service.encrypted]
    hosts = {service.name: service.host for service in services}
    kept = {s.name: _own(s, before[s.name]) for s in needing if s.name in before}
    made = {s.name: new_pair(s.host) for s in needing if s.name not in before}
    pairs = kept | made
    files = {
        s.name: write(pairs[s.name], {hosts[name]: pairs[name].public for name in s.trusts})
        for s in needing
    }
    return Secrets(files, tuple(made), tuple(kept))


def key_file(service: str) -> str:
    """Return the path of a service's key file in the folder that is written."""
    return f"keys/{service}.json"


def key_files(texts: Mapping[str, str]) -> list[File]:
    """Return files with the `texts` of key files by service.

    Each file is mounted into a container, whose user must be able to read it and is unknown to the
    host; other users of the host are kept out by the folder.
    """
    return [
        File(key_file(name), text, mode=0o644, folder_mode=0o700) for name, text in texts.items()
    ]


def _own(service: Service, text: str) -> OwnKeys:
    own = parse(text, f"the key file of the service {service.name!r}").own
    if own.name != service.host:
        raise HoloflowError(
            f"the key file of the service {service.name!r} belongs to {own.name!r}",
            "move it away, and a new one will be made",
        )
    return own
