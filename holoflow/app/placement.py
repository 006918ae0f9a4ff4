"""`fragments:` and `budgets:` of an app: what runs where, and how long frames may take."""

from __future__ import annotations

from holoflow.app.circles import Reach
from holoflow.app.document import Value
from holoflow.app.drafts import Draft, Group
from holoflow.app.format import BudgetPiece, FragmentPiece
from holoflow.app.graph import Budget, Fragment
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.app.wiring import Edge

_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
_NO_LIMITS = {"from", "to", "when_missed", "window", "fail"}


def read_fragments(
    value: Value | None, drafts: list[Draft], groups: list[Group], report: Report
) -> dict[str, Fragment]:
    """Return the checked fragments: every operator in exactly one."""
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
            found[name] = Fragment(name, tuple(here), piece.host, piece.gpu, piece.restart, at)
    if entries and not unclear:
        names = " or ".join(list(entries)[:8])
        for draft in drafts:
            if draft not in placed:
                right = f"add it to the operators of {names}"
                report.add(draft.top[1], f"operator {short(draft.name)} is in no fragment", right)
    return found


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
