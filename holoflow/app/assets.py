"""`assets:` of an app: files that are fetched once, known by URL and checksum."""

from __future__ import annotations

from dataclasses import replace

from holoflow.app.document import Value
from holoflow.app.format import AssetPiece
from holoflow.app.graph import Asset
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check


def read_assets(value: Value | None, report: Report) -> dict[str, Asset]:
    """Return the checked assets; a `file:` comes out absolute."""
    from holoflow.assets.errors import AssetError
    from holoflow.assets.source import Local, read_source

    found: dict[str, Asset] = {}
    for name, item in value.mapping.items() if value else ():
        at = value.keys[name] if value else item.at
        piece = check(AssetPiece, item, report, Words("key", f" of asset {short(name)}", at))
        url = item.get("from")
        if url is None or not isinstance(url.data, str):
            continue
        asset = Asset(name, url.data, piece.sha256 if piece else "", at)
        try:
            source = read_source(asset)
        except AssetError as error:
            wrong, _, right = error.problem.partition("; ")
            report.add(url.at, wrong, right)
            continue
        if isinstance(source, Local):
            asset = replace(asset, url=source.path.absolute().as_uri())
        if piece is not None:
            found[name] = asset
    return found
