"""`holoflow ops`: the operator catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from holoflow.cli.errors import say
from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable
from holoflow.core.version import __version__

commands = typer.Typer(help="The operator catalogue: list, search, show.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@commands.callback(invoke_without_command=True)
def every(context: typer.Context) -> None:
    """List, search and show the operators of the catalogue; without a command, list them."""
    if context.invoked_subcommand is None:
        list_operators()


@commands.command("list")
def list_operators(as_json: _Json = False) -> None:
    """List all operators by category, one per line."""
    from holoflow.app import catalogue

    for problem in catalogue.offered().problems:
        say(str(problem))
    _print(catalogue.names(), as_json=as_json)


@commands.command()
def search(
    word: Annotated[str, typer.Argument(help="Part of a name or description.")],
    as_json: _Json = False,
) -> None:
    """List the operators whose name, description or parameters contain a word."""
    from holoflow.app import catalogue
    from holoflow.cli.operator_sheet import sheet

    classes, problems = catalogue.usable()
    found = [name for name, cls in classes.items() if word.casefold() in sheet(name, cls).words()]
    for problem in problems:
        say(problem)
    if not found:
        say(f"no operator mentions {word!r}; holoflow ops lists all operators")
    _print(found, as_json=as_json)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="capture.video, ./file.py:Class, package:Class.")],
    as_json: _Json = False,
) -> None:
    """Show one operator: ports, parameters, what it needs, and an example."""
    from holoflow.app import catalogue
    from holoflow.app.catalogue import find_class
    from holoflow.cli.operator_sheet import holoscan_sheet, sheet
    from holoflow.core.text import plain
    from holoflow.holoscan.classes import is_operator, missing
    from holoflow.holoscan.signature import is_object

    cls = find_class(name, Path.cwd())
    if missing(cls):
        raise HoloflowError(f"{name} cannot be imported here: {missing(cls)}")
    holoscans = is_operator(cls) or is_object(cls)
    package = catalogue.package(name)
    shown = holoscan_sheet(name, cls) if holoscans else sheet(name, cls, str(package or ""))
    typer.echo(json.dumps(plain(shown), indent=1) if as_json else printable(str(shown)))


def _print(names: Sequence[str], *, as_json: bool) -> None:
    from holoflow.app import catalogue

    summaries = _summaries(names)
    if as_json:
        found = [
            {
                "name": name,
                "summary": summary,
                "package": package.name if (package := catalogue.package(name)) else "holoflow",
                "version": package.version if package else __version__,
            }
            for name, summary in summaries.items()
        ]
        typer.echo(json.dumps(found, indent=1))
        return
    width = max(map(len, summaries), default=0)
    blocks = []
    for _category, members in groupby(summaries, key=lambda name: name.partition(".")[0]):
        lines = (f"{n:{width}}  {summaries[n]}{catalogue.origin(n)}" for n in members)
        blocks.append("\n".join(lines))
    if blocks:
        typer.echo(printable("\n\n".join(blocks)))


def _summaries(names: Sequence[str]) -> dict[str, str]:
    """Return the descriptions of operators; broken ones of plugins are reported and left out."""
    from holoflow.app import TypeNameError, catalogue

    found = {}
    for name in names:
        try:
            found[name] = catalogue.summary(name)
        except TypeNameError as error:
            say(str(error))
    return found
