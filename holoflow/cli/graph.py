"""`holoflow graph` draws an app; `holoflow schema` prints the JSON Schema of app files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.cli.errors import say
from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable

Format = Literal["text", "mermaid", "svg", "dot", "json"]


def graph(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Default: by the suffix of --output, else text."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to a file.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    fuse: Annotated[
        Literal["auto", "off"], typer.Option(help="off draws every operator on its own.")
    ] = "auto",
) -> None:
    """Draw an app: operators, ports, fragments, fused stages and queues."""
    from holoflow.app import load
    from holoflow.plan import plan

    planned = plan(
        load(apps.find(app), settings=parse_settings(setting or [])), fuse=fuse == "auto"
    )
    text = _draw(planned, form or _by_suffix(output))
    if output is None:
        sys.stdout.write(printable(text))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HoloflowError(f"cannot write the picture: {error}") from None


def _by_suffix(output: Path | None) -> Format:
    suffixes: dict[str, Format] = {
        ".svg": "svg", ".mmd": "mermaid", ".dot": "dot", ".json": "json",
    }  # fmt: skip
    return suffixes.get(output.suffix, "text") if output is not None else "text"


def _draw(plan: object, form: Format) -> str:
    from holoflow.plan import Plan, draw

    assert isinstance(plan, Plan)  # noqa: S101 - for the type checker
    if form == "mermaid":
        return draw.draw_mermaid(plan)
    if form == "svg":
        return draw.draw_svg(plan)
    if form == "dot":
        return draw.draw_dot(plan)
    if form == "json":
        return json.dumps(draw.describe(plan), indent=2) + "\n"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
    return draw.draw_text(plan, width=width) + "\n"


def schema(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to a file.")
    ] = None,
    fragment: Annotated[
        bool, typer.Option("--fragment", help="Print that of fragment templates instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of app files, with the parameters of all operators."""
    from holoflow.app import catalogue, json_schema
    from holoflow.app.templates import templates

    _, problems = catalogue.usable()
    for problem in dict.fromkeys([*problems, *map(str, templates()[1])]):
        say(problem)
    made = json_schema.fragment_schema() if fragment else json_schema.schema()
    text = json.dumps(made, indent=1) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HoloflowError(f"cannot write the schema: {error}") from None
