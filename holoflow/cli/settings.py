"""What `--set key=value` and `--for 10s` say."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from holoflow.quantity import DURATION_UNITS, parse_quantity


def parse_settings(
    settings: Sequence[str], option: str = "--set", example: str = "clip=video.mp4"
) -> dict[str, str]:
    """Return values by key; a later one of the same key wins. Raises `typer.BadParameter`."""
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
    try:
        duration = parse_quantity(text, DURATION_UNITS, "10s", bare=False)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if duration <= 0:
        raise typer.BadParameter(f"{text!r} is no time at all; give 1s or so", param_hint=option)
    return duration
