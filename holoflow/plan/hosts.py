"""Hosts: which fragments share a machine, where they are reached and where they run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from holoflow.app.format import HOST_PATTERN
from holoflow.app.graph import App, Scheduler
from holoflow.app.mistakes import short
from holoflow.core.errors import HoloflowError
from holoflow.core.text import choices, suggestion
from holoflow.plan.plan import Plan, PlannedFlow, fragment_of

FIRST_PORT = 7420
"""TCP port of the first fragment of an app; the second has the next port, and so on."""


class FragmentAddress(NamedTuple):
    """Where a fragment is reached from other machines."""

    host: str
    """Name or address."""
    port: int
    """TCP port."""


def near(app: App, here: Collection[str] | None, one: str, other: str) -> bool:
    """Whether two fragments are started together on one machine.

    `here` names the fragments that this command starts; for others the hosts in the file decide.
    """
    if here is not None and (one in here or other in here):
        return one in here and other in here
    return one == other or app.fragments[one].host == app.fragments[other].host


def crosses_hosts(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` leads from one machine to another."""
    ends = (fragment_of(plan.app, end.operator) for end in (flow.source, flow.target))
    return not near(plan.app, plan.here, *ends)


def listeners(plan: Plan) -> dict[str, str]:
    """Return the fragments that receive zeromq flows from other machines, each with a sender."""
    found: dict[str, str] = {}
    for flow in plan.flows:
        if flow.link == "zeromq" and crosses_hosts(plan, flow):
            sender = fragment_of(plan.app, flow.source.operator)
            found.setdefault(fragment_of(plan.app, flow.target.operator), sender)
    return found


def read_hosts(app: App, given: Sequence[str]) -> dict[str, str]:
    """Return the addresses of hosts given with `--host NAME=ADDRESS`; a later one wins.

    Raises:
        HoloflowError: No fragment has a host of that name, or the address is invalid.
    """
    known = sorted({f.host for f in app.fragments.values() if f.host is not None})
    found: dict[str, str] = {}
    for text in given:
        name, equals, address = text.partition("=")
        if not equals or not re.fullmatch(HOST_PATTERN, address):
            raise HoloflowError(
                f"--host: {short(text)} gives no address",
                f"write NAME=ADDRESS, such as {known[0] if known else 'edge'}=192.168.1.7",
            )
        if name not in known:
            raise HoloflowError(f"--host: unknown host {short(name)}", _meant(name, known))
        found[name] = address
    return found


def _meant(name: str, known: Sequence[str]) -> str:
    there = f"the app has {choices(known)}" if known else "no fragment of the app names one"
    return suggestion(name, known, there)


def addresses(plan: Plan, hosts: Mapping[str, str]) -> dict[str, FragmentAddress]:
    """Return the address of each fragment that receives messages from other machines.

    A fragment without a port of its own gets `FIRST_PORT` plus its position in the app, so that
    all machines arrive at the same result.

    Args:
        plan: The plan.
        hosts: Addresses of hosts whose names cannot be resolved (`read_hosts`).

    Raises:
        HoloflowError: A fragment cannot be reached.
    """
    places = {name: number for number, name in enumerate(plan.app.fragments)}
    found: dict[str, FragmentAddress] = {}
    owners: dict[FragmentAddress, str] = {}
    for name, sender in listeners(plan).items():
        fragment = plan.app.fragments[name]
        if fragment.host is None:
            raise HoloflowError(
                f"fragment {short(name)} has no host, so that fragment {short(sender)} cannot "
                "reach it from another one",
                f"write host: in fragment {short(name)}",
            )
        host = hosts.get(fragment.host, fragment.host)
        found[name] = address = FragmentAddress(host, fragment.port or FIRST_PORT + places[name])
        owner = owners.setdefault(address, name)
        if owner != name:
            raise HoloflowError(
                f"fragments {short(owner)} and {short(name)} would both be at "
                f"{host}, port {address.port}",
                "give one of them another port:",
            )
    return found


def read_places(given: Sequence[str]) -> dict[str, str]:
    """Return hosts by fragment, given with `--place FRAGMENT=HOST`; a later one wins.

    Raises:
        HoloflowError: A host is invalid.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, host = text.partition("=")
        if not name or not equals or not re.fullmatch(HOST_PATTERN, host) or len(host) > 253:
            raise HoloflowError(
                f"--place: {short(text)} names no host",
                f"write FRAGMENT=HOST, such as {name[:100] or 'detect'}=edge-a",
            )
        found[name] = host
    return found


def put(app: App, places: Mapping[str, str]) -> App:
    """Return `app` with fragments moved to the hosts in `places`, by fragment.

    Raises:
        HoloflowError: The app does not have such a fragment.
    """
    for name in places:
        if name not in app.fragments:
            right = suggestion(name, app.fragments, f"the app has {choices(app.fragments)}")
            raise HoloflowError(f"--place: unknown fragment {short(name)}", right)
    moved = {name: replace(app.fragments[name], host=host) for name, host in places.items()}
    return replace(app, fragments={**app.fragments, **moved})


def given_from_outside(app: App, here: Collection[str]) -> App:
    """Return `app` for a container, whose runtime assigns GPUs and cores to the fragments `here`.

    Cores and exclusive use are no longer requested. A container sees only its own GPUs, so the
    GPUs of its fragments are renumbered 0, 1, … in order.
    """
    wanted = {gpu for name in here if (gpu := app.fragments[name].gpu) is not None}
    numbers = {gpu: number for number, gpu in enumerate(sorted(wanted))}
    fragments = {
        name: replace(
            f,
            cores=(),
            exclusive=False,
            scheduler=f.scheduler and _anywhere(f.scheduler),
            gpu=f.gpu if f.gpu is None or name not in here else numbers[f.gpu],
        )
        for name, f in app.fragments.items()
    }
    return replace(app, fragments=fragments, scheduler=_anywhere(app.scheduler))


def _anywhere(scheduler: Scheduler) -> Scheduler:
    return replace(scheduler, cores=())


class Fault(NamedTuple):
    """A request that ucx cannot fulfil."""

    fragment: str
    """Fragment that requests it."""
    wrong: str
    right: str


def uses_ucx(plan: Plan) -> bool:
    """Whether ucx carries the flows between the fragments of `plan`."""
    return any(flow.link == "ucx" for flow in plan.flows)


def find_faults(plan: Plan) -> Iterator[Fault]:
    """Yield what `plan` requests of ucx that it cannot do."""
    for name, fragment in plan.app.fragments.items() if uses_ucx(plan) else ():
        if fragment.restart != "never":
            yield Fault(
                name,
                f"fragment {short(name)} is to be started again, but ucx carries its messages "
                f"and does not allow a process to rejoin",
                "write restart: never, or another link",
            )
    for flow in plan.flows:
        if flow.link == "ucx" and flow.encrypt and crosses_hosts(plan, flow):
            yield Fault(
                fragment_of(plan.app, flow.target.operator),
                f"the flow from {str(flow.source)!r} to {str(flow.target)!r} leads to another "
                f"host by ucx, which does not encrypt and accepts messages from anyone",
                "write encrypt: false if the network is for these hosts alone, else link: zeromq",
            )
