"""`holoflow deploy`: files with which Compose, Kubernetes or systemd run an app's fragments.

Options of `holoflow run` that are passed on are checked as `holoflow run` would check them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_duration, parse_settings, parse_trace
from holoflow.cli.errors import say
from holoflow.cli.run import run
from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable

if TYPE_CHECKING:
    from holoflow.app.graph import App
    from holoflow.deploy.keyfile import Secrets
    from holoflow.deploy.output import File
    from holoflow.deploy.services import Deployment, Mount, RunCommand

_OPTION_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def parse_passed_on(arguments: Sequence[str], own: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters, by name, of `holoflow run APP ARGUMENTS`.

    Args:
        arguments: Options of `holoflow run`.
        own: Parameters that the calling command sets itself, each with what to do instead.

    Raises:
        HoloflowError: An option is invalid, or one of `own`.
        typer.BadParameter: The value of an option is invalid.
    """
    command = typer.Typer(add_completion=False)
    command.command()(run)
    options = typer.main.get_command(command)
    try:
        context = options.make_context("run", ["APP", *arguments])
    except _OPTION_ERROR as error:
        raise HoloflowError(f"after --: {error.format_message()}") from None  # type: ignore[attr-defined]
    found: dict[str, Any] = context.params
    for name, instead in own.items():
        if found[name]:
            option = next(p.opts[0] for p in options.params if p.name == name)
            raise HoloflowError(f"after --: {option}: {instead}")
    if found["duration"] is not None:
        parse_duration(found["duration"], "--for")
    if found["trace"] is not None:
        parse_trace(found["trace"])
    return found


commands = typer.Typer(
    no_args_is_help=True,
    help="Write files that run an app's fragments in containers, or as systemd units.",
)

_App = Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")]
_Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- OPTIONS", help="Options of `holoflow run` for all services."),
]
_Image = Annotated[
    str, typer.Option(metavar="NAME:TAG", help="The image that `holoflow package` made.")
]
_Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
]
_Metrics = Annotated[
    bool, typer.Option("--metrics", help="Have all services serve metrics for Prometheus.")
]
_Input = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="PATH", exists=True, help="File or folder that the app sees as /input."
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Write to a folder, with keys; else print."),
]

_SERVICES_OWN = "every service has its own; remove it"
_OWN = {
    **dict.fromkeys(("fragment", "host", "place", "placed", "output"), _SERVICES_OWN),
    "together": "fragments are deployed separately; put them on one host in the app",
    "setting": "write it before --",
    "metrics": "write it before --, without a port",
}


@commands.command()
def compose(
    app: _App,
    image: _Image,
    arguments: _Arguments = None,
    setting: _Settings = None,
    source: _Input = None,
    output: _Output = None,
    *,
    metrics: _Metrics = False,
) -> None:
    """Write a Compose file with a container for each fragment, or host of the app."""
    from holoflow.deploy.compose import compose
    from holoflow.deploy.split import in_containers

    mount = _mount(source)
    deployment = in_containers(*_read(app, setting, mount, arguments, metrics=metrics))
    text = compose(deployment, _checked_image(image), mount)

    _finish(deployment, {"compose.yaml": text}, _beside, output)


@commands.command()
def kubernetes(
    app: _App,
    image: _Image,
    arguments: _Arguments = None,
    setting: _Settings = None,
    source: _Input = None,
    output: _Output = None,
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE=NODE", help="Run a service on a node; repeatable."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Keep what a Pod writes in a claim, such as 10GiB."),
    ] = None,
    *,
    metrics: _Metrics = False,
) -> None:
    """Write Kubernetes manifests with a Pod for each fragment, or host of the app."""
    from holoflow.deploy.kubernetes import kubernetes, surprises
    from holoflow.deploy.split import in_containers

    mount = _mount(source)
    deployment = in_containers(*_read(app, setting, mount, arguments, metrics=metrics))
    text = kubernetes(
        deployment,
        _checked_image(image),
        mount,
        nodes=_nodes(node or [], deployment),
        storage=None if storage is None else _size(storage),
    )

    for surprise in surprises(deployment):
        say(f"note: {surprise}")
    _finish(deployment, {"app.yaml": text}, _in_secrets, output)


@commands.command()
def systemd(
    app: _App,
    arguments: _Arguments = None,
    setting: _Settings = None,
    source: _Input = None,
    output: _Output = None,
    *,
    metrics: _Metrics = False,
) -> None:
    """Write systemd units, one for each host of the app, for use without containers."""
    from holoflow.deploy.split import on_machines
    from holoflow.deploy.systemd import systemd

    mount = _mount(source)
    deployment = on_machines(
        *_read(app, setting, mount, arguments, metrics=metrics, contained=False)
    )
    command = [os.path.abspath(sys.executable), "-m", "holoflow", "run"]
    units = systemd(deployment, command, apps.find(app).absolute(), mount.path if mount else None)

    _finish(deployment, units, _beside, output)


