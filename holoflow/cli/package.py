"""`holoflow package`: make a container image of an app."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.core.errors import HoloflowError
from holoflow.core.text import plural, printable, size

if TYPE_CHECKING:
    from holoflow.deploy.context import Context, Wanted

_TAG = re.compile(r"([\w.-]+(:\d+)?/)*[a-z0-9]+([._-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?", re.ASCII)


def package(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    tag: Annotated[
        str | None,
        typer.Option("--tag", "-t", metavar="NAME:TAG", help="Name of the image."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Base image; python:3.12-slim, or NVIDIA's."),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="3.N", help="Python of the base, if its name does not show it."),
    ] = None,
    gpu: Annotated[
        bool | None,
        typer.Option("--gpu/--no-gpu", help="Whether for GPUs; default: if a fragment has one."),
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="linux/amd64 or linux/arm64; default: this machine's.")
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Push it to its registry.")] = False,
    sbom: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a bill of materials (CycloneDX, JSON)."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Fetch nothing: use what was gathered before.")
    ] = False,
    gather: Annotated[
        bool, typer.Option("--gather", help="Only fetch what the image needs; build nothing.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep the recipe and everything that goes into the image."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the recipe; fetch and build nothing.")
    ] = False,
    tool: Annotated[
        Literal["docker", "podman", "buildah"] | None,
        typer.Option(help="Tool that builds it; default: the first that works."),
    ] = None,
) -> None:
    """Make a container image of an app, with all that it needs and nothing else."""
    from holoflow.deploy.context import Wanted, described
    from holoflow.deploy.recipe import recipe
    from holoflow.deploy.target import BASE, GPU_BASE, target_for
    from holoflow.launch.configuration import LaunchConfiguration

    settings = parse_settings(setting or [])
    plan = LaunchConfiguration(apps.find(app), settings=settings).plan()
    with_gpu = (
        gpu if gpu is not None else any(f.gpu is not None for f in plan.app.fragments.values())
    )
    base = base or (GPU_BASE if with_gpu else BASE)
    wanted = Wanted(plan, settings, base, target_for(base, platform, python), with_gpu, offline)
    if dry_run:
        typer.echo(recipe(described(wanted)), nl=False)
        return
    if gather:
        with tempfile.TemporaryDirectory(prefix="holoflow-package-") as folder:
            _write(wanted, Path(folder), sbom)
        return
    if tag is None:
        raise typer.BadParameter("the image needs a name: NAME:TAG", param_hint="--tag")
    if _TAG.fullmatch(tag) is None:
        raise typer.BadParameter(
            f"{tag!r} is not the name of an image; write lower-case letters, such as faces:1",
            param_hint="--tag",
        )
    _build(wanted, tag, tool, keep, sbom, python)
    if push:
        _push(tag, tool)


def _build(
    wanted: Wanted, tag: str, tool_name: str | None, keep: Path | None, sbom: Path | None,
    python: str | None,
) -> None:  # fmt: skip
    from holoflow.deploy.tool import find_tool

    tool = find_tool(tool_name)
    with ExitStack() as stack:
        if keep is None:
            scratch = tempfile.TemporaryDirectory(prefix="holoflow-package-")
            folder = Path(stack.enter_context(scratch))
        else:
            folder = keep
            _make(folder)
        platform = wanted.target.platform
        if not tool.has(wanted.base):
            if wanted.offline:
                raise HoloflowError(
                    f"the base {wanted.base!r} is not on this machine, and --offline fetches none"
                )
            _report(f"pulling {wanted.base}")
            tool.pull(wanted.base, platform)
        wanted = _for_python(wanted, tool.python(wanted.base), python)
        context = _write(wanted, folder, sbom)
        _report(f"building {tag} with {tool.name}")
        tool.build(context.folder, tag, platform)
    whole, below = tool.size(tag), tool.size(wanted.base)
    _report(f"built {tag}: {size(whole)}, of these {size(below)} the base")


def _for_python(wanted: Wanted, found: str | None, given: str | None) -> Wanted:
    """Return what is wanted, for the Python version of the base if that is known."""
    from holoflow.deploy.target import target_for

    if found is None:
        return wanted
    if given not in (None, found):
        raise HoloflowError(
            f"--python: the base {wanted.base!r} has Python {found}, not {given}", "leave it out"
        )
    return replace(wanted, target=target_for(wanted.base, wanted.target.platform, found))


def _write(wanted: Wanted, folder: Path, sbom: Path | None) -> Context:
    from holoflow.deploy.context import LOCK, write_context
    from holoflow.deploy.lock import write_sbom

    _report(f"gathering what {wanted.plan.app.name} needs on {wanted.target.platform}")
    try:
        context = write_context(wanted, folder)
        if sbom is not None:
            write_sbom(folder / LOCK, sbom)
    except OSError as error:
        raise HoloflowError(
            f"what goes into the image cannot be written to {folder}: {error.strerror}"
        ) from None
    _report(
        f"{plural(context.libraries, 'wheel')} {size(context.wheels)}, assets "
        f"{size(context.assets)}, the app's own files {size(context.app)}"
    )
    return context


def _push(tag: str, tool_name: str | None) -> None:
    from holoflow.deploy.tool import find_tool

    find_tool(tool_name).push(tag)
    _report(f"pushed {tag}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise HoloflowError(f"--keep: {folder} already exists", "name a new folder") from None
    except OSError as error:
        raise HoloflowError(f"--keep: cannot make {folder}: {error.strerror}") from None


def _report(text: str) -> None:
    typer.echo(printable(text))
