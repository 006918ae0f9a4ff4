"""Hosts: who is on one machine with whom, where fragments are reached and where they run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from holoflow.app.format import HOST_PATTERN
from holoflow.app.graph import App, Scheduler
from holoflow.app.mistakes import short
from holoflow.core.errors import HoloflowError
from holoflow.plan.plan import Plan, PlannedFlow, fragment_of

FIRST_PORT = 7420
"""TCP port of the first fragment of an app; that of the second is one more, and so on."""


class FragmentAddress(NamedTuple):
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


def addresses(plan: Plan, hosts: Mapping[str, str]) -> dict[str, FragmentAddress]:
    """Return where each fragment is reached to which messages come from other machines.

    `hosts` gives the addresses of hosts whose names are none (`read_hosts`). A fragment without
    a port of its own has `FIRST_PORT` plus its place in the app, so that all machines come to
    the same result. Raises `HoloflowError` where one cannot be reached.
    """
    places = {name: number for number, name in enumerate(plan.app.fragments)}
    found: dict[str, FragmentAddress] = {}
    owners: dict[FragmentAddress, str] = {}
    for name, sender in listeners(plan).items():
        fragment = plan.app.fragments[name]
        if fragment.host is None:
            raise HoloflowError(
                f"fragment {short(name)} has no host, so that fragment {short(sender)} cannot "
                f"reach it from another one; write host: in fragment {short(name)}"
            )
        host = hosts.get(fragment.host, fragment.host)
        found[name] = address = FragmentAddress(host, fragment.port or FIRST_PORT + places[name])
        owner = owners.setdefault(address, name)
        if owner != name:
            raise HoloflowError(
                f"fragments {short(owner)} and {short(name)} would both be at "
                f"{host}, port {address.port}; give one of them another port:"
            )
    return found


def read_places(given: Sequence[str]) -> dict[str, str]:
    """Return hosts by fragment as `--place FRAGMENT=HOST` gives them; a later one wins.

    Raises `HoloflowError` for what is no host.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, host = text.partition("=")
        if not name or not equals or not re.fullmatch(HOST_PATTERN, host) or len(host) > 253:
            raise HoloflowError(
                f"--place: {short(text)} names no host; write FRAGMENT=HOST, such as "
                f"{name[:100] or 'detect'}=edge-a"
            )
        found[name] = host
    return found


def put(app: App, places: Mapping[str, str]) -> App:
    """Return `app` with fragments on the hosts that `places` gives, by their names.

    Raises `HoloflowError` for a fragment that the app does not have.
    """
    for name in places:
        if name not in app.fragments:
            raise HoloflowError(
                f"--place: unknown fragment {short(name)}; {_meant_fragment(name, app)}"
            )
    moved = {name: replace(app.fragments[name], host=host) for name, host in places.items()}
    return replace(app, fragments={**app.fragments, **moved})


def given_from_outside(app: App, here: Collection[str]) -> App:
    """Return `app` for a container, whose runtime gives GPUs and cores to the fragments `here`.

    No core is asked for any more, nor anything for one fragment alone. A container sees only its
    own GPUs, so that those of its fragments become 0, 1, … in the order of their numbers.
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


def _meant_fragment(name: str, app: App) -> str:
    nearest = difflib.get_close_matches(name[:100], app.fragments, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    known = list(app.fragments)
    return f"the app has {', '.join(known[:8])}" if known else "the app has none"


class Fault(NamedTuple):
    """Something that ucx cannot do."""

    fragment: str
    """Where it is asked for."""
    wrong: str
    right: str


def uses_ucx(plan: Plan) -> bool:
    """Whether ucx carries the flows between the fragments of `plan`."""
    return any(flow.link == "ucx" for flow in plan.flows)


def find_faults(plan: Plan) -> Iterator[Fault]:
    """Yield what `plan` asks of ucx that it cannot do."""
    for name, fragment in plan.app.fragments.items() if uses_ucx(plan) else ():
        if fragment.restart != "never":
            yield Fault(
                name,
                f"fragment {short(name)} is to be started again, but ucx carries its messages, "
                f"and lets nobody join again",
                "write restart: never, or another link",
            )
    for flow in plan.flows:
        if flow.link == "ucx" and flow.encrypt and crosses_hosts(plan, flow):
            yield Fault(
                fragment_of(plan.app, flow.target.operator),
                f"the flow from {str(flow.source)!r} to {str(flow.target)!r} leads to another "
                f"host by ucx, which does not encrypt, and takes what anybody sends",
                "write encrypt: false where the network is for these hosts alone, "
                "else link: zeromq",
            )
