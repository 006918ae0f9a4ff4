"""Options that several commands share: `--set`, `--for`, `--trace`, `--metrics`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer


def parse_settings(
    settings: Sequence[str], option: str = "--set", example: str = "clip=video.mp4"
) -> dict[str, str]:
    """Return values by key; the last value of a key counts. Raises `typer.BadParameter`."""
    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (equals and key):
            raise typer.BadParameter(
                f"{setting!r} has no value; write key=value, such as {example}", param_hint=option
            )
        values[key] = value
    return values


def parse_duration(text: str, option: str) -> float:
    """Return a duration in seconds, above 0. Raises `typer.BadParameter`."""
    from holoflow.core.quantity import DURATION_UNITS, parse_quantity

    try:
        duration = parse_quantity(text, DURATION_UNITS, "10s", bare=False)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if duration <= 0:
        raise typer.BadParameter(
            f"{text!r} must be longer than 0; give for example 1s", param_hint=option
        )
    return duration


MOST_FRAMES = 1_000_000
"""Most frames that may be traced: each takes about 650 bytes per operator."""


def parse_trace(text: str) -> int:
    """Return how many of the newest frames to trace. Raises `typer.BadParameter`."""
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
    """Return address and port; the default address is reachable from this machine only.

    Raises `typer.BadParameter`.
    """
    from holoflow.report.export.metrics_server import LOCAL

    found = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):)?([0-9]{1,5})", text)
    if not found or int(found[2]) > 65535:
        raise typer.BadParameter(
            f"{text!r}; write a port, such as 9464, or an address and a port, such as "
            "0.0.0.0:9464, which is reachable from the network",
            param_hint="--metrics",
        )
    return (found[1] or LOCAL).strip("[]"), int(found[2])
