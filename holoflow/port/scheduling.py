"""The scheduler of a Holoscan application, and its thread pools, as an app file says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holoflow.port.application import Composed, OperatorPool
from holoflow.port.values import given, unique

_KINDS = {
    "GreedyScheduler": "greedy", "EventBasedScheduler": "event",
    "MultiThreadScheduler": "multithread",
}  # fmt: skip
_CLOCKS = {"RealtimeClock": "realtime", "ManualClock": "manual", "SyntheticClock": "synthetic"}


def scheduler_of(
    composed: Composed, operators: Mapping[int, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return `scheduler:`, and a sentence for each thing that it cannot say.

    Args:
        composed: The application.
        operators: Names of its operators in the app, by identity.
    """
    entry, notes = _scheduler(composed)
    pools: dict[str, Any] = {}
    for pool in composed.pools:
        found, unsaid = _pool(pool, operators)
        notes += [f"pool {pool.name}: {text}" for text in unsaid]
        if found["operators"]:
            pools[unique(pool.name, pools)] = found
    if pools:
        entry["pools"] = pools
    return entry, notes


def _scheduler(composed: Composed) -> tuple[dict[str, Any], list[str]]:
    scheduler = composed.scheduler
    made = composed.made.get(id(scheduler)) if scheduler is not None else None
    if made is None:  # Holoscan's usual one works in one thread
        return {"kind": "multithread" if composed.distributed else "greedy"}, []
    kind = _KINDS.get(made.cls.__name__)
    if kind is None:
        return {"kind": "event"}, [f"its scheduler, a {made.cls.__name__}"]
    entry: dict[str, Any] = {"kind": kind}
    notes = []
    if kind != "greedy":
        entry["workers"] = 1
    for name, value in given(made).items():
        if name == "worker_thread_number":
            entry["workers"] = value
        elif name == "pin_cores":
            entry |= {"cores": list(value)} if value else {}
        elif name == "stop_on_deadlock":
            entry[name] = value
        elif name == "stop_on_deadlock_timeout" and value > 0:
            entry[name] = f"{value}ms"
        elif name == "clock" and type(value).__name__ in _CLOCKS:
            entry[name] = _CLOCKS[type(value).__name__]
        else:
            notes.append(f"{name} of its scheduler, which is {value!r}")
    return entry, notes


def _pool(pool: OperatorPool, operators: Mapping[int, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a pool; what is said of its first operators is said of all."""
    named = [operators[id(one)] for addition in pool.additions for one in addition.operators]
    entry: dict[str, Any] = {"operators": named, "size": pool.size}
    notes = []
    if pool.additions:
        first = pool.additions[0]
        entry |= {"pin": True} if first.pin else {}
        entry |= {"cores": list(first.cores)} if first.cores else {}
        if any((other.pin, other.cores) != (first.pin, first.cores) for other in pool.additions):
            notes.append(
                "operators that are pinned in another way than the first; give them a pool"
            )
    if any(addition.policy is not None for addition in pool.additions):
        notes.append("its real-time policy; write policy: and priority: of the pool")
    return entry, notes
