"""Checks of an operator's inputs together, once everything is connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from holoflow.app.document import Value
from holoflow.app.format import SyncSchema, WhenFull
from holoflow.app.graph import Flow, Node, Sync
from holoflow.app.mistakes import Report, short
from holoflow.app.origins import Origins
from holoflow.app.unresolved import TemplateUse, UnresolvedOperator
from holoflow.app.validation import Wording, check
from holoflow.core.errors import Location
from holoflow.core.ports import base, type_name
from holoflow.core.quantity import FREQUENCY_UNITS, parse_quantity
from holoflow.core.text import brief

RIGHT = "write sync: arrival or sync: {leader: INPUT, tolerance: 20ms}"

Exports = dict[tuple[UnresolvedOperator, str], tuple[TemplateUse, str]]
"""Input ports that fragment templates export: the outermost use, and the port's name there."""


def exports(groups: list[TemplateUse]) -> Exports:
    """Return the input ports that used templates export; `groups` starts with the outer ones."""
    found: Exports = {}
    for group in groups:
        for name, ports in (group.inputs or {}).items():
            for unresolved, port in ports:
                if port is not None:
                    found.setdefault((unresolved, port), (group, name))
    return found


def check_inputs(unresolved: UnresolvedOperator, exported: Exports, report: Report) -> None:
    """Report required inputs that are not connected, and operators that nothing triggers."""
    ports = unresolved.ports
    if ports is None or ports.source:
        return
    connected = {base(name) for name in unresolved.connected}
    missing = [p for p in ports.inputs.values() if p.required and p.name not in connected]
    if unresolved.unclear and len(missing) <= len(_unknown(unresolved)) + _hidden(unresolved):
        return
    for name in _unknown(unresolved):
        # A misspelled input is one mistake, not an unknown one and a missing one.
        near = report.nearest(name, [port.name for port in missing])
        missing = [port for port in missing if port.name != near]
    for port in missing:
        takes = f"takes {type_name(port.type)}"
        if (unresolved, port.name) in exported:
            group, name = exported[unresolved, port.name]
            wrong = f"input {short(name)} of {short(group.local)} is not connected"
            report.add(group.at, wrong, f"write inputs: {{{name}: OPERATOR}}; it {takes}")
        else:
            wrong = f"input {short(port.name)} of {short(unresolved.local)} is not connected"
            report.add(unresolved.at, wrong, f"write inputs: {{{port.name}: OPERATOR}}; it {takes}")
    # Holoscan operators may have conditions that let them run without a message.
    if not (missing or unresolved.unclear or unresolved.is_holoscan or triggering(unresolved)):
        optional = ", ".join(name for name, port in ports.inputs.items() if not port.latest)
        wrong = f"no input of {short(unresolved.local)} triggers it, so it would never run"
        report.add(unresolved.at, wrong, f"connect one of: {optional}" if optional else "")


def _unknown(unresolved: UnresolvedOperator) -> list[str]:
    """Return names of inputs that the operator does not have."""
    inputs = unresolved.value.get("inputs")
    known = unresolved.ports.inputs if unresolved.ports else {}
    return [name for name in inputs.mapping if name not in known] if inputs else []


def _hidden(unresolved: UnresolvedOperator) -> int:
    """Return how many connections a mistake elsewhere may hide: any number, inside a template."""
    inputs = unresolved.value.get("inputs")
    no_mapping = inputs is not None and not isinstance(inputs.data, (dict, type(None)))
    return 1_000_000 if no_mapping or unresolved.scope.group is not None else 0


def triggering(unresolved: UnresolvedOperator) -> dict[str, Location]:
    """Return the connected inputs whose messages trigger the operator, and their places."""
    return {
        name: at
        for name, at in unresolved.connected.items()
        if unresolved.ports is None or not unresolved.ports.input(name).latest
    }


