"""`holoflow run`: read an app, plan it, run it, and show what it does."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from holoflow.cli import apps, terminal
from holoflow.cli.arguments import parse_duration, parse_metrics, parse_settings, parse_trace
from holoflow.cli.output_folder import output_folder


def run(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="End every source after this many frames.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="End every source after 10s, 5min, …"),
    ] = None,
    engine: Annotated[
        Literal["holoscan", "threads", "inline"] | None,
        typer.Option(help="What runs the app; default: holoscan if installed, else threads."),
    ] = None,
    scheduler: Annotated[
        Literal["greedy", "event", "multithread"] | None,
        typer.Option(help="Holoscan's scheduler, instead of the app's."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads of the scheduler, instead of the app's.")
    ] = None,
    fuse: Annotated[
        Literal["auto", "off"], typer.Option(help="Whether operators may share a stage.")
    ] = "auto",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let nobody change parameters while it runs.")
    ] = False,
    guard: Annotated[
        bool, typer.Option("--guard", help="Fail operators that change their inputs.")
    ] = False,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Make every flow wait instead of dropping.")
    ] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Serve no pages.")] = False,
    in_browser: Annotated[
        bool, typer.Option("--open", help="Open the live page in the browser.")
    ] = False,
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            help="Keep the live page after the end, until Ctrl-C; default: on a terminal.",
        ),
    ] = None,
    tracking: Annotated[
        Literal["on", "off"], typer.Option(help="Whether every frame is timed.")
    ] = "on",
    trace: Annotated[
        str | None,
        typer.Option(metavar="frames=N", help="Record all calls for the newest N frames."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="[ADDRESS:]PORT", help="Serve metrics for Prometheus."),
    ] = None,
    fragment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run only this fragment here; repeatable."),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ADDRESS", help="Address of a host of the app; repeatable."),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(metavar="FRAGMENT=HOST", help="Put a fragment on a host; repeatable."),
    ] = None,
    placed: Annotated[
        bool, typer.Option("--placed", help="GPUs and cores are assigned from outside.")
    ] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Run all fragments in this one process.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Output folder; default: runs/APP-DATE-TIME."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(help="Lowest level of log records that is shown."),
    ] = "info",
) -> None:
    """Run an app, by path or by the name of one that ships with holoflow."""
    from holoflow.app.assets import fetch_all
    from holoflow.cli.running import run_plan
    from holoflow.deploy import keyfile
    from holoflow.engine.control import RunOptions
    from holoflow.launch.configuration import LaunchConfiguration
    from holoflow.link.opening import check_keys
    from holoflow.plan.hosts import read_hosts, read_places
    from holoflow.plan.machine import require_placement

    frames_traced = None if trace is None else parse_trace(trace)
    if frames_traced is not None and tracking == "off":
        raise typer.BadParameter(
            "without tracking there is nothing to record", param_hint="--trace"
        )
    address = None if metrics is None else parse_metrics(metrics)
    seconds = None if duration is None else parse_duration(duration, "--for")
    if together and fragment:
        raise typer.BadParameter(
            "--fragment runs fragments in processes of their own", param_hint="--together"
        )
    configuration = LaunchConfiguration(
        apps.find(app),
        settings=parse_settings(setting or []),
        scheduler=scheduler,
        workers=workers,
        fuse=fuse == "auto",
        lossless=lossless,
        only=tuple(fragment or ()),
        places=read_places(place or []),
        placed=placed,
    )
    planned = configuration.plan()
    hosts = read_hosts(planned.app, host or [])
    require_placement(planned)
    apart = fragment or (len(planned.processes) > 1 and not together)
    with ExitStack() as stack:
        stack.enter_context(keyfile.unpacked())
        if apart:
            check_keys(planned)
        fetch_all(planned.app)
        options = RunOptions(
            engine=engine,
            output=stack.enter_context(output_folder(output, planned.app.name)),
            frames=frames,
            seconds=seconds,
            lossless=lossless,
            guarded=guard,
            read_only=read_only,
            web=not no_web,
            tracked=tracking == "on",
            trace=frames_traced,
        )
        watched = terminal.is_live() and not as_json
        status = run_plan(
            planned, options, as_json=as_json, log_level=log_level, metrics=address,
            configuration=configuration if apart else None, hosts=hosts,
            in_browser=in_browser, stays=watched if stay is None else stay,
        )  # fmt: skip
    raise typer.Exit(status)
