"""Opening the links of a process: a transport for every kind of link that its flows need."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from holoflow.link.ends import Transport
from holoflow.plan.fingerprint import difference
from holoflow.plan.hosts import addresses, crosses_hosts
from holoflow.plan.plan import LinkKind, Plan, PlannedFlow, enters, fragment_of, leaves, part

if TYPE_CHECKING:
    from holoflow.link.zeromq import PeerAddress, ZeroMQ


def open_transports(
    plan: Plan, fragment: str, folder: Path, run: str, digest: str, hosts: Mapping[str, str]
) -> dict[LinkKind, Transport]:
    """Return the transports for the flows between `fragment` and others, by kind of link.

    Args:
        plan: The plan of the whole app.
        fragment: The fragment of this process.
        folder: The run's private folder on this host.
        run: Name of the run.
        digest: What both ends of a link must agree on.
        hosts: Addresses of hosts by their names in the app.

    Raises:
        HoloflowError: Keys or addresses are missing, or a listener cannot be opened.
    """
    own = part(plan, fragment)
    linked = [flow for flow in own.flows if enters(own, flow) or leaves(own, flow)]
    kinds = {flow.link for flow in linked}
    transports: dict[LinkKind, Transport] = {}
    if "shared_memory" in kinds:
        from holoflow.link.shared_memory import SharedMemory

        transports["shared_memory"] = SharedMemory(fragment, folder, run)
    if "zeromq" in kinds:
        transports["zeromq"] = open_zeromq(plan, fragment, folder, run, digest, hosts)
    if "ucx" in kinds:
        from holoflow.link.ucx import Peers, UcxTransport

        named = {name: f.host for name, f in plan.app.fragments.items() if f.host is not None}
        places = {name: hosts.get(host, host) for name, host in named.items()}
        # The name of the run must be the same on all hosts.
        transports["ucx"] = UcxTransport(plan, Peers(folder, digest[:16], places))
    return transports


def check_keys(plan: Plan) -> None:
    """Raise HoloflowError if a fragment that runs here lacks a key for a link to another."""
    here = plan.here if plan.here is not None else tuple(plan.app.fragments)
    for fragment in here:
        if fragment in plan.app.fragments:
            _server_keys(plan, fragment)


def open_zeromq(
    plan: Plan, fragment: str, folder: Path, run: str, digest: str, hosts: Mapping[str, str]
) -> ZeroMQ:
    """Return the transport for the zeromq flows of `fragment`; see `open_transports`."""
    from holoflow.link.keys import KeyStore
    from holoflow.link.zeromq import AppIdentity, PeerAddress, ZeroMQ, on_host, on_network

    reached = addresses(plan, hosts)
    keys = _server_keys(plan, fragment)
    binds: dict[str, PeerAddress] = {}
    peers: dict[str, PeerAddress] = {}
    for flow in plan.flows:
        source, target = (fragment_of(plan.app, end.operator) for end in (flow.source, flow.target))
        if flow.link != "zeromq" or source == target or fragment not in (source, target):
            continue
        if crosses_hosts(plan, flow):
            address = PeerAddress(on_network(*reached[target]), keys.get(target))
        else:
            address = PeerAddress(on_host(folder, target))
        if fragment == target:
            binds[address.endpoint] = address
        else:
            peers[target] = address
    identity = AppIdentity(plan.app.name, digest, run, functools.partial(difference, plan))
    store = KeyStore() if keys else None
    return ZeroMQ(fragment, identity, list(binds.values()), peers, keys=store)


def _server_keys(plan: Plan, fragment: str) -> dict[str, str]:
    """Return the public keys, by fragment, of the listeners for `fragment`'s encrypted flows."""
    entering: dict[str, list[PlannedFlow]] = {}
    for flow in plan.flows:
        if flow.link == "zeromq" and crosses_hosts(plan, flow):
            entering.setdefault(fragment_of(plan.app, flow.target.operator), []).append(flow)
    if not entering:
        return {}
    from holoflow.link.keys import KeyStore
    from holoflow.link.zeromq import encrypted

    found: dict[str, str] = {}
    for listener, flows in entering.items():
        senders = {fragment_of(plan.app, flow.source.operator) for flow in flows}
        if fragment not in (listener, *senders) or not encrypted(listener, flows):
            continue
        store = KeyStore()
        if listener == fragment:
            found[listener] = store.own().public
            store.of(sorted({plan.app.fragments[name].host or name for name in senders}))
        else:
            host = plan.app.fragments[listener].host or listener
            found[listener] = store.of([host])[host]
    return found
