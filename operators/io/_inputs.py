"""Names of the inputs of a sink that takes any."""

from __future__ import annotations

from collections.abc import Iterable

from holoflow.core.errors import HoloflowError

OF_THE_HEADER = ("sequence", "timestamp", "source", "metadata")


def check_names(names: Iterable[str]) -> None:
    """Raise HoloflowError where an input is named as a part of the header is."""
    for name in names:
        if name in OF_THE_HEADER:
            raise HoloflowError(
                f"an input named {name!r} cannot be told from the header's; name it otherwise"
            )
