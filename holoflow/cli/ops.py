"""`holoflow ops`: the operator catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from holoflow.cli.errors import say
from holoflow.printable import printable

commands = typer.Typer(help="The operator catalogue: list, search, show.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@commands.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """List, search and show the operators of the catalogue; without a command list them."""
    if context.invoked_subcommand is None:
        list_operators()


@commands.command("list")
def list_operators(as_json: _Json = False) -> None:
    """List all operators, a line each, by category."""
    from holoflow.app import catalogue

    _print(catalogue.names(), as_json=as_json)


@commands.command()
def search(
    word: Annotated[str, typer.Argument(help="Part of a name or of what an operator says.")],
    as_json: _Json = False,
) -> None:
    """List the operators whose name, description or parameters hold a word."""
    from holoflow.app import catalogue
    from holoflow.cli.sheet import sheet

    found = [
        name
        for name in catalogue.names()
        if word.casefold() in sheet(name, catalogue.find(name)).words()
    ]
    if not found:
        say(f"no operator speaks of {word!r}; holoflow ops lists all there are")
    _print(found, as_json=as_json)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="capture.video, ./file.py:Class, package:Class.")],
    as_json: _Json = False,
) -> None:
    """Show one operator: ports, parameters, what it needs, and an example."""
    from holoflow.app.classes import find_class
    from holoflow.cli.native_sheet import native_sheet
    from holoflow.cli.sheet import sheet
    from holoflow.engine.native import is_object, is_operator
    from holoflow.plain_data import plain

    cls = find_class(name, Path.cwd())
    holoscans = is_operator(cls) or is_object(cls)
    shown = native_sheet(name, cls) if holoscans else sheet(name, cls)
    typer.echo(json.dumps(plain(shown), indent=1) if as_json else printable(str(shown)))


def _print(names: Sequence[str], *, as_json: bool) -> None:
    from holoflow.app import catalogue

    if as_json:
        found = [{"name": name, "summary": catalogue.summary(name)} for name in names]
        typer.echo(json.dumps(found, indent=1))
        return
    width = max(map(len, names), default=0)
    blocks = []
    for _category, members in groupby(names, key=lambda name: name.partition(".")[0]):
        lines = (f"{name:{width}}  {catalogue.summary(name)}" for name in members)
        blocks.append("\n".join(lines))
    if blocks:
        typer.echo(printable("\n\n".join(blocks)))
