"""Reading of `scheduler:`, of the app and of its fragments."""

from __future__ import annotations

from collections.abc import Collection

from holoflow.app.document import Value
from holoflow.app.format import PoolSchema, SchedulerSchema
from holoflow.app.graph import Scheduler, ThreadPool
from holoflow.app.mistakes import Report, short
from holoflow.app.validation import Wording, check


def read_scheduler(
    value: Value | None, owner: str, operators: Collection[str], report: Report
) -> Scheduler | None:
    """Return the checked `scheduler:` of `owner`, which runs `operators`; None if there is none."""
    if value is None or value.data is None:
        return None
    entry = check(SchedulerSchema, value, report, Wording("key", f" of {owner}"))
    if entry is None:
        return None
    if entry.clock != "realtime" and entry.kind != "greedy":
        wrong = f"only the greedy scheduler moves a {entry.clock} clock on"
        report.add(value.keys["clock"], wrong, "write kind: greedy, or clock: realtime")
    pools = _read_pools(value, entry, operators, report)
    return Scheduler(
        entry.kind, entry.workers, tuple(entry.cores), entry.linger, pools, entry.clock,
        entry.stop_on_deadlock, entry.stop_on_deadlock_timeout,
    )  # fmt: skip


def _read_pools(
    value: Value, entry: SchedulerSchema, operators: Collection[str], report: Report
) -> tuple[ThreadPool, ...]:
    given = value.get("pools")
    pools = given.mapping if given is not None else {}
    if pools and entry.kind == "greedy":
        right = "remove pools:, or write kind: event or kind: multithread"
        report.add(value.keys["pools"], "the greedy scheduler has one thread and no pools", right)
    placed: dict[str, str] = {}
    found = []
    for name, item in pools.items():
        pool = check(PoolSchema, item, report, Wording("key", f" of pool {short(name)}"))
        listed = item.get("operators")
        for one in listed.data if listed is not None and isinstance(listed.data, list) else ():
            if not isinstance(one.data, str):
                continue
            if one.data not in operators:
                report.unknown(one.at, "operator", one.data, operators)
            elif one.data in placed:
                wrong = f"operator {short(one.data)} already is in pool {short(placed[one.data])}"
                report.add(one.at, wrong, "name it once")
            placed.setdefault(one.data, name)
        if pool is None:
            continue
        _check_policy(name, pool, item, report)
        found.append(
            ThreadPool(
                name, tuple(pool.operators), pool.size or len(pool.operators), pool.pin,
                tuple(pool.cores), pool.policy, pool.priority,
                pool.runtime, pool.deadline, pool.period,
            )
        )  # fmt: skip
    return tuple(found)


def _check_policy(name: str, pool: PoolSchema, item: Value, report: Report) -> None:
    """Report what the scheduling policy of a pool lacks, and what is for another one."""
    times = ("runtime", "deadline", "period")
    of = {"fifo": ("priority",), "rr": ("priority",), "deadline": times}
    wanted = of.get(pool.policy or "", ())
    for key in ("priority", *times):
        given = key in pool.model_fields_set
        if given and key not in wanted:
            policies = " or ".join(policy for policy, keys in of.items() if key in keys)
            wrong = f"pool {short(name)}: {short(key)} is for another policy"
            report.add(item.keys[key], wrong, f"write policy: {policies}, or remove it")
        elif key in wanted and not given:
            at = item.keys["policy"]
            report.add(at, f"pool {short(name)}: policy {pool.policy} needs {short(key)}")
