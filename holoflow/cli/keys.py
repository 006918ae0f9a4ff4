"""`holoflow keys`: the keys by which hosts recognise each other."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from holoflow.core.text import printable

if TYPE_CHECKING:
    from holoflow.link.keys import KeyStore, OwnKeys

commands = typer.Typer(
    no_args_is_help=True, help="Keys by which the hosts of an app recognise each other."
)

_Host = Annotated[str, typer.Argument(help="Name of the host in the app.")]


@commands.command()
def new(
    *,
    name: Annotated[
        str | None,
        typer.Option(help="Name of this host in apps; default: its host name."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing keys.")] = False,
) -> None:
    """Make the keys of this host, and print how to allow it elsewhere."""
    store = _store()
    made = store.create(name, force=force)
    typer.echo(printable(f"made the keys of {made.name} in {store.folder}"))
    _show(made)


@commands.command()
def show() -> None:
    """Print the public key of this host, and how to allow it elsewhere."""
    _show(_store().own())


@commands.command()
def allow(name: _Host, key: Annotated[str, typer.Argument(help="Its public key.")]) -> None:
    """Trust a host: it may send to this one, and this one to it."""
    path = _store().allow(name, key)
    typer.echo(printable(f"{name} is allowed ({path})"))


@commands.command("list")
def list_keys() -> None:
    """List the hosts that are trusted, with their public keys."""
    store = _store()
    allowed = store.allowed()
    if not allowed:
        typer.echo(printable(f"no host is allowed in {store.folder}"))
        return
    width = max(map(len, allowed))
    for name, key in allowed.items():
        typer.echo(printable(f"{name.ljust(width)}  {key}"))


@commands.command()
def remove(name: _Host) -> None:
    """Stop trusting a host; existing connections stay until they break."""
    _store().remove(name)
    typer.echo(printable(f"{name} is no longer allowed"))


def _store() -> KeyStore:
    from holoflow.link.keys import KeyStore

    return KeyStore()


def _show(own: OwnKeys) -> None:
    typer.echo(printable(f"its public key: {own.public}"))
    typer.echo("run this on every host that it talks to:")
    typer.echo(printable(f"holoflow keys allow {shlex.quote(own.name)} {shlex.quote(own.public)}"))
