"""`holoflow set`: change parameters of a running app."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holoflow.cli import apps, extension
from holoflow.cli.errors import ExitStatus, say
from holoflow.core.errors import HoloflowError, joined
from holoflow.core.text import printable

if TYPE_CHECKING:
    from holoflow.app.graph import App
    from holoflow.live.protocol import ChangeRequest


def set_parameters(
    app: Annotated[str, typer.Argument(help="Name of a running app, or its YAML file.")],
    changes: Annotated[
        list[str],
        typer.Argument(metavar="OPERATOR.PARAMETER=VALUE...", help="Values as in an app file."),
    ],
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="FILE", help="Also write a file that extends the app with the values."
        ),
    ] = None,
) -> None:
    """Change live parameters of a running app, between two frames; `ops show` says which are."""
    from holoflow.live.ask import change
    from holoflow.live.protocol import ChangeRequest

    requests = [ChangeRequest(*_parsed(text)) for text in changes]
    path, loaded = _found(app)
    file = None
    if save is not None:
        if path is None or loaded is None:
            raise HoloflowError(f"the file of {app} is not known", "give it instead of its name")
        file = extension.target(path, save, "set", "--save")
        _require_own(loaded, requests)
    name, answers = change(loaded.name if loaded else app, requests)
    failed = False
    for request, answer in zip(requests, answers, strict=True):
        where = f"{name}: {request.operator}.{request.parameter}"
        if answer.wrong:
            failed = True
            say(joined(answer.wrong, answer.right))
        else:
            typer.echo(printable(f"{where} = {json.dumps(request.value)}"))
    if failed:
        raise typer.Exit(ExitStatus.APP_WRONG)
    if file is not None and path is not None:
        when = f"on {datetime.now().astimezone().date()}"
        values = [(("operators", r.operator, "with", r.parameter), r.value) for r in requests]
        extension.write(file, path, "set", when, values)


def _parsed(text: str) -> tuple[str, str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name, equals, given = text.partition("=")
    operator, dot, parameter = name.rpartition(".")
    if not (equals and dot and operator and parameter):
        raise typer.BadParameter(
            f"{text!r} is no change; write operator.parameter=value, such as detect.threshold=0.4"
        )
    try:
        value = YAML(typ="safe", pure=True).load(given)
        json.dumps(value, allow_nan=False)
    except (YAMLError, ValueError, TypeError, RecursionError):
        raise typer.BadParameter(f"{given!r} is no value; write one as in an app file") from None
    return operator, parameter, value


def _found(app: str) -> tuple[Path | None, App | None]:
    """Return the file of `app`, and what it holds; None twice if only its name is known."""
    try:
        path = apps.find(app)
    except apps.UnknownAppError:
        return None, None
    from holoflow.app import load

    return path, load(path)


def _require_own(app: App, requests: list[ChangeRequest]) -> None:
    """Raise HoloflowError for operators that a file that extends the app cannot change."""
    from holoflow.tune.settings import reachable

    for request in requests:
        node = app.operators.get(request.operator)
        if node is not None and not reachable(node):
            raise HoloflowError(
                f"{request.operator} comes from a fragment template, which --save cannot change",
                "write the value where the template is used",
            )
