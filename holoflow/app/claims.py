"""What operators and fragments need for themselves alone, and who gets in whose way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from holoflow.app.drafts import Draft
from holoflow.app.graph import Fragment, Node
from holoflow.app.report import Report, short
from holoflow.operator import Operator


@dataclass(frozen=True)
class Clash:
    """Two that cannot be on one host together."""

    name: str
    """The second of them, a fragment or an operator."""
    wrong: str
    right: str


def check_claims(
    drafts: Sequence[Draft],
    nodes: Mapping[str, Node | None],
    fragments: Mapping[str, Fragment],
    report: Report,
) -> None:
    """Report who gets in whose way on the hosts that the app names."""
    places = {draft.name: draft.top[1] for draft in drafts}
    places.update({name: f.location for name, f in fragments.items() if f.location is not None})
    made = {name: node for name, node in nodes.items() if node is not None}
    hosts: dict[str | None, list[Fragment]] = {}
    for fragment in fragments.values():
        hosts.setdefault(fragment.host, []).append(fragment)
    for together in hosts.values():
        operators = [made[name] for f in together for name in f.operators if name in made]
        for clash in (*clashes(together, operators), *_ports(together)):
            report.add(places[clash.name], clash.wrong, clash.right)
    if not fragments:
        for clash in clashes((), tuple(made.values())):
            report.add(places[clash.name], clash.wrong, clash.right)


def clashes(fragments: Sequence[Fragment], operators: Sequence[Node]) -> Iterator[Clash]:
    """Yield what stands against having `fragments` and `operators` on one host."""
    for one, other in combinations(fragments, 2):
        if not (one.exclusive or other.exclusive):
            continue
        shared = sorted(set(one.cores) & set(other.cores))
        things = [f"core {number}" for number in shared[:1]]
        if one.gpu is not None and one.gpu == other.gpu:
            things.append(f"GPU {one.gpu}")
        alone = one if one.exclusive else other
        for thing in things:
            wrong = f"fragments {short(one.name)} and {short(other.name)} both have {thing}, "
            wrong += f"which is for {short(alone.name)} alone"
            yield Clash(other.name, wrong, "give one of them another, or remove exclusive")
    owners: dict[str, str] = {}
    for node in operators:
        for claim in claims(node):
            owner = owners.setdefault(claim, node.name)
            if owner != node.name:
                wrong = f"operators {short(owner)} and {short(node.name)} both need {claim}"
                yield Clash(node.name, wrong, "only one can have it; give one of them another")


def claims(node: Node) -> tuple[str, ...]:
    """Return what an operator needs for itself alone; nothing where it cannot be made."""
    if not issubclass(node.cls, Operator) or node.cls.claims is Operator.claims:
        return ()
    try:
        return tuple(node.cls.from_app(node.parameters).claims())
    except Exception:  # wrong parameters have been reported; the rest is the user's code
        return ()


def _ports(fragments: Sequence[Fragment]) -> Iterator[Clash]:
    """Yield fragments that are to listen at the same port."""
    owners: dict[int, str] = {}
    for fragment in fragments:
        if fragment.port is not None:
            owner = owners.setdefault(fragment.port, fragment.name)
            if owner != fragment.name:
                names = f"fragments {short(owner)} and {short(fragment.name)}"
                wrong = f"{names} are on one host and both have port {fragment.port}"
                yield Clash(fragment.name, wrong, "give one of them another")
