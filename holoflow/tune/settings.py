"""Settings of an app that change how fast it is and not what it computes, and which to try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from holoflow.app.format import NAME_PATTERN
from holoflow.app.graph import App, Node
from holoflow.app.writing import written
from holoflow.core.operator import Operator
from holoflow.engine.copies import copies_of
from holoflow.plan.plan import make_stages

Keys: TypeAlias = "tuple[str, ...]"
"""Keys of an app file that lead to a value: `("scheduler", "workers")`."""
Value: TypeAlias = "int | str | tuple[int, ...]"
Change: TypeAlias = Mapping[Keys, Value]

KIND, WORKERS, CORES, FUSE = (
    ("scheduler", "kind"), ("scheduler", "workers"), ("scheduler", "cores"), ("fuse",),
)  # fmt: skip
BUSY = 0.25
"""Share of the time that an operator without state works from which copies of it are tried."""
MOST_COPIED = 2
"""Operators of which copies are tried: those that work most."""
FRAMES_UNDER_WAY = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Candidate:
    """A setting that may be best: what differs from the app file; nothing is the default."""

    values: tuple[tuple[Keys, Value], ...] = ()
    """Sorted by keys."""

    def __str__(self) -> str:
        """Return `kind greedy, detect copies 2`; `default` if nothing is set."""
        return ", ".join(_words(keys, value) for keys, value in self.values) or "default"

    def document(self) -> dict[str, Any]:
        """Return it as an app file has it, nested mappings."""
        return nested(dict(self.values))


DEFAULT = Candidate()


@dataclass(frozen=True)
class TuningStep:
    """Changes of one kind that exclude one another."""

    name: str
    changes: tuple[Change, ...]


def nested(values: Mapping[Keys, Any]) -> dict[str, Any]:
    """Return nested mappings of values by the keys that lead to them."""
    document: dict[str, Any] = {}
    for keys, value in values.items():
        inner = document
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = list(value) if isinstance(value, tuple) else value
    return document


def changed(setting: Candidate, change: Change, own: Change) -> Candidate:
    """Return `setting` with `change`; what is then as the app has it (`own`) is not set."""
    values = dict(setting.values) | dict(change)
    kept = {keys: value for keys, value in values.items() if own[keys] != value}
    return Candidate(tuple(sorted(kept.items())))


def entrants(setting: Candidate, step: TuningStep, own: Change) -> tuple[Candidate, ...]:
    """Return `setting` and what it is with each change of `step`, each once."""
    made = (changed(setting, change, own) for change in step.changes)
    return tuple(dict.fromkeys((setting, *made)))


def own_values(app: App) -> dict[Keys, Value]:
    """Return what the app itself sets, by all keys that may be changed."""
    values: dict[Keys, Value] = {
        KIND: app.scheduler.kind, WORKERS: app.scheduler.workers, CORES: app.scheduler.cores,
        FUSE: "auto" if app.fuse else "off",
    }  # fmt: skip
    for node in sources(app):
        values[_in_flight(node)] = node.in_flight
    for node in _operators(app):
        values["operators", node.name, "copies"] = node.copies
        if _has_threads(node):
            values["operators", node.name, "with", "threads"] = node.parameters.get("threads", 0)
    return values


def steps(app: App, cores: Sequence[int], busy: Mapping[str, float]) -> tuple[TuningStep, ...]:
    """Return what to try for `app`, in the order in which to try it.

    What is begun with is what the others depend on: with more work at once more workers pay off.

    Args:
        app: An app of one process.
        cores: Numbers of the CPU cores that it may use.
        busy: Share of the time that each operator works, by name, in a run with the default.
    """
    found = [
        *(_work(node, len(cores)) for node in _worth_it(app, busy)),
        TuningStep("scheduler", tuple(_schedulers(app, len(cores)))),
        TuningStep("fuse", ({FUSE: "off"}, {FUSE: "auto"}) if _may_fuse(app) else ()),
        TuningStep("in_flight", tuple(_admissions(app))),
        TuningStep("cores", ({CORES: tuple(cores)}, {CORES: ()}) if len(cores) > 1 else ()),
    ]
    return tuple(step for step in found if step.changes)


def sources(app: App) -> list[Node]:
    """Return the operators of `app` that are holoflow's own and begin frames."""
    return [
        n for n in app.operators.values() if (cls := _own(n)) is not None and cls.ports().source
    ]


