"""What `--trace frames=1000` and `--metrics [ADDRESS:]PORT` say."""

from __future__ import annotations

import re

import typer

MOST_FRAMES = 1_000_000
"""That may be traced: each takes about 650 bytes for every operator."""


def parse_trace(text: str) -> int:
    """Return how many of the newest frames are to be traced. Raises `typer.BadParameter`."""
    found = re.fullmatch(r"frames=([0-9]{1,7})", text)
    frames = int(found[1]) if found else 0
    if not 0 < frames <= MOST_FRAMES:
        raise typer.BadParameter(
            f"{text!r}; write frames=N for the newest N frames (1 to {MOST_FRAMES:,}), "
            "such as frames=1000",
            param_hint="--trace",
        )
    return frames


def parse_metrics(text: str) -> tuple[str, int]:
    """Return address and port; without an address that which only this machine reaches.

    Raises `typer.BadParameter`.
    """
    from holoflow.flow.export.metrics_server import LOCAL

    found = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):)?([0-9]{1,5})", text)
    if not found or int(found[2]) > 65535:
        raise typer.BadParameter(
            f"{text!r}; write a port, such as 9464, or an address and a port, such as "
            "0.0.0.0:9464, which everybody on the network reaches",
            param_hint="--metrics",
        )
    return (found[1] or LOCAL).strip("[]"), int(found[2])
