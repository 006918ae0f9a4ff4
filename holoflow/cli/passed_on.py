"""Options of `holoflow run` that another command passes on to it, checked as it would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from holoflow.cli.run import run
from holoflow.cli.settings import parse_duration
from holoflow.cli.telemetry import parse_trace
from holoflow.errors import HoloflowError

_OPTION_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def parse_passed_on(arguments: Sequence[str], own: Mapping[str, str]) -> dict[str, Any]:
    """Return what `holoflow run APP ARGUMENTS` would be called with, by the names of parameters.

    `own` are those parameters that the command gives itself, each with what to do instead.
    Raises HoloflowError, and `typer.BadParameter`.
    """
    command = typer.Typer(add_completion=False)
    command.command()(run)
    options = typer.main.get_command(command)
    try:
        context = options.make_context("run", ["APP", *arguments])
    except _OPTION_ERROR as error:
        raise HoloflowError(f"after --: {error.format_message()}") from None  # type: ignore[attr-defined]
    found: dict[str, Any] = context.params
    for name, instead in own.items():
        if found[name]:
            option = next(p.opts[0] for p in options.params if p.name == name)
            raise HoloflowError(f"after --: {option}: {instead}")
    if found["duration"] is not None:
        parse_duration(found["duration"], "--for")
    if found["trace"] is not None:
        parse_trace(found["trace"])
    return found
