"""Checks of an operator's inputs taken together, once all is connected."""

from __future__ import annotations

from typing import Literal

from holoflow.app.document import Value
from holoflow.app.drafts import Draft, Group
from holoflow.app.format import SyncPiece
from holoflow.app.graph import Sync
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.errors import Location
from holoflow.ports import base, type_name

RIGHT = "write sync: arrival or sync: {leader: INPUT, tolerance: 20ms}"

Exports = dict[tuple[Draft, str], tuple[Group, str]]
"""Input ports that reusable fragments export: the outermost fragment, and its name there."""


def exports(groups: list[Group]) -> Exports:
    """Return which input ports the fragments export; `groups` begins with the outer ones."""
    found: Exports = {}
    for group in groups:
        for name, ports in (group.inputs or {}).items():
            for draft, port in ports:
                if port is not None:
                    found.setdefault((draft, port), (group, name))
    return found


def check_inputs(draft: Draft, exported: Exports, report: Report) -> None:
    """Report required inputs that are not connected, and operators that nothing would trigger."""
    ports = draft.ports
    if ports is None or ports.source:
        return
    connected = {base(name) for name in draft.connected}
    missing = [p for p in ports.inputs.values() if p.required and p.name not in connected]
    if draft.unclear and len(missing) <= len(_unknown(draft)) + _hidden(draft):
        return
    for name in _unknown(draft):
        # A misspelled input is one mistake, not an unknown one and a missing one.
        near = report.nearest(name, [port.name for port in missing])
        missing = [port for port in missing if port.name != near]
    for port in missing:
        takes = f"takes {type_name(port.type)}"
        if (draft, port.name) in exported:
            group, name = exported[draft, port.name]
            wrong = f"input {short(name)} of {short(group.local)} is not connected"
            report.add(group.at, wrong, f"write inputs: {{{name}: OPERATOR}}; it {takes}")
        else:
            wrong = f"input {short(port.name)} of {short(draft.local)} is not connected"
            report.add(draft.at, wrong, f"write inputs: {{{port.name}: OPERATOR}}; it {takes}")
    # Holoscan's own operators may have conditions that let them run without any message.
    if not (missing or draft.unclear or draft.is_native or triggering(draft)):
        optional = ", ".join(name for name, port in ports.inputs.items() if not port.latest)
        wrong = f"no input of {short(draft.local)} triggers it, so it would never run"
        report.add(draft.at, wrong, f"connect one of: {optional}" if optional else "")


def _unknown(draft: Draft) -> list[str]:
    """Return names of inputs that the operator does not have."""
    inputs = draft.value.get("inputs")
    known = draft.ports.inputs if draft.ports else {}
    return [name for name in inputs.mapping if name not in known] if inputs else []


def _hidden(draft: Draft) -> int:
    """Return how many connections a mistake elsewhere may hide: any number, inside a fragment."""
    inputs = draft.value.get("inputs")
    no_mapping = inputs is not None and not isinstance(inputs.data, (dict, type(None)))
    return 1_000_000 if no_mapping or draft.scope.group is not None else 0


def triggering(draft: Draft) -> dict[str, Location]:
    """Return the connected inputs whose messages trigger the operator, and where they stand."""
    return {
        name: at
        for name, at in draft.connected.items()
        if draft.ports is None or not draft.ports.input(name).latest
    }


def read_sync(draft: Draft, value: Value, report: Report) -> Sync | Literal["arrival"] | None:
    """Return the checked `sync:` of an operator."""
    words = Words("key", f" of the sync of {short(draft.local)}", draft.value.keys["sync"])
    piece = None
    if isinstance(value.data, str) and value.data != "arrival":
        report.add(value.at, f"sync cannot be {short(value.data)}", RIGHT)
    elif value.data != "arrival":
        piece = check(SyncPiece, value, report, words)
    triggers = triggering(draft)
    if draft.ports is not None and not draft.unclear and len(triggers) < 2:
        at = draft.value.keys["sync"]
        wrong = f"sync on {short(draft.local)}, which has {len(triggers) or 'no'} triggering input"
        report.add(at, wrong, "sync joins two inputs or more; remove it")
        return None
    if draft.ports is not None and draft.ports.trigger == "any":
        at = draft.value.keys["sync"]
        wrong = f"sync on {short(draft.local)}, which is called for each message of any input"
        report.add(at, wrong, "it joins nothing; remove sync")
        return None
    if value.data == "arrival":
        return "arrival"
    leader = value.get("leader")
    name = leader.data if leader else None
    if leader and isinstance(name, str) and draft.ports is not None and name not in triggers:
        if name in draft.connected:
            wrong = f"the leader {short(name)} is a latest input, which triggers nothing"
            report.add(leader.at, wrong, report.suggestion(name, triggers))
        elif not draft.unclear or name not in draft.ports.inputs:
            wrong = f"the leader {short(name)} is no connected input"
            report.add(leader.at, wrong, report.suggestion(name, triggers))
    return Sync(piece.leader, piece.tolerance, piece.timeout) if piece else None
