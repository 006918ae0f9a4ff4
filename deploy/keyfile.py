"""The keys of a service in one file: its own pair, and the public keys of those it talks to."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError, optional
from holoflow.link.keys import KeyStore, OwnKeys, checked_name, is_key, new_keys

LARGEST = 1_000_000
"""Bytes of a file that is read: the keys of 10,000 hosts and more."""

VARIABLE = "HOLOFLOW_KEYS_FILE"
"""Environment variable that says where the file is."""

_ENTRIES = {"name", "public", "secret", "allowed"}


@dataclass(frozen=True)
class KeyFile:
    """What such a file holds."""

    own: OwnKeys
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Public keys of the hosts that are trusted, by name."""


def new_pair(name: str) -> OwnKeys:
    """Return a new key pair for the host `name`; raises HoloflowError where that is no name."""
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
    """Return what the text of a key file says; errors name it `where`, and show no key of it.

    Raises HoloflowError for anything that `write` would not write.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise HoloflowError(f"{where} holds no keys: it is no JSON") from None
    if not isinstance(data, dict) or set(data) != _ENTRIES:
        raise _wrong(where, f"it is an object with {', '.join(sorted(_ENTRIES))}")
    allowed = data["allowed"]
    if not isinstance(allowed, dict):
        raise _wrong(where, "allowed is an object of public keys by host")
    for name in (data["name"], *allowed):
        if not isinstance(name, str):
            raise _wrong(where, "name is that of a host")
        checked_name(name)
    for what in ("public", "secret"):
        _check_key(data[what], where, f"the {what} key of {data['name']}")
    for name, key in allowed.items():
        _check_key(key, where, f"the public key of {name}")
    own = OwnKeys(data["name"], data["public"], data["secret"])
    if optional("zmq", "zeromq").curve_public(own.secret.encode()) != own.public.encode():
        raise _wrong(where, f"the public key of {own.name} is that of its secret one")
    return KeyFile(own, allowed)


def read(path: Path) -> KeyFile:
    """Return what the key file at `path` says; raises HoloflowError as `parse`."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise HoloflowError(f"the keys cannot be read: {error.strerror}: {path}") from None
    if len(text) > LARGEST:
        raise HoloflowError(f"{path} holds no keys: it is larger than {LARGEST:,} bytes")
    if not text.lstrip().startswith(b"{"):
        # Podman 4.3 mounts a Secret of Kubernetes as it is written in its manifest.
        with suppress(ValueError):
            text = b64decode(text, validate=True)
    return parse(text.decode("utf-8", "replace"), str(path))


def unpack(keys: KeyFile, folder: Path) -> None:
    """Write `keys` to `folder`, where links look for them; nobody but this user may enter it.

    Raises HoloflowError where that cannot be done.
    """
    store = KeyStore(folder)
    store.keep(keys.own)
    for name, key in keys.allowed.items():
        store.allow(name, key)


@contextmanager
def unpacked() -> Iterator[None]:
    """Have the links of the block use the keys in the file that the environment names, if any.

    Raises HoloflowError as `read` and `unpack`.
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
        raise HoloflowError(f"no folder for the keys: {error.strerror}: {error.filename}") from None


def _check_key(key: Any, where: str, whose: str) -> None:
    if not isinstance(key, str) or not is_key(key):
        raise _wrong(where, f"{whose} is 32 bytes as 40 characters of z85")


def _wrong(where: str, right: str) -> HoloflowError:
    return HoloflowError(f"{where} is no key file", right)
