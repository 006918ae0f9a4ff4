"""Which assets an app really uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from holoflow.app.graph import App, Asset, NativeObject
from holoflow.assets.cache import cached_path


def used_assets(app: App) -> list[Asset]:
    """Return the assets whose cached path stands in a parameter of an operator, in app order."""
    texts: set[str] = set()
    for operator in app.operators.values():
        texts.update(_texts(operator.parameters))
        if operator.native:
            texts.update(_texts(operator.native.arguments))
            texts.update(_texts(operator.native.conditions))
    return [
        asset
        for asset in app.assets.values()
        if any(str(cached_path(asset)) in text for text in texts)
    ]


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in nested parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, NativeObject):
        yield from _texts(value.arguments)
