"""What calls demand, as a run has measured it: cores, time free of waiting, time of their stage."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.flow.books import FragmentBooks, OperatorBooks
from holoflow.plan.simulate.costs import Costs, LinkName
from holoflow.plan.simulate.profile import Profile

_BACKGROUND = 0.1
"""Share of a core that a process keeps busy besides all calls; the rest is taken to be theirs."""
_EXPLAINED = 0.9
"""Share of its time that an operator computes or waits for a core, from which it does nothing
else: it does not sleep, nor wait for a device."""


def waiting_for_core(profile: Profile, name: str) -> float:
    """Return the share of an operator's working times in which it had to wait for a core.

    Linux counts how long the threads of a process wait for one, beside how long they run. An
    operator that only computes has waited for the rest of its time; of one that also sleeps or
    waits for a device that cannot be told, and it is taken not to have waited.
    """
    process = _process(profile, name)
    crowded = 0.0 if process is None else process.machine.crowded or 0.0
    share = own_share(profile, name)
    computes = share / max(1 - crowded, 1e-3) >= _EXPLAINED
    return 1 - share if computes and share > 0 else 0.0


def cores_of(profile: Profile, name: str) -> float:
    """Return how many cores a call of an operator keeps busy while it does not wait for one.

    A heavy operator (inference) also works in threads of its library's own, which have what is
    left of the CPU time of the process.
    """
    books = profile.operators[name]
    working = 1 - waiting_for_core(profile, name)
    share = own_share(profile, name) / working
    process = _process(profile, name)
    if not books.heavy or process is None:
        return share
    own = _operators(profile, process)
    known = sum(b.busy * (1.0 if b.cpu is None else b.cpu) for b in own)
    rest = max(process.machine.cpu - known - _BACKGROUND * process.seconds, 0.0)
    heavy = sum(b.busy for b in own if b.heavy)
    more = rest / (heavy * working) if heavy > 0 else 0.0
    return min(share + more, float(process.machine.cores))


def own_share(profile: Profile, name: str) -> float:
    """Return the share of an operator's working times in which it computed, 0 to 1.

    What is sampled is the share of its whole stage, which also packs and sends.
    """
    books = profile.operators[name]
    if books.cpu is None:
        return 1.0
    process = _process(profile, name)
    stage = [b for b in profile.operators.values() if b.stage == books.stage]
    busy = sum(b.busy for b in stage)
    if process is None or busy <= 0:
        return books.cpu
    beside = _beside(profile, process) * max(b.calls for b in stage)
    return min(max((books.cpu * (busy + beside) - beside) / busy, 0.0), 1.0)


def overhead_of(profile: Profile, name: str, costs: Costs) -> tuple[float, bool]:
    """Return the seconds that a call of the operator's stage takes besides its operators' work.

    Also whether they were measured in the run; if not, they are those of `costs`.
    """
    process = _process(profile, name)
    if process is None or not _ticks(profile, process):
        return costs.overhead, False
    own = _operators(profile, process)
    links = _linking(profile, own, costs) / max(_calls(own), 1)
    return max(_beside(profile, process) - links, costs.overhead), True


def _process(profile: Profile, name: str) -> FragmentBooks | None:
    """Return the process in which an operator ran."""
    fragment = profile.operators[name].fragment
    found = [p for p in profile.snapshot.fragments if fragment in p.name.split("+")]
    return max(found, key=lambda process: process.seconds, default=None)


def _operators(profile: Profile, process: FragmentBooks) -> list[OperatorBooks]:
    names = process.name.split("+")
    return [books for books in profile.operators.values() if books.fragment in names]


def _calls(own: Sequence[OperatorBooks]) -> int:
    """Return how many calls of stages there were."""
    return sum(books.calls for books in own if books.stage.split("+")[0] == books.name)


def _ticks(profile: Profile, process: FragmentBooks) -> float:
    """Return the seconds in which the workers of a process were at work."""
    return sum(w.busy for w in profile.snapshot.workers if w.fragment == process.name)


def _beside(profile: Profile, process: FragmentBooks) -> float:
    """Return the seconds of each call of a stage in which none of its operators was at work."""
    own = _operators(profile, process)
    spent = _ticks(profile, process) - sum(books.busy for books in own)
    return max(spent, 0.0) / max(_calls(own), 1)


def _linking(profile: Profile, own: Sequence[OperatorBooks], costs: Costs) -> float:
    """Return the seconds that stages spent on links in the run."""
    names = {books.name for books in own}
    spent = 0.0
    for books in profile.flows.values():
        kind = link_name(books.link, across=False, encrypt=False)
        if kind is None or books.size is None:
            continue
        link = costs.links[kind]
        if books.producer in names:
            spent += books.sent * link.send.at(books.size)
        if books.consumer in names:
            spent += books.delivered * link.receive.at(books.size)
    return spent


def link_name(link: str, *, across: bool, encrypt: bool) -> LinkName | None:
    """Return the name under which a flow's link has its costs; None where it has none."""
    if link == "shared_memory":
        return "shared_memory"
    if link == "zeromq":
        return ("zeromq_encrypted" if encrypt else "zeromq") if across else "zeromq_local"
    return None
