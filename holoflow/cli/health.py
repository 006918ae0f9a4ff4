"""`holoflow health`: whether a running app is healthy, for supervisors such as Kubernetes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from holoflow.core.text import printable


def health(
    app: Annotated[
        str | None, typer.Argument(help="Name of the app, if more than one runs.")
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Also require that all sources have begun.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a line.")
    ] = False,
) -> None:
    """Tell whether a running app is live: status 0 if it is, 1 if not."""
    from holoflow.live.health import ask

    found = ask(app)
    well = found.ready if ready else found.live
    wanted = "ready" if ready else "live"
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    elif well:
        waits = f"; {found.waits}" if found.waits else ""
        typer.echo(printable(f"{found.app} is {wanted}{waits}"))
    else:
        typer.echo(printable(f"{found.app or 'no app'} is not {wanted}: {found.why}"))
    raise typer.Exit(0 if well else 1)
