"""`holoflow port`: write the app file of an application that was made by hand for Holoscan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holoflow.cli.errors import ExitStatus, say
from holoflow.core.errors import AppError, HoloflowError


def port(
    file: Annotated[str, typer.Argument(help="Python file with the application, or FILE:CLASS.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Arguments of that file, after --.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; default: app.yaml beside the file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the app file of an application made by hand for Holoscan; it is not run."""
    from holoflow.app.load import load
    from holoflow.core.files import write_whole
    from holoflow.port.document import port as ported_from
    from holoflow.port.script import compose

    name, _, chosen = file.partition(":")
    source = Path(name)
    target = output or source.parent / "app.yaml"
    if target.exists() and (not force or target.samefile(source)):
        raise HoloflowError(f"{target} is there already", "name another with --output, or --force")
    ported = ported_from(compose(source, arguments or [], chosen), target.parent)
    for note in ported.notes:
        say(f"not ported: {note}")
    try:
        write_whole(target, ported.text().encode(), 0o666)
    except OSError as error:
        raise HoloflowError(f"{target} cannot be written: {error.strerror}") from None
    typer.echo(f"written: {target}")
    try:
        load(target)
    except AppError as error:
        say(str(error))
        raise typer.Exit(ExitStatus.APP_WRONG) from None
