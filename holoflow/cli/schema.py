"""`holoflow schema`: print the JSON Schema of app files, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from holoflow.cli.errors import say
from holoflow.errors import HoloflowError


def schema(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to a file.")
    ] = None,
    fragment: Annotated[
        bool, typer.Option("--fragment", help="That of a reusable fragment's file instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of app files, with the parameters of all operators."""
    from holoflow import app
    from holoflow.app.reuse import templates

    _, problems = app.catalogue.usable()
    for problem in dict.fromkeys([*problems, *map(str, templates()[1])]):
        say(problem)
    text = json.dumps(app.fragment_schema() if fragment else app.schema(), indent=1) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HoloflowError(f"the schema cannot be written: {error}") from None