def _read(
    app: str,
    setting: Sequence[str] | None,
    mount: Mount | None,
    arguments: Sequence[str] | None,
    *,
    metrics: bool,
    contained: bool = True,
) -> tuple[App, RunCommand]:
    """Return the app as services will read it, and how they will run it."""
    from holoflow.app import load
    from holoflow.deploy.services import RunCommand

    passed = parse_passed_on(arguments or (), _OWN)
    settings = parse_settings(setting or [])
    here = {key: mount.outside(value) if mount else value for key, value in settings.items()}
    # Services do not have the environment of this shell.
    read = load(apps.find(app), settings=here, environment={})
    run = RunCommand(
        settings=settings if contained else here,
        arguments=tuple(arguments or ()),
        metrics=metrics,
        web=not passed["no_web"],
        ends=passed["frames"] is not None or passed["duration"] is not None,
        lossless=passed["lossless"],
        fuse=passed["fuse"] == "auto",
    )
    return read, run


def _mount(source: Path | None) -> Mount | None:
    from holoflow.deploy.services import INPUT, Mount

    if source is None:
        return None
    path = source.absolute()
    return Mount(path, INPUT if path.is_dir() else f"{INPUT}/{path.name}")


def _beside(deployment: Deployment, folder: Path) -> tuple[Secrets, list[File]]:
    """Return the keys of `deployment`, and files with those of each service."""
    from holoflow.deploy.keyfile import key_file, key_files, secrets
    from holoflow.deploy.output import ignoring, read

    there = {s.name: read(folder / key_file(s.name)) for s in deployment.services}
    made = secrets(deployment.services, {k: text for k, text in there.items() if text is not None})
    ignored = [ignoring(folder, "keys/")] if made.files else []
    return made, [*key_files(made.files), *ignored]


def _in_secrets(deployment: Deployment, folder: Path) -> tuple[Secrets, list[File]]:
    """Return the keys of `deployment`, and a file with the Secrets of Kubernetes."""
    from holoflow.deploy import kubernetes
    from holoflow.deploy.keyfile import secrets
    from holoflow.deploy.output import File, ignoring, read

    path = folder / "secrets.yaml"
    there = read(path)
    before = {} if there is None else kubernetes.read_secrets(there, path)
    made = secrets(deployment.services, before)
    if not made.files:
        return made, []
    text = kubernetes.secrets(deployment, made.files)
    return made, [File(path.name, text, mode=0o600), ignoring(folder, path.name)]


def _finish(
    deployment: Deployment,
    texts: Mapping[str, str],
    keys: Callable[[Deployment, Path], tuple[Secrets, list[File]]],
    output: Path | None,
) -> None:
    """Write `texts`, by file name, and keys to the folder `output`; without it, print the texts."""
    from holoflow.deploy.output import File, write

    for notice in deployment.notices:
        say(f"note: {notice}")
    if output is None:
        for name, text in texts.items():
            if len(texts) > 1:
                typer.echo(f"# ---- {name}")
            typer.echo(text, nl=False)
        needing = [service.name for service in deployment.services if service.encrypted]
        if needing:
            say(f"note: {', '.join(needing)} need keys; -o DIR writes them beside the manifest")
        return
    made, files = keys(deployment, output)
    files = [*(File(name, text) for name, text in texts.items()), *files]
    write(output, files)
    for file in files:
        typer.echo(printable(f"wrote {output / file.name}"))
    for what, names in (("made new keys for", made.made), ("kept the keys of", made.kept)):
        if names:
            typer.echo(printable(f"{what} {', '.join(names)}"))


def _checked_image(image: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.:/@-]*", image, re.ASCII):
        raise typer.BadParameter(
            f"{image!r} is not the name of an image; write NAME:TAG, like localhost/faces:1",
            param_hint="--image",
        )
    return image


def _nodes(given: Sequence[str], deployment: Deployment) -> dict[str, str]:
    names = [service.name for service in deployment.services]
    found = {}
    for text in given:
        service, _, node = text.partition("=")
        if service not in names or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", node):
            raise typer.BadParameter(
                f"{text!r}; write SERVICE=NODE with a service of {', '.join(names)}",
                param_hint="--node",
            )
        found[service] = node
    return found


def _size(text: str) -> int:
    from holoflow.core.quantity import SIZE_UNITS, parse_quantity

    try:
        size = parse_quantity(text, dict(SIZE_UNITS), "10GiB", bare=False)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--storage") from None
    if size < 1:
        raise typer.BadParameter(f"{text!r} must be more than 0", param_hint="--storage")
    return int(size)
