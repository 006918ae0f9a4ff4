"""`holoflow assets`: the files that apps need from elsewhere, and their cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.core.text import NOT_MEASURED, plural, printable, size

if TYPE_CHECKING:
    from holoflow.app.graph import App
    from holoflow.assets.source import Asset

commands = typer.Typer(
    no_args_is_help=True, help="Files that apps need from elsewhere, and their cache."
)

_AppArgument = Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")]
_Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
]


@commands.command()
def fetch(app: _AppArgument, setting: _Settings = None) -> None:
    """Fetch all assets of an app into the cache, and print where they are."""
    from holoflow import assets
    from holoflow.app.assets import fetch_all

    loaded = _load(app, setting)
    for name, path in fetch_all(loaded, unused=True).items():
        typer.echo(printable(f"{name}: {path}"))
    typer.echo(
        printable(f"{plural(len(loaded.assets), 'asset')} of {app} in {assets.cache_folder()}")
    )


@commands.command("list")
def list_assets(app: _AppArgument, setting: _Settings = None) -> None:
    """List the assets of an app: name, whether cached, size, and source."""
    loaded = _load(app, setting)
    if not loaded.assets:
        typer.echo(printable(f"{app} has no assets"))
        return
    rows = [_row(asset) for asset in loaded.assets.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(printable("  ".join(cells).rstrip()))


@commands.command()
def path() -> None:
    """Print the folder of the cache: $HOLOFLOW_CACHE, by default ~/.cache/holoflow."""
    from holoflow.assets.fetching import cache_folder

    typer.echo(str(cache_folder()))


def _load(app: str, setting: list[str] | None) -> App:
    from holoflow.app import load

    return load(apps.find(app), settings=parse_settings(setting or []))


def _row(asset: Asset) -> tuple[str, str, str, str]:
    from holoflow.assets.fetching import cached_path
    from holoflow.assets.source import without_password

    source = without_password(asset.url)
    cached = cached_path(asset)
    if cached.is_file():
        return asset.name, "cached", size(cached.stat().st_size), source
    return asset.name, "not cached", NOT_MEASURED, source
