"""`assets:` of an app: files that are fetched once, identified by URL and checksum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from holoflow.app.document import Value
from holoflow.app.format import AssetSchema
from holoflow.app.graph import App
from holoflow.app.mistakes import Report, short
from holoflow.app.validation import Wording, check
from holoflow.assets.fetching import cached_path
from holoflow.assets.source import Asset, AssetError, Local, read_source
from holoflow.holoscan.classes import HoloscanObject


def read_assets(value: Value | None, report: Report) -> dict[str, Asset]:
    """Return the checked assets by name; `file:` URLs are made absolute."""
    found: dict[str, Asset] = {}
    for name, item in value.mapping.items() if value else ():
        at = value.keys[name] if value else item.at
        entry = check(AssetSchema, item, report, Wording("key", f" of asset {short(name)}", at))
        url = item.get("from")
        if url is None or not isinstance(url.data, str):
            continue
        asset = Asset(name, url.data, entry.sha256 if entry else "", at)
        try:
            source = read_source(asset)
        except AssetError as error:
            report.add(url.at, error.problem, error.right)
            continue
        if isinstance(source, Local):
            asset = replace(asset, url=source.path.absolute().as_uri())
        if entry is not None:
            found[name] = asset
    return found


def fetch_all(app: App, *, unused: bool = False, progress: bool = True) -> dict[str, Path]:
    """Return the cached files of the assets that operators of `app` use, by name of the asset.

    Args:
        app: The app.
        unused: Whether to fetch also the assets that no operator uses.
        progress: Whether to show the progress on stderr.

    Raises:
        AssetError: An asset is not available.
    """
    # Slow to import, and not needed by `check`.
    from holoflow.assets.fetching import fetch_each

    assets = list(app.assets.values()) if unused else used_assets(app)
    return fetch_each(assets, progress=progress)


def used_assets(app: App) -> list[Asset]:
    """Return the assets whose cached path occurs in a parameter of an operator, in app order."""
    texts: set[str] = set()
    for operator in app.operators.values():
        texts.update(_texts(operator.parameters))
        if operator.holoscan_operator:
            texts.update(_texts(operator.holoscan_operator.arguments))
            texts.update(_texts(operator.holoscan_operator.conditions))
    return [
        asset
        for asset in app.assets.values()
        if any(str(cached_path(asset)) in text for text in texts)
    ]


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in nested parameters."""
    if isinstance(value, (str, Path)):
        yield str(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, HoloscanObject):
        yield from _texts(value.arguments)
