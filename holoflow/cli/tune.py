"""`holoflow tune`: which settings of an app are best on this machine, found by short trials."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holoflow.cli import apps, extension
from holoflow.cli.arguments import parse_duration, parse_settings
from holoflow.cli.errors import ExitStatus, say
from holoflow.core.errors import HoloflowError

if TYPE_CHECKING:
    from holoflow.app.graph import App
    from holoflow.tune.search import Tuning
    from holoflow.tune.settings import Candidate
    from holoflow.tune.trial import Measurement, Trials

USUAL = 4.0
"""Seconds of a trial."""


def tune(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    goal: Annotated[
        Literal["rate", "latency"],
        typer.Option(
            help="rate: most frames per second; latency: shortest p99 at the sources' own pace, "
            "of what is within 10% of the best rate."
        ),
    ] = "rate",
    seconds: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help=f"Length of a trial; default: {USUAL:.0f}s."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of each source in a trial, at most.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write what is best into APP.tuned.yaml, which extends "
                           "the app.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it into this file instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:  # fmt: skip
    """Find out by short trials which scheduler, copies and frames under way are best here."""
    from holoflow.app import load
    from holoflow.app.assets import fetch_all
    from holoflow.tune.search import Tuning
    from holoflow.tune.trial import TrialError, Trials, live

    length = None if seconds is None else parse_duration(seconds, "--seconds")
    settings = parse_settings(setting or [])
    path = apps.find(app)
    target = (
        extension.target(path, output, "tuned", "--output") if write or output is not None else None
    )
    loaded = load(path, settings=settings)
    _require_tunable(loaded)
    fetch_all(loaded)
    trials = Trials(loaded, path, settings, USUAL if length is frames is None else length, frames)
    tuning = Tuning(
        loaded, sorted(os.sched_getaffinity(0)), goal, live(loaded), _Reporting(trials), _begun
    )
    interrupted = False
    try:
        tuning.go()
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted")
    except TrialError as error:
        say(str(error))
        raise typer.Exit(ExitStatus.OPERATOR_FAILED) from None
    _show(tuning, as_json=as_json, interrupted=interrupted)
    if target is not None and tuning.best.values:
        _write(target, path, tuning.best)
    if interrupted:
        raise typer.Exit(ExitStatus.INTERRUPTED)


def _require_tunable(app: App) -> None:
    from holoflow.holoscan import runtime

    if app.fragments:
        raise HoloflowError(
            f"{app.name} has fragments, whose processes share the cores; only apps of one process "
            "can be tuned",
            "tune an app with the operators of one fragment; `holoflow predict` says where "
            "fragments are best placed",
        )
    if not runtime.available():
        raise HoloflowError(
            "tuning chooses among Holoscan's schedulers, and Holoscan 4 is not installed",
            "install holoflow[cu12] or holoflow[cu13]",
        )


def _write(target: Path, app: Path, best: Candidate) -> None:
    when = datetime.now().astimezone().date()
    cores = len(os.sched_getaffinity(0))
    circumstance = f"on a machine with {cores} cores, {when}"
    extension.write(target, app, "tune", circumstance, best.values)


def _begun(what: str) -> None:
    typer.echo(f"{what} … ", nl=False, err=True)


class _Reporting:
    """Runs trials, and says on stderr how each has ended."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    def __call__(self, setting: Candidate, full_speed: bool) -> Measurement:
        from holoflow.core import text
        from holoflow.tune.trial import TrialError

        try:
            measured = self._trials.run(setting, full_speed=full_speed)
        except TrialError:
            typer.echo("failed", err=True)
            raise
        rate, p99 = text.number(measured.rate), text.milliseconds(measured.p99)
        typer.echo(f"{rate} frames/s, p99 {p99} ms", err=True)
        return measured


def _show(tuning: Tuning, *, as_json: bool, interrupted: bool) -> None:
    from holoflow.cli import tuning_text
    from holoflow.cli.tables import print_parts

    if as_json:
        document = tuning_text.as_plain(tuning, interrupted=interrupted)
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        print_parts(lambda width: tuning_text.parts(tuning, width, interrupted=interrupted))
