"""An asset: a file that is fetched once into the cache."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.errors import Location


@dataclass(frozen=True)
class Asset:
    """A file that is fetched once into the cache."""

    name: str
    url: str
    sha256: str
    location: Location | None = None
