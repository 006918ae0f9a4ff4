"""`holoflow top`: watch a running app from another terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from holoflow.cli import terminal
from holoflow.cli.arguments import parse_duration
from holoflow.cli.errors import ExitStatus

SHORTEST = 0.1
"""Least seconds between updates: more frequent ones only cost time."""


def top(
    app: Annotated[
        str | None, typer.Argument(help="Name of the app, if more than one runs.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show what it does now, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Time between updates; default: 500ms, in a pipe 1s."
        ),
    ] = None,
) -> None:
    """Watch a running app: rates, times, queues, drops, and what limits it.

    Continues when the app ends, and shows it again when it is restarted.
    """
    from holoflow.cli import top_output
    from holoflow.live.attach import Attachment

    shows_screen = terminal.is_live() and not as_json and not once
    seconds = (0.5 if shows_screen else 1.0) if every is None else parse_duration(every, "--every")
    if seconds < SHORTEST:
        raise typer.BadParameter(
            f"{every!r} is too short; give 100ms or more", param_hint="--every"
        )
    try:
        with Attachment(app) as attachment:
            if once:
                top_output.show_once(attachment, seconds, as_json=as_json)
            elif shows_screen:
                top_output.show_screen(attachment, seconds)
            else:
                top_output.show_lines(attachment, seconds, as_json=as_json)
    except KeyboardInterrupt:  # the way to end it
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