def reachable(node: Node) -> bool:
    """Whether a file that extends the app can set keys of the operator.

    Those inside of a fragment template it cannot.
    """
    return re.fullmatch(NAME_PATTERN, node.name) is not None


def has_parameter(node: Node, name: str) -> bool:
    """Whether the operator has a parameter `name`."""
    cls = _own(node)
    return cls is not None and name in cls.parameters().model_fields


def waits_for_device(node: Node) -> bool:
    """Whether the operator is a live source, which cannot be sped up."""
    cls = _own(node)
    return cls is not None and cls.live


def _own(node: Node) -> type[Operator] | None:
    """Return the operator's class; None for one of Holoscan's own."""
    own = node.holoscan_operator is None and issubclass(node.cls, Operator)
    return node.cls if own else None


def _operators(app: App) -> Iterator[Node]:
    """Yield those that may have copies, or threads of their library."""
    for node in app.operators.values():
        if reachable(node) and (_copyable(node) or _has_threads(node)):
            yield node


def _copyable(node: Node) -> bool:
    cls = _own(node)
    if cls is None or not cls.stateless:
        return False
    return not (cls.ports().source or cls.ports().generator)


def _has_threads(node: Node) -> bool:
    return has_parameter(node, "threads")


def _is_heavy(node: Node) -> bool:
    cls = _own(node)
    return cls is not None and cls.heavy


def _worth_it(app: App, busy: Mapping[str, float]) -> list[Node]:
    """Return the operators on whose copies and threads the rate may depend, the busiest first."""
    found = [n for n in _operators(app) if _is_heavy(n) or busy.get(n.name, 0.0) >= BUSY]
    return sorted(found, key=lambda node: -busy.get(node.name, 0.0))[:MOST_COPIED]


def _work(node: Node, cores: int) -> TuningStep:
    """Return copies of an operator, each with fewer and with more threads of its library."""
    usual = copies_of(replace(node, copies="auto"), cores)
    counts = doubling(cores) if _copyable(node) else (1,)
    changes: list[Change] = []
    for count in dict.fromkeys((usual, *counts)):
        change: dict[Keys, Value] = {}
        if _copyable(node):
            change["operators", node.name, "copies"] = "auto" if count == usual else count
        changes.append(change)
        if _has_threads(node):
            share = max(cores // count, 1)
            keys = ("operators", node.name, "with", "threads")
            tried = sorted({0, max(share // 2, 1), min(share * 2, cores)})
            changes += [change | {keys: threads} for threads in tried]
    return TuningStep(node.name, tuple(changes))


def _schedulers(app: App, cores: int) -> Iterator[Change]:
    # More workers than cores pay off where operators wait for a device; more than stages never do.
    most = min(2 * cores, max(len(make_stages(app)), 1))
    for workers in dict.fromkeys((*doubling(most), min(cores, most))):
        yield {KIND: "event", WORKERS: workers}
        yield {KIND: "multithread", WORKERS: workers}
    yield {KIND: "greedy", WORKERS: app.scheduler.workers}


def _may_fuse(app: App) -> bool:
    return not app.fuse or any(len(stage.operators) > 1 for stage in make_stages(app))


def _admissions(app: App) -> Iterator[Change]:
    keys = {_in_flight(node) for node in sources(app)}
    if keys:
        for frames in ("auto", *FRAMES_UNDER_WAY):
            yield dict.fromkeys(keys, frames)


def _in_flight(source: Node) -> Keys:
    if reachable(source):
        return ("operators", source.name, "in_flight")
    return ("defaults", "in_flight")


def doubling(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4, … up to `most`."""
    return tuple(1 << power for power in range(most.bit_length()))


def _words(keys: Keys, value: Value) -> str:
    whose = f"{keys[1]} " if keys[0] == "operators" else ""
    shown = " ".join(map(str, value)) or "any" if isinstance(value, tuple) else value
    return f"{whose}{keys[-1]} {shown}"


def block(settings: Iterable[tuple[Keys, Any]]) -> str:
    """Return values as YAML, for an app file."""
    return written(nested(dict(settings)))
