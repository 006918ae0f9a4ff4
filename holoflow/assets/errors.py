"""What can go wrong with an asset."""

from __future__ import annotations

import re

from holoflow.assets.asset import Asset
from holoflow.errors import HoloflowError


class AssetError(HoloflowError):
    """An asset cannot be had. The message names it and says what to do."""

    def __init__(self, asset: Asset, problem: str) -> None:
        """Put the place in the app file and the name of `asset` before `problem`."""
        where = f"{asset.location}: " if asset.location else ""
        self.asset = asset
        self.problem = without_password(problem)
        super().__init__(f"{where}asset {asset.name!r}: {self.problem}")


class SourceError(Exception):
    """A source does not deliver; whoever knows the asset makes it an `AssetError`."""


class UnreachableError(SourceError):
    """A source cannot be reached from this machine; from another one it may."""


class BrokenTransferError(UnreachableError):
    """A transfer broke off or the server was busy: another try may go well."""


def without_password(text: str) -> str:
    """Return `text` with what stands before the host of a URL left out."""
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", text)
