"""`holoflow plan`: how an app is run: processes, stages, flows, queues and links."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from holoflow.cli import apps
from holoflow.cli.arguments import parse_settings
from holoflow.core import text
from holoflow.core.errors import HoloflowError
from holoflow.core.text import NOT_MEASURED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from holoflow.plan import Plan, PlannedFlow, PlannedProcess, PlannedStage

_PREDICTING = frozenset(
    {"--profile", "--hosts", "--calibrate", "--cores", "--shared-cores", "--bandwidth", "--delay"}
    | {"--link", "--encrypt", "--no-encrypt", "--rate"}
)
"""Options of `holoflow predict`, which once was called `holoflow plan`."""
_STAGES = ((0, "stage"), (80, "types"), (0, "begins here because"))
_FLOWS = (
    (0, "flow"), (0, "queue"), (60, "when full"), (0, "link"), (80, "encoding"),
    (100, "not fused because"),
)  # fmt: skip


class PlanCommand(TyperCommand):
    """Says what to type where options are given that have another command now."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse `args`; raises HoloflowError for options of `holoflow predict`."""
        moved = [word for word in args if word.partition("=")[0] in _PREDICTING]
        if moved:
            raise HoloflowError(
                f"holoflow plan prints how an app is run and has no {moved[0].partition('=')[0]}",
                f"predictions are made by: holoflow predict {shlex.join(args)}",
            )
        return super().parse_args(ctx, args)


def plan(
    app: Annotated[str, typer.Argument(help="YAML file, folder with an app.yaml, or name.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a variable of the app; repeatable."),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(metavar="FRAGMENT=HOST", help="Put a fragment on a host; repeatable."),
    ] = None,
    fuse: Annotated[
        Literal["auto", "off"], typer.Option(help="Whether operators may share a stage.")
    ] = "auto",
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Make every flow wait instead of dropping.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print how an app is run: processes, stages, queues and links."""
    from holoflow.app import load
    from holoflow.cli.tables import print_parts
    from holoflow.plan import plan as make_plan
    from holoflow.plan.hosts import put, read_places

    loaded = load(apps.find(app), settings=parse_settings(setting or []))
    if fuse == "off":
        loaded = replace(loaded, fuse=False)
    planned = make_plan(put(loaded, read_places(place or [])), lossless=lossless)
    if as_json:
        typer.echo(json.dumps(as_plain(planned), indent=1))
    else:
        print_parts(lambda width: parts(planned, width))


def parts(planned: Plan, width: int) -> Iterator[RenderableType]:
    """Yield all of it, top to bottom, for a terminal of `width`."""
    from rich.text import Text

    from holoflow.cli import sections
    from holoflow.cli.tables import table
    from holoflow.plan.draw.facts import plan_facts

    reasons = apart(planned)
    yield sections.said(f"{planned.app.name}: {plan_facts(planned)}", "bold")
    for process in planned.processes:
        yield Text("")
        yield sections.heading(_process(planned, process))
        rows = [
            {
                "stage": stage.name,
                "types": ", ".join(planned.app.operators[n].type_name for n in stage.operators),
                "begins here because": "; ".join(_beginning(planned, stage, reasons)),
            }
            for stage in process.stages
        ]
        yield table(_STAGES, rows, width)
    if planned.flows:
        yield Text("")
        yield sections.heading("flows")
        yield table(_FLOWS, [_flow(flow, reasons[flow]) for flow in planned.flows], width)
    if planned.notices:
        yield Text("")
        yield from (sections.said(f"note: {notice}") for notice in planned.notices)


def as_plain(planned: Plan) -> dict[str, Any]:
    """Return what `holoflow graph --format json` says, with engines and why flows are not fused."""
    from holoflow.plan.draw import describe

    described = describe(planned)
    for flow, reason in zip(described["flows"], apart(planned).values(), strict=True):
        flow["not_fused_because"] = reason or None
    for process, planned_process in zip(described["processes"], planned.processes, strict=True):
        process["engine"] = engine(planned, planned_process)
        process["scheduler"]["workers_asked"] = planned_process.scheduler.workers
    return described


def apart(planned: Plan) -> dict[PlannedFlow, str]:
    """Return why each flow is not fused; empty where it is."""
    from holoflow.plan.plan import unfused

    return {
        flow: "" if flow.fused else reason or f"the flow from {flow.source} closes a ring"
        for flow, reason in zip(planned.flows, unfused(planned.app), strict=True)
    }


def engine(planned: Plan, process: PlannedProcess) -> str | None:
    """Return the engine that runs `process` by default; None where its own host decides."""
    from holoflow.engine.execute import needs_holoscan
    from holoflow.holoscan import runtime
    from holoflow.plan.plan import part

    if needs_holoscan(part(planned, process.fragment)):
        return "holoscan"
    if process.placement.host is not None:
        return None
    return "holoscan" if runtime.available() else "threads"


def _process(planned: Plan, process: PlannedProcess) -> str:
    placement, scheduler = process.placement, process.scheduler
    words = [
        f"{'fragment' if planned.app.fragments else 'one process'} {process.fragment}: "
        f"host {placement.host or 'where it is started'}",
        f"engine {engine(planned, process) or NOT_MEASURED}",
        f"{scheduler.kind} scheduler",
        f"{process.workers} of {text.plural(scheduler.workers, 'worker')} run",
    ]
    if placement.gpu is not None:
        words.append(f"gpu {placement.gpu}")
    cores = scheduler.cores or placement.cores
    if cores:
        words.append(f"cores {' '.join(map(str, cores))}")
    if placement.memory is not None:
        words.append(f"memory {text.size(placement.memory)}")
    words.append(f"restart {placement.restart}")
    return ", ".join(words)


def _beginning(
    planned: Plan, stage: PlannedStage, reasons: dict[PlannedFlow, str]
) -> dict[str, None]:
    """Return, without repetition, why the first operator of `stage` is called by no other."""
    ways_in = [flow for flow in planned.flows if flow.target.operator == stage.operators[0]]
    found = dict.fromkeys(reasons[flow] for flow in ways_in)
    if planned.app.operators[stage.operators[0]].after:
        found["it is called after others"] = None
    return found or {"it is a source": None}


def _flow(flow: PlannedFlow, reason: str) -> dict[str, str]:
    encoding = NOT_MEASURED
    if flow.link == "zeromq":
        quality = f" {flow.quality}" if flow.compress == "jpeg" else ""
        encoding = f"{flow.compress}{quality}" if flow.compress != "none" else "not compressed"
        encoding += ", encrypted between hosts" if flow.encrypt else ", not encrypted"
    kept = "newest" if flow.latest else str(flow.queue)
    return {
        "flow": f"{flow.source} -> {flow.target}",
        "queue": NOT_MEASURED if flow.fused else kept,
        "when full": NOT_MEASURED if flow.fused else "replaced" if flow.latest else flow.when_full,
        "link": "direct call" if flow.fused else NOT_MEASURED if flow.link == "none" else flow.link,
        "encoding": encoding,
        "not fused because": reason or NOT_MEASURED,
    }
