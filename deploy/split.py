"""How an app becomes services: its fragments, grouped into containers or systemd units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from holoflow.app.format import RestartPolicy
from holoflow.app.graph import App, Fragment, Node
from holoflow.app.mistakes import short
from holoflow.app.unresolved import claims
from holoflow.core.errors import AppError, Location, Mistake, optional
from holoflow.deploy.manifest import METRICS_PORT
from holoflow.deploy.services import TMP, Deployment, RunCommand, Service, ServicePort
from holoflow.operators.visualize.web import USUAL_PORT, WebOp
from holoflow.plan import Plan, PlannedFlow, plan
from holoflow.plan.hosts import addresses, crosses_hosts, find_faults, put
from holoflow.plan.plan import fragment_of

LONGEST = 63
"""Most characters of a label in DNS (RFC 1035)."""


def dns_name(text: str) -> str:
    """Return `text` as a label in DNS, as similar as possible; empty if nothing of it can be used.

    A label has lower-case letters, digits and `-`, begins with a letter and does not end in `-`.
    """
    label = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    return f"host-{label}" if label[:1].isdigit() else label


MARGIN = TMP + (256 << 20)
"""Bytes beyond those of the fragments: the launcher, the process that watches it, `/tmp`."""
MESSAGE = 8 << 20
"""Bytes of a message in shared memory; an image of 1080p in RGB has 6.2 MB."""
IN_HAND = 10
"""Messages of a shared memory link beyond those in its queue: held, loaned or being written."""
SHARED = 64 << 20
"""Bytes of shared memory that links need besides their messages, with a margin."""


def in_containers(app: App, run: RunCommand) -> Deployment:
    """Return `app` as containers that find one another by name.

    Fragments on the same named host are one service with the name of the host; every other fragment
    is a service of its own.

    Raises:
        AppError: Names collide or cannot be used, or a link cannot connect containers.
        HoloflowError: A service cannot be reached.
    """
    groups = _grouped(app, {f.name: f.host or f.name for f in app.fragments.values()})
    places = {name: service for service, names in groups.items() for name in names}
    planned = plan(put(app, places), fuse=run.fuse, lossless=run.lossless)
    where = tuple(f"--place={name}={service}" for name, service in places.items())
    return _deployment(planned, groups, run, (*where, "--placed") if places else ())


def on_machines(app: App, run: RunCommand) -> Deployment:
    """Return `app` as one service for each host that it names, and one for all other fragments.

    The launcher of each gives its fragments their cores and GPUs itself.

    Raises:
        AppError: Names collide or cannot be used, or a link cannot connect hosts.
        HoloflowError: A service cannot be reached.
    """
    groups = _grouped(app, {f.name: f.host or app.name for f in app.fragments.values()})
    planned = plan(app, fuse=run.fuse, lossless=run.lossless)
    # Pages are where the app says, as in any other run.
    return replace(_deployment(planned, groups, run, ()), notices=())


def _grouped(app: App, homes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the fragments of each service, which is called like their home in `homes`.

    Raises:
        AppError: Names collide or cannot be used.
    """
    if not homes:
        homes = {app.name: app.name}
    groups: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    mistakes = []
    for name, home in homes.items():
        fragment = app.fragments.get(name)
        service = dns_name(home)
        kind = "app" if home == app.name else "fragment"
        whose = f"{'host' if fragment and fragment.host else kind} {short(home)}"
        owner = owners.setdefault(service, whose)
        if not 0 < len(service) <= LONGEST:
            wrong = f"no service can have the name of {whose}"
            right = f"a name has at most {LONGEST} characters, and a letter among them"
            mistakes.append(_mistake(app, fragment, wrong, right))
        elif owner != whose:
            wrong = f"{whose} and {owner} would both be the service {short(service)}"
            mistakes.append(_mistake(app, fragment, wrong, "give one of them another name"))
        groups.setdefault(service, []).append(name)
    if mistakes:
        raise AppError(mistakes)
    return {s: tuple(n for n in names if n in app.fragments) for s, names in groups.items()}


def _deployment(
    planned: Plan, groups: Mapping[str, tuple[str, ...]], run: RunCommand, where: Sequence[str]
) -> Deployment:
    """Return the services of `groups`, all of which get the arguments `where`."""
    app = planned.app
    homes = {name: service for service, names in groups.items() for name in names}
    _check_links(planned)
    links = {name: address.port for name, address in addresses(planned, {}).items()}
    trusts = _trusts(planned, homes)
    notices: list[str] = []
    services = []
    for service, names in groups.items():
        inside = [app.fragments[name] for name in names]
        hosts = [f.host for f in inside if f.host is not None]
        own = tuple(f"--fragment={name}" for name in names)
        shared = _shared_memory(planned, names)
        restart, restarts = _restart(inside, run)
        nodes = [
            node
            for node in app.operators.values()
            if not names or fragment_of(app, node.name) in names
        ]
        pages = [n for n in nodes if run.web and issubclass(n.cls, WebOp)]
        served, surprises = _pages(pages)
        notices += surprises
        services.append(
            Service(
                name=service,
                host=hosts[0] if hosts else service,
                fragments=names,
                arguments=(
                    *(own if where or len(groups) > 1 else ()),
                    *where,
                    *(f"--set={key}={value}" for key, value in run.settings.items()),
                    *((f"--metrics=0.0.0.0:{METRICS_PORT}",) if run.metrics else ()),
                    *run.arguments,
                ),
                gpus=tuple(sorted({f.gpu for f in inside if f.gpu is not None})),
                cores=_cores(inside),
                memory=_memory(inside, shared),
                shared_memory=shared,
                ports=(
                    *(ServicePort(links[n], f"link-{n}", "link") for n in names if n in links),
                    *served,
                    *((ServicePort(METRICS_PORT, "metrics", "metrics"),) if run.metrics else ()),
                ),
                peers=tuple(sorted(_peers(planned, homes, service))),
                trusts=tuple(sorted(trusts.get(service, ()))),
                restart=restart,
                restarts=restarts,
                devices=tuple(c for node in nodes for c in claims(node) if c.startswith("/dev/")),
            )
        )
    title = f"{app.name}: {app.description}" if app.description else app.name
    return Deployment(dns_name(app.name), title, tuple(services), tuple(notices))