def read_sync(
    unresolved: UnresolvedOperator, value: Value, report: Report
) -> Sync | Literal["arrival"] | None:
    """Return the checked `sync:` of an operator."""
    words = Wording(
        "key", f" of the sync of {short(unresolved.local)}", unresolved.value.keys["sync"]
    )
    entry = None
    if isinstance(value.data, str) and value.data != "arrival":
        report.add(value.at, f"sync cannot be {short(value.data)}", RIGHT)
    elif value.data != "arrival":
        entry = check(SyncSchema, value, report, words)
    triggers = triggering(unresolved)
    if unresolved.ports is not None and not unresolved.unclear and len(triggers) < 2:
        at = unresolved.value.keys["sync"]
        wrong = (
            f"sync on {short(unresolved.local)}, which has {len(triggers) or 'no'} triggering input"
        )
        report.add(at, wrong, "sync joins two inputs or more; remove it")
        return None
    if unresolved.ports is not None and unresolved.ports.trigger == "any":
        at = unresolved.value.keys["sync"]
        wrong = f"sync on {short(unresolved.local)}, which is called for each message of any input"
        report.add(at, wrong, "it joins nothing; remove sync")
        return None
    if value.data == "arrival":
        return "arrival"
    leader = value.get("leader")
    name = leader.data if leader else None
    if leader and isinstance(name, str) and unresolved.ports is not None and name not in triggers:
        if name in unresolved.connected:
            wrong = f"the leader {short(name)} is a latest input, which triggers nothing"
            report.add(leader.at, wrong, report.suggestion(name, triggers))
        elif not unresolved.unclear or name not in unresolved.ports.inputs:
            wrong = f"the leader {short(name)} is not a connected input"
            report.add(leader.at, wrong, report.suggestion(name, triggers))
    return Sync(entry.leader, entry.tolerance, entry.timeout) if entry else None


def check_steps(
    nodes: Mapping[str, Node], flows: Sequence[Flow], when_full: WhenFull, report: Report
) -> None:
    """Report joins in order of arrival that are known to pair messages of different times.

    `when_full` is what happens at a full queue unless a flow says otherwise.
    """
    origins = Origins(nodes, flows)
    for name, node in nodes.items():
        if origins.pairing(name) != "arrival" or node.sync is not None or node.location is None:
            continue
        triggers = origins.triggers(name)
        paths = [origins.upstream(flow) for flow in triggers]
        reasons = list(_unlike_rates(origins, nodes, triggers))
        # A frame lost before the paths split is missing on all of them.
        apart = paths[0].union(*paths) - paths[0].intersection(*paths)
        lossy = {f for f in apart if f.drops(when_full)}
        reasons += [reason for flow in triggers for reason in _uneven(origins, flow, lossy)]
        if reasons:
            wrong = (
                f"the inputs of {short(name)} come from different sources and would be paired in "
                f"order of arrival, but {reasons[0]}"
            )
            leader = triggers[0].target.port
            right = (
                f"write sync: {{leader: {leader}, tolerance: 20ms}} to pair them by time, or "
                f"sync: arrival to pair them in order of arrival anyway"
            )
            report.add(triggers[1].location or node.location, wrong, right)


def _unlike_rates(
    origins: Origins, nodes: Mapping[str, Node], triggers: Sequence[Flow]
) -> Iterator[str]:
    rates: dict[str, float] = {}
    for flow in triggers:
        origin = origins.origin(flow.source.operator)
        rate = None if origin is None else _rate(nodes[origin])
        if origin is not None and rate is not None:
            rates[origin] = rate
    if len(set(rates.values())) > 1:
        listed = " and ".join(f"{short(name)} {brief(rate)}" for name, rate in rates.items())
        yield f"their rates differ: {listed} a second"


def _rate(node: Node) -> float | None:
    """Return the frames per second declared by a source's parameter `rate`, if it has one."""
    fields = node.cls.parameters().model_fields  # type: ignore[attr-defined]
    if "rate" not in fields:
        return None
    given = node.parameters.get("rate", fields["rate"].default)
    try:
        return parse_quantity(given, FREQUENCY_UNITS, "30hz", bare=True)
    except ValueError:
        return None


def _uneven(origins: Origins, flow: Flow, lossy: set[Flow]) -> Iterator[str]:
    """Yield reasons why a frame of the source may not be exactly one message of `flow`."""
    for step in sorted(origins.upstream(flow), key=str):
        if step in lossy:
            yield f"the flow from {short(str(step.source))} drops messages when it is full"
        name = step.source.operator
        ports, node = origins.ports(name), origins.node(name)
        if ports is None or ports.source:
            continue
        if ports.generator:
            yield f"{short(name)} may send several messages for one"
        elif origins.merges(name):
            yield f"{short(name)} sends what arrives at any of its inputs"
        elif ports.outputs[step.source.port].optional:
            yield f"{short(name)} may send nothing for a frame"
        elif node.on_error == "skip":
            yield f"{short(name)} skips frames that it fails on"
        elif origins.pairing(name) == "time":
            yield f"{short(name)} drops frames without a partner"
