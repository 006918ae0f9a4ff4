"""What it means for a plan that ucx carries its messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from holoflow.app.report import short
from holoflow.plan.addresses import crosses_hosts
from holoflow.plan.plan import Plan
from holoflow.plan.stages import fragment_of


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
