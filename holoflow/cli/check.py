"""`holoflow check`: find every mistake in an app, without starting anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.cli.errors import ExitStatus
from holoflow.core.errors import AppError
from holoflow.core.text import plural, printable

if TYPE_CHECKING:
    from pathlib import Path

    from holoflow.plan import Plan


def check(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(metavar="FRAGMENT=HOST", help="Put a fragment on a host; repeatable."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """Check an app: every mistake, one line each, as file:line:column."""
    path = apps.find(app)
    settings = parse_settings(setting or [])
    try:
        plan = _plan(path, settings, place or [])
    except AppError as error:
        typer.echo(mistakes_as_json(error) if as_json else printable(str(error)))
        raise typer.Exit(ExitStatus.APP_WRONG) from None
    typer.echo(json.dumps(_verdict(plan)) if as_json else printable(_describe(app, plan)))


def _plan(path: Path, settings: dict[str, str], place: list[str]) -> Plan:
    from holoflow.app import load
    from holoflow.plan import plan
    from holoflow.plan.hosts import put, read_places
    from holoflow.plan.machine import check_placement, read_machine

    planned = plan(put(load(path, settings=settings), read_places(place)))
    # The app may be meant for other machines, so it is not a mistake if this one lacks something.
    lacks = [f"on this machine: {mistake}" for mistake in check_placement(planned, read_machine())]
    return replace(planned, notices=(*planned.notices, *lacks))


def _describe(name: str, plan: Plan) -> str:
    parts = [
        plural(len(plan.app.operators), "operator"),
        plural(len(plan.flows), "flow"),
        plural(len(plan.stages), "stage"),
        plural(len(plan.processes), "process", "es"),
    ]
    used = [f"uses {package}" for package in plan.app.plugins]
    notices = [f"note: {notice}" for notice in plan.notices]
    return "\n".join([f"{name} is valid: {', '.join(parts)}", *used, *notices])


def _verdict(plan: Plan) -> dict[str, Any]:
    return {
        "right": True,
        "app": plan.app.name,
        "operators": len(plan.app.operators),
        "flows": len(plan.flows),
        "stages": len(plan.stages),
        "processes": len(plan.processes),
        "plugins": [
            {"name": package.name, "version": package.version} for package in plan.app.plugins
        ],
        "notices": list(plan.notices),
    }


def mistakes_as_json(error: AppError) -> str:
    """Return what is wrong with an app as one JSON object."""
    mistakes = [
        {
            "file": mistake.location.file,
            "line": mistake.location.line,
            "column": mistake.location.column,
            "wrong": mistake.wrong,
            "right": mistake.right,
        }
        for mistake in error.mistakes
    ]
    return json.dumps({"right": False, "mistakes": mistakes})
