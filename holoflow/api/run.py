"""`run` and `run_async`: an app is checked, planned and run, and leaves its report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict, Unpack

from holoflow.api.ended_run import EndedRun
from holoflow.api.handle import RunHandle
from holoflow.app import catalogue
from holoflow.app.assets import fetch_all
from holoflow.app.builder import AppBuilder
from holoflow.app.graph import App
from holoflow.cli.output_folder import output_folder
from holoflow.core.errors import HoloflowError
from holoflow.engine.control import EngineName, RunOptions
from holoflow.engine.execute import choose_engine
from holoflow.launch.configuration import LaunchConfiguration
from holoflow.link.opening import check_keys
from holoflow.plan.machine import require_placement


class RunArguments(TypedDict, total=False):
    """How to run an app; what is left out, or None, is as for `holoflow run`."""

    frames: Annotated[int, Field(ge=1)] | None
    """Number of frames after which every source ends."""
    seconds: Annotated[float, Field(gt=0)] | None
    """Seconds after which every source ends."""
    engine: EngineName | None
    """`holoscan`, `threads` or `inline`; by default `holoscan` if it is installed."""
    output: Path | str | None
    """Folder for the report and what operators write; by default a new one in `runs`."""
    apart: bool
    """Whether each fragment has a process of its own."""
    lossless: bool
    """Whether every flow waits instead of dropping."""
    guarded: bool
    """Whether operators that change their inputs fail."""
    web: bool
    """Whether operators may serve pages: not by default, unlike `holoflow run`."""
    trace: Annotated[int, Field(ge=1)] | None
    """Number of newest frames whose calls are recorded."""


def run_async(app: App | AppBuilder, **arguments: Unpack[RunArguments]) -> RunHandle:
    """Start a run of `app` in threads of its own; return a handle to look at it and to stop it.

    No signal handler is set, and no event loop is needed or touched.

    Args:
        app: What `holoflow.load` returns, or a `holoflow.App`.
        arguments: `frames` or `seconds` after which sources end; `engine`; the `output` folder;
            `apart=True` for a process for each fragment; `lossless`; `guarded`; `web=True` for
            operators that serve pages; `trace`, the number of frames whose calls are recorded.

    Raises:
        AppError: The app is wrong.
        HoloflowError: It cannot be run here as asked for.
    """
    _check(arguments)
    checked = app.check() if isinstance(app, AppBuilder) else app
    if checked.path is None:
        raise HoloflowError("this app has no path", "make it with holoflow.load or holoflow.App")
    configuration = LaunchConfiguration(
        checked.path,
        settings=checked.settings,
        lossless=arguments.get("lossless", False),
        text=checked.text,
    )
    plan = configuration.plan_of(checked)
    apart = arguments.get("apart", False) and len(plan.processes) > 1
    require_placement(plan)
    if apart:
        check_keys(plan)
        for node in checked.operators.values():
            catalogue.reference(node.cls)  # raises if another process could not import it
    fetch_all(checked, progress=False)
    with ExitStack() as stack:
        chosen = arguments.get("output")
        folder = stack.enter_context(
            output_folder(None if chosen is None else Path(chosen), checked.name)
        )
        options = RunOptions(
            engine=arguments.get("engine"),
            output=folder,
            frames=arguments.get("frames"),
            seconds=arguments.get("seconds"),
            lossless=configuration.lossless,
            guarded=arguments.get("guarded", False),
            web=arguments.get("web", False),
            trace=arguments.get("trace"),
        )
        if not apart:
            choose_engine(options, plan)
        return RunHandle(plan, options, configuration if apart else None, stack.pop_all())


def _check(arguments: RunArguments) -> None:
    """Raise an error if an argument is unknown or has a value that it cannot have."""
    unknown = sorted(set(arguments) - set(RunArguments.__annotations__))
    if unknown:
        raise TypeError(f"run() has no argument {unknown[0]!r}")
    try:
        TypeAdapter(RunArguments).validate_python(arguments, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = first["loc"][0]
        wrong = f"run(): {name} cannot be {arguments[name]!r}"  # type: ignore[literal-required]
        right = first["msg"].replace("Input should", "it should")
        raise HoloflowError(wrong, right) from None


def run(app: App | AppBuilder, **arguments: Unpack[RunArguments]) -> EndedRun:
    """Run `app` to its end, and return how it ended.

    Ctrl-C, or a notebook's stop button, drains the run, which is then `interrupted`; a second one
    stops it at once, and a third one is raised.

    Args:
        app: What `holoflow.load` returns, or a `holoflow.App`.
        arguments: Those of `run_async`.

    Raises:
        AppError: The app is wrong.
        HoloflowError: It cannot be run here as asked for.
    """
    handle = run_async(app, **arguments)
    for now in (False, True):
        try:
            return handle.result()
        except KeyboardInterrupt:
            handle.stop(now=now)
    return handle.result()
