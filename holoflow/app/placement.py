"""`fragments:` and `budgets:` of an app: what runs where, and how long frames may take."""

from __future__ import annotations

import re

from holoflow.app.circles import Reach
from holoflow.app.describe import shown
from holoflow.app.document import Broken, Value, plain
from holoflow.app.drafts import Draft, Group
from holoflow.app.format import ENVIRONMENT_PATTERN, BudgetPiece, FragmentPiece, SchedulerPiece
from holoflow.app.graph import Budget, Fragment, Scheduler
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.app.wiring import Edge
from holoflow.errors import Location

_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
_NO_LIMITS = {"from", "to", "when_missed", "window", "fail"}


def read_scheduler(value: Value | None, owner: str, report: Report) -> Scheduler | None:
    """Return the checked `scheduler:` of `owner`; None where there is none."""
    if value is None or value.data is None:
        return None
    piece = check(SchedulerPiece, value, report, Words("key", f" of {owner}"))
    if piece is None:
        return None
    return Scheduler(piece.kind, piece.workers, tuple(piece.cores), piece.linger)


def read_fragments(
    value: Value | None,
    drafts: list[Draft],
    groups: list[Group],
    scheduler: Scheduler | None,
    hang: float,
    report: Report,
) -> dict[str, Fragment]:
    """Return the checked fragments: every operator in exactly one.

    `scheduler` is the app's, and `hang` what fragments have that say nothing.
    """
    members: dict[str, list[Draft]] = {draft.name: [draft] for draft in drafts}
    members.update({group.name: group.members for group in groups})
    entries = value.mapping if value else {}
    found: dict[str, Fragment] = {}
    placed: dict[Draft, str] = {}
    unclear = False
    for name, item in entries.items():
        at = value.keys[name] if value else item.at
        piece = check(FragmentPiece, item, report, Words("key", f" of fragment {short(name)}", at))
        listed = item.get("operators")
        if listed is None or not isinstance(listed.data, list):
            unclear = True
            continue
        here: list[str] = []
        for operator in listed.data:
            if not isinstance(operator.data, str):
                unclear = True
                continue
            if operator.data not in members:
                report.unknown(operator.at, "operator", operator.data, members)
                unclear = True
                continue
            for draft in members[operator.data]:
                if draft in placed:
                    wrong = f"operator {short(draft.name)} is in two fragments"
                    right = f"it already is in {short(placed[draft])}"
                    if placed[draft] == name:
                        wrong, right = f"{short(draft.name)} is named twice", "name it once"
                    report.add(operator.at, wrong, right)
                    continue
                placed[draft] = name
                here.append(draft.name)
        if piece is not None:
            found[name] = _fragment(name, tuple(here), piece, hang, item, at, report)
            _check_fragment(found[name], piece, item, scheduler, report)
    if entries and not unclear:
        names = " or ".join(list(entries)[:8])
        for draft in drafts:
            if draft not in placed:
                right = f"add it to the operators of {names}"
                report.add(draft.top[1], f"operator {short(draft.name)} is in no fragment", right)
    return found


def _fragment(
    name: str,
    operators: tuple[str, ...],
    piece: FragmentPiece,
    hang: float,
    item: Value,
    at: Location,
    report: Report,
) -> Fragment:
    return Fragment(
        name,
        operators,
        host=piece.host,
        port=piece.port,
        gpu=piece.gpu,
        cores=tuple(piece.cores),
        exclusive=piece.exclusive,
        scheduler=read_scheduler(item.get("scheduler"), f"the scheduler of {short(name)}", report),
        environment=_environment(item.get("environment"), report),
        memory=int(piece.memory) if piece.memory is not None else None,
        hang=hang if piece.hang is None else piece.hang,
        restart=piece.restart,
        restarts=piece.restarts,
        location=at,
    )


