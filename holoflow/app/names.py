"""What `operator` and `operator.port` mean in an app."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from holoflow.app.drafts import Draft, Port, Scope
from holoflow.app.report import Report, short
from holoflow.errors import Location


def find_output(scope: Scope, text: str, at: Location, report: Report) -> Port | None:
    """Return the output port that `text` means in `scope`; None, and report it, if none."""
    name, dot, port = text.partition(".")
    thing = scope.names.get(name)
    if thing is None:
        report.unknown(at, "operator", name, scope.names)
        return None
    if isinstance(thing, Draft):
        if thing.ports is None:
            return thing, None
        return thing, _choose(
            "output", name, port if dot else None, thing.ports.outputs, at, report
        )
    if thing.outputs is None:
        return None
    chosen = _choose("output", name, port if dot else None, thing.outputs, at, report)
    return thing.outputs[chosen] if chosen is not None else None


def find_inputs(scope: Scope, text: str, at: Location, report: Report) -> list[Port]:
    """Return the input ports that `text` means in `scope`; none, and report it, if it is wrong."""
    name, dot, port = text.partition(".")
    thing = scope.names.get(name)
    if thing is None:
        report.unknown(at, "operator", name, scope.names)
        return []
    if isinstance(thing, Draft):
        if thing.ports is None:
            return [(thing, port if dot else None)]
        if dot and thing.ports.open_inputs is not None and port.isidentifier():
            return [(thing, port)]
        return [
            (thing, _choose("input", name, port if dot else None, thing.ports.inputs, at, report))
        ]
    if thing.inputs is None:
        return []
    chosen = _choose("input", name, port if dot else None, thing.inputs, at, report)
    return thing.inputs[chosen] if chosen is not None else []


def _choose(
    kind: str, name: str, port: str | None, ports: Collection[str], at: Location, report: Report
) -> str | None:
    """Return the one of the `ports` of `name` that is meant: `port`, or the only one."""
    if port in ports:
        return port
    if port is not None:
        owner = f"{kind} {short(port)} of {short(name)}"
        right = f"{short(name)} has no {kind}s" if not ports else report.suggestion(port, ports)
        report.add(at, f"unknown {owner}", right)
    elif len(ports) == 1:
        return next(iter(ports))
    elif ports:
        listed = " or ".join(f"{name}.{port}" for port in islice(ports, 8))
        report.add(at, f"{short(name)} has several {kind}s", f"write {listed}")
    else:
        report.add(at, f"{short(name)} has no {kind}s", "name another operator")
    return None