def _check_links(planned: Plan) -> None:
    """Raise AppError if a link cannot connect two services."""
    app = planned.app
    mistakes = []
    reported = set()
    for flow in planned.flows:
        source, target = _ends(app, flow)
        apart = flow.link in ("shared_memory", "ucx") and crosses_hosts(planned, flow)
        if not apart or (source, target) in reported:
            continue
        reported.add((source, target))
        wrong = f"the flow from {str(flow.source)!r} to {str(flow.target)!r} is to use "
        wrong += f"{flow.link}, but fragments {short(source)} and {short(target)} would be "
        wrong += "separate services"
        right = "put both on one host:, which makes them one service, or write link: auto"
        mistakes.append(_mistake(app, app.fragments[target], wrong, right))
    if not mistakes:
        for name, wrong, right in find_faults(planned):
            mistakes.append(_mistake(app, app.fragments[name], wrong, right))
    if mistakes:
        raise AppError(mistakes)


def _mistake(app: App, fragment: Fragment | None, wrong: str, right: str) -> Mistake:
    at = fragment.location if fragment else None
    return Mistake(at or Location(str(app.path or app.name)), wrong, right)


def _ends(app: App, flow: PlannedFlow) -> tuple[str, str]:
    return fragment_of(app, flow.source.operator), fragment_of(app, flow.target.operator)


def _crossing(planned: Plan, homes: Mapping[str, str]) -> Iterator[tuple[PlannedFlow, str, str]]:
    """Yield the flows between services, each with its sending and its receiving service."""
    for flow in planned.flows:
        source, target = (homes.get(end, "") for end in _ends(planned.app, flow))
        if source != target:
            yield flow, source, target


def _peers(planned: Plan, homes: Mapping[str, str], service: str) -> set[str]:
    pairs = [{source, target} for _, source, target in _crossing(planned, homes)]
    return {name for pair in pairs if service in pair for name in pair} - {service}


def _trusts(planned: Plan, homes: Mapping[str, str]) -> dict[str, set[str]]:
    """Return, for each service, those whose key it must know; raises HoloflowError."""
    entering: dict[str, list[PlannedFlow]] = {}
    for flow, _, _ in _crossing(planned, homes):
        entering.setdefault(_ends(planned.app, flow)[1], []).append(flow)
    found: dict[str, set[str]] = {}
    if entering:
        optional("zmq", "zeromq")
        from holoflow.link.zeromq import encrypted

        for listener, flows in entering.items():
            for flow in flows if encrypted(listener, flows) else ():
                source, target = (homes[end] for end in _ends(planned.app, flow))
                found.setdefault(source, set()).add(target)
                found.setdefault(target, set()).add(source)
    return found


def _restart(fragments: Sequence[Fragment], run: RunCommand) -> tuple[RestartPolicy, int]:
    """Return when a whole service is restarted, and how often in a row.

    Its launcher restarts single fragments. A container or a unit restarts all of them, so it may do
    only what each of them allows.
    """
    if not fragments or any(f.restart == "never" or not f.restarts for f in fragments):
        return "never", 0
    always = all(f.restart == "always" for f in fragments) and not run.ends
    return "always" if always else "on-failure", max(f.restarts for f in fragments)


def _cores(fragments: Sequence[Fragment]) -> tuple[int, ...]:
    """Return the cores of all `fragments`; none if one of them may use any."""
    if not all(f.cores for f in fragments):
        return ()
    return tuple(sorted({core for f in fragments for core in f.cores}))


def _memory(fragments: Sequence[Fragment], shared: int | None) -> int | None:
    limits = [f.memory for f in fragments if f.memory is not None]
    if not limits or len(limits) < len(fragments):
        return None
    return sum(limits) + (shared or 0) + MARGIN


def _shared_memory(planned: Plan, names: Sequence[str]) -> int | None:
    """Return bytes for the messages of all links between fragments of one service."""
    waiting: dict[str, int] = {}
    for flow in planned.flows:
        if flow.link == "shared_memory" and fragment_of(planned.app, flow.source.operator) in names:
            source = str(flow.source)
            waiting[source] = waiting.get(source, IN_HAND) + flow.queue
    return SHARED + MESSAGE * sum(waiting.values()) if waiting else None


def _pages(nodes: Sequence[Node]) -> tuple[list[ServicePort], list[str]]:
    """Return the ports of one service's pages, and what may surprise about them."""
    ports, notices = [], []
    taken: set[int] = set()
    for node in nodes:
        page = node.cls.from_app(node.parameters)  # type: ignore[attr-defined]
        port = page.port or USUAL_PORT
        if "host" in node.parameters:
            notices.append(
                f"{node.name}: its page is where host: {page.host} says; in a container only "
                "0.0.0.0 is reached from outside, which is taken without host:"
            )
        if port in taken:
            notices.append(
                f"{node.name}: another page of its service has port {port}, so that this one "
                "gets any; give it a port: to have it served"
            )
        else:
            taken.add(port)
            ports.append(ServicePort(port, f"page-{node.name}", "page"))
    return ports, notices
