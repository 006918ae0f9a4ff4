"""`holoflow plugins`: what installed packages add, and what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holoflow.cli.errors import ExitStatus, say
from holoflow.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holoflow.app.plugins import Offer


def plugins(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """List what installed packages add, import all of it, and say what is wrong."""
    offers = list(_offers())
    problems = dict.fromkeys([problem for offer in offers for problem in _problems(offer)])
    entries = [entry for offer in offers for entry in offer.entries.values()]
    packages: dict[str, list[Any]] = {}
    for entry in sorted(entries, key=lambda entry: entry.package):
        packages.setdefault(str(entry.package), []).append(entry)
    if as_json:
        added = [
            {
                "package": entry.package.name,
                "version": entry.package.version,
                "kind": entry.kind.word,
                "name": entry.name,
                "target": entry.target,
            }
            for members in packages.values()
            for entry in members
        ]
        typer.echo(json.dumps({"added": added, "problems": list(problems)}, indent=1))
    else:
        for package, members in packages.items():
            lines = (f"  {entry.kind.word:17}  {entry.name}" for entry in members)
            typer.echo(printable("\n".join([package, *lines])))
        if not packages and not problems:
            typer.echo("no installed package adds anything")
        for problem in problems:
            say(problem)
    if problems:
        raise typer.Exit(ExitStatus.APP_WRONG)


def _offers() -> Iterator[Offer]:
    from holoflow.app import catalogue, templates
    from holoflow.app.plugins import PAYLOADS, offered
    from holoflow.cli import apps
    from holoflow.core import payload

    yield catalogue.offered()
    yield templates.offered()
    yield offered(PAYLOADS, frozenset(payload.__all__))
    yield apps.offered()


def _problems(offer: Offer) -> Iterator[str]:
    """Yield what is wrong with the entries of an offer, importing those that are classes."""
    from holoflow.app.mistakes import PluginError
    from holoflow.app.plugins import OPERATORS, PAYLOADS, file_of, load_class

    yield from map(str, offer.problems)
    for entry in offer.entries.values():
        try:
            if entry.kind not in (OPERATORS, PAYLOADS):
                file_of(entry)
                continue
            cls = load_class(entry)
            if entry.kind == OPERATORS:
                cls.ports()
                cls.parameters()
        except PluginError as error:
            yield str(error)
        except Exception as error:  # annotations are the plugin's code and may raise anything
            yield f"{entry} is declared wrongly: {error}"
