"""`holoflow predict`: what an app would do on several hosts, simulated from a run of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.core.errors import HoloflowError, ParameterError
from holoflow.core.text import brief, choices, suggestion

if TYPE_CHECKING:
    from holoflow.app.graph import App
    from holoflow.predict.build import Setting
    from holoflow.predict.costs import Costs
    from holoflow.predict.profile import Profile

BIT_UNITS = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
MOST_HOSTS = 64


def predict(
    app: Annotated[
        str | None, typer.Argument(help="YAML file, folder with an app.yaml, or name.")
    ] = None,
    profile: Annotated[
        list[Path] | None,
        typer.Option(
            "--profile", metavar="RUN",
            help="Folder of a run of the app, or its report.json; one for each host it ran on.",
        ),
    ] = None,
    hosts: Annotated[
        int, typer.Option("--hosts", min=1, max=MOST_HOSTS, help="Hosts that there may be.")
    ] = 1,
    place: Annotated[
        list[str] | None,
        typer.Option("--place", metavar="FRAGMENT=HOST", help="Keep a fragment there; repeatable."),
    ] = None,
    cores: Annotated[
        float | None,
        typer.Option("--cores", help="Cores of each host; by default those of the run."),
    ] = None,
    shared_cores: Annotated[
        bool, typer.Option("--shared-cores", help="The hosts share the cores of one machine.")
    ] = False,
    bandwidth: Annotated[
        str, typer.Option("--bandwidth", help="Of each host's network, each way.")
    ] = "1Gbit",
    delay: Annotated[str, typer.Option("--delay", help="From host to host, one way.")] = "0.2ms",
    link: Annotated[
        Literal["auto", "zeromq"],
        typer.Option("--link", help="zeromq: as if every flow said so; auto: what the app says."),
    ] = "auto",
    encrypt: Annotated[
        bool | None,
        typer.Option(
            "--encrypt/--no-encrypt", help="Flows between hosts; by default what the app says."
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="SOURCE=30hz", help="What a source gives; repeatable."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure what links cost on this machine; two minutes."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:  # fmt: skip
    """Predict rates and latencies of an app whose fragments are spread over several hosts."""
    from holoflow.predict.calibration import known_costs

    if calibrate:
        _calibrate(quiet=as_json)
        if app is None:
            return
    if app is None or not profile:
        raise HoloflowError(
            "give an app and a run of it, which `holoflow run` leaves: "
            "holoflow predict APP --hosts 2 --profile runs/RUN"
        )
    from holoflow.app import load

    costs = known_costs()
    loaded = _linked(load(apps.find(app), settings=parse_settings(setting or [])), link)
    measured = _read(profile, loaded)
    most = max(f.machine.cores for f in measured.snapshot.fragments)
    if cores is not None and not 0 < cores < float("inf"):
        raise HoloflowError(f"--cores: a host has more cores than {brief(cores)}", "write 4 or so")
    asked = replace(
        _setting(float(most) if cores is None else cores, bandwidth, delay, rate or []),
        shared=shared_cores,
        encrypt=encrypt,
    )
    pinned = _pinned(loaded, hosts, place or [])
    _show(loaded, hosts, measured, costs, asked, pinned, as_json=as_json)


def _calibrate(*, quiet: bool) -> None:
    from holoflow.predict.calibration import calibrate, costs_file

    calibrate(lambda words: typer.echo(f"measuring: {words}", err=True))
    if not quiet:
        typer.echo(f"what links cost on this machine is kept in {costs_file()}")


def _linked(app: App, link: str) -> App:
    if link == "auto":
        return app
    return replace(app, flows=tuple(replace(flow, link=link) for flow in app.flows))


def _read(runs: list[Path], app: App) -> Profile:
    from holoflow.predict.profile import joined, read_profile
    from holoflow.report.run_report import read_report

    snapshots = [read_report(run).snapshot for run in runs]
    names = {snapshot.app for snapshot in snapshots}
    if len(names) > 1:
        raise HoloflowError(f"--profile: these are runs of several apps: {', '.join(names)}")
    return read_profile(joined(snapshots), app)


def _setting(cores: float, bandwidth: str, delay: str, rates: list[str]) -> Setting:
    from holoflow.core.quantity import DURATION_UNITS, FREQUENCY_UNITS
    from holoflow.predict.build import Setting

    return Setting(
        cores=cores,
        bandwidth=_quantity(bandwidth, BIT_UNITS, "1Gbit", "--bandwidth", above=0),
        delay=_quantity(delay, DURATION_UNITS, "0.2ms", "--delay"),
        rates={
            name: _quantity(text, FREQUENCY_UNITS, "30hz", "--rate", above=0)
            for name, text in parse_settings(rates, "--rate", "camera=30hz").items()
        },
    )


def _quantity(
    text: str, units: dict[str, float], example: str, option: str, above: float = -1.0
) -> float:
    from holoflow.core.quantity import parse_quantity

    try:
        value = parse_quantity(text, units, example, bare=False)
    except ParameterError as error:
        raise HoloflowError(f"{option}: {error.wrong}", error.right) from None
    if value <= above:
        raise HoloflowError(f"{option}: {text!r} is too little", f"write {example} or so")
    return value


def _pinned(app: App, hosts: int, places: list[str]) -> dict[str, str]:
    pinned = parse_settings(places, "--place", "detect=server")
    for name in pinned:
        if name not in app.fragments:
            right = suggestion(name, app.fragments, f"the app has {choices(app.fragments)}")
            raise HoloflowError(f"--place: unknown fragment {name!r}", right)
    if len(set(pinned.values())) > hosts:
        raise HoloflowError(
            f"--place names {len(set(pinned.values()))} hosts; --hosts says that there are {hosts}"
        )
    return pinned


def _show(
    app: App, hosts: int, profile: Profile, costs: Costs, setting: Setting,
    pinned: dict[str, str], *, as_json: bool,
) -> None:  # fmt: skip
    from holoflow.cli import prediction_text
    from holoflow.cli.tables import print_parts
    from holoflow.predict.prediction import predictions

    found = predictions(app, hosts, profile, costs, setting, pinned)
    if as_json:
        document = prediction_text.as_plain(app, found, profile, costs, setting)
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        print_parts(lambda width: prediction_text.parts(app, found, profile, costs, setting, width))