def _environment(value: Value | None, report: Report) -> dict[str, str]:
    """Return the checked variables; numbers and booleans are taken as they are written."""
    found: dict[str, str] = {}
    for name, item in value.mapping.items() if value else ():
        if not re.fullmatch(ENVIRONMENT_PATTERN, name):
            wrong = f"{short(name)} cannot be the name of an environment variable"
            right = "it has letters, digits and _ only, and begins with no digit"
            report.add(value.keys[name] if value else item.at, wrong, right)
        if isinstance(item.data, Broken):
            continue
        if isinstance(item.data, (list, dict)) or item.data is None:
            right = 'write text, a number, true or false; "" is empty'
            report.add(item.at, f"{short(name)} cannot be {shown(plain(item))}", right)
        elif "\0" in item.text:
            report.add(item.at, f"{short(name)} holds a zero byte", "remove it")
        else:
            found[name] = item.text
    return found


def _check_fragment(
    fragment: Fragment,
    piece: FragmentPiece,
    item: Value,
    scheduler: Scheduler | None,
    report: Report,
) -> None:
    """Report keys that do not go together."""
    own = item.get("scheduler", "cores")
    pinned = (fragment.scheduler or scheduler or Scheduler()).cores
    outside = sorted(set(pinned) - set(fragment.cores)) if fragment.cores else []
    if outside:
        at = (own or item.mapping["cores"]).at
        whose = "its scheduler" if fragment.scheduler is not None else "the app's scheduler"
        wrong = f"{whose} has workers on {_cores(outside)}, which fragment {short(fragment.name)}"
        right = "add them to cores:, or take them from the scheduler's"
        report.add(at, f"{wrong} may not use", right)
    if fragment.exclusive and fragment.gpu is None and not fragment.cores:
        wrong = f"fragment {short(fragment.name)} is exclusive, but has no GPU and no cores"
        report.add(item.keys["exclusive"], wrong, "write gpu: or cores: too, or remove it")
    if fragment.gpu is not None and "CUDA_VISIBLE_DEVICES" in fragment.environment:
        at = item.mapping["environment"].keys["CUDA_VISIBLE_DEVICES"]
        report.add(at, "'gpu' sets CUDA_VISIBLE_DEVICES", "remove one of them")
    if "restarts" in piece.model_fields_set and fragment.restart == "never":
        wrong = f"fragment {short(fragment.name)} is never started again"
        report.add(item.keys["restarts"], wrong, "write restart: on-failure or restart: always")


def _cores(numbers: list[int]) -> str:
    listed = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    return f"core {listed}" if len(numbers) == 1 else f"cores {listed}"


def read_budgets(
    value: Value | None, drafts: list[Draft], edges: list[Edge], report: Report
) -> tuple[Budget, ...]:
    """Return the checked budgets: frames of one operator can come to the other."""
    by_name = {draft.name: draft for draft in drafts}
    items = value.data if value is not None and isinstance(value.data, list) else []
    targets = [item.get("to") for item in items]
    known = [by_name.get(str(target.data)) for target in targets if target is not None]
    reach = Reach(drafts, edges, [draft for draft in known if draft is not None])
    found = []
    for item in items:
        piece = check(BudgetPiece, item, report, Words("key", " of this budget"))
        ends = [item.get("from"), item.get("to")]
        for end in ends:
            if end is not None and isinstance(end.data, str) and end.data not in by_name:
                report.unknown(end.at, "operator", end.data, by_name)
        source, target = (by_name.get(str(end.data)) if end else None for end in ends)
        if source and target and ends[1] and (source is target or not reach.may(source, target)):
            wrong = f"no frame of {short(source.name)} comes to {short(target.name)}"
            report.add(ends[1].at, wrong, "name an operator that it leads to")
        if piece is None:
            continue
        limits = {name: getattr(piece, name.replace(".", "_")) for name in _STATISTICS}
        limits = {name: limit for name, limit in limits.items() if limit is not None}
        if not limits and not set(item.keys) - _NO_LIMITS:
            report.add(item.at, "this budget has no limit", "write one such as p99: 50ms")
        found.append(
            Budget(
                piece.from_, piece.to, limits, piece.when_missed, piece.window, piece.fail, item.at
            )
        )
    return tuple(found)
