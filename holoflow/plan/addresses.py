"""Who is on one machine with whom, and where fragments are reached from other machines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from holoflow.app.format import HOST_PATTERN
from holoflow.app.graph import App
from holoflow.app.report import short
from holoflow.errors import HoloflowError
from holoflow.plan.plan import Plan, PlannedFlow
from holoflow.plan.stages import fragment_of

FIRST_PORT = 7420
"""TCP port of the first fragment of an app; that of the second is one more, and so on."""


class Address(NamedTuple):
    """Where a fragment is reached from other machines."""

    host: str
    """Name or address."""
    port: int
    """TCP port."""


def near(app: App, here: Collection[str] | None, one: str, other: str) -> bool:
    """Whether two fragments run on one machine, started together.

    `here` names the fragments that this command starts; of others the hosts in the file decide.
    """
    if here is not None and (one in here or other in here):
        return one in here and other in here
    return one == other or app.fragments[one].host == app.fragments[other].host


def crosses_hosts(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` leads from one machine to another."""
    ends = (fragment_of(plan.app, end.operator) for end in (flow.source, flow.target))
    return not near(plan.app, plan.here, *ends)


def listeners(plan: Plan) -> dict[str, str]:
    """Return the fragments that zeromq flows from other machines come to, each with a sender."""
    found: dict[str, str] = {}
    for flow in plan.flows:
        if flow.link == "zeromq" and crosses_hosts(plan, flow):
            sender = fragment_of(plan.app, flow.source.operator)
            found.setdefault(fragment_of(plan.app, flow.target.operator), sender)
    return found


def read_hosts(app: App, given: Sequence[str]) -> dict[str, str]:
    """Return the addresses of hosts as `--host NAME=ADDRESS` gives them; a later one wins.

    Raises `HoloflowError` for a name that no fragment has, and for what is no address.
    """
    known = sorted({f.host for f in app.fragments.values() if f.host is not None})
    found: dict[str, str] = {}
    for text in given:
        name, equals, address = text.partition("=")
        if not equals or not re.fullmatch(HOST_PATTERN, address):
            raise HoloflowError(
                f"--host: {short(text)} gives no address; write NAME=ADDRESS, such as "
                f"{known[0] if known else 'edge'}=192.168.1.7"
            )
        if name not in known:
            raise HoloflowError(f"--host: unknown host {short(name)}; {_meant(name, known)}")
        found[name] = address
    return found


def _meant(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name[:100], known, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"the app has {', '.join(known[:8])}" if known else "no fragment of the app names one"


def addresses(plan: Plan, hosts: Mapping[str, str]) -> dict[str, Address]:
    """Return where each fragment is reached to which messages come from other machines.

    `hosts` gives the addresses of hosts whose names are none (`read_hosts`). A fragment without
    a port of its own has `FIRST_PORT` plus its place in the app, so that all machines come to
    the same result. Raises `HoloflowError` where one cannot be reached.
    """
    places = {name: number for number, name in enumerate(plan.app.fragments)}
    found: dict[str, Address] = {}
    owners: dict[Address, str] = {}
    for name, sender in listeners(plan).items():
        fragment = plan.app.fragments[name]
        if fragment.host is None:
            raise HoloflowError(
                f"fragment {short(name)} has no host, so that fragment {short(sender)} cannot "
                f"reach it from another one; write host: in fragment {short(name)}"
            )
        host = hosts.get(fragment.host, fragment.host)
        found[name] = address = Address(host, fragment.port or FIRST_PORT + places[name])
        owner = owners.setdefault(address, name)
        if owner != name:
            raise HoloflowError(
                f"fragments {short(owner)} and {short(name)} would both be at "
                f"{host}, port {address.port}; give one of them another port:"
            )
    return found
