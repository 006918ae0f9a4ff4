"""Fragments, links and budgets of an app: what runs where, and what carries the flows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import get_args

from holoflow.app.cycles import Reach
from holoflow.app.document import Broken, Value, plain
from holoflow.app.format import ENVIRONMENT_PATTERN, BudgetSchema, FragmentSchema
from holoflow.app.graph import Budget, Flow, Fragment, Scheduler
from holoflow.app.mistakes import Report, short, shown
from holoflow.app.scheduling import read_scheduler
from holoflow.app.unresolved import TemplateUse, UnresolvedOperator
from holoflow.app.validation import Wording, check
from holoflow.app.wiring import OperatorEdge, Wired
from holoflow.core.errors import Location
from holoflow.core.pictures import Image
from holoflow.core.ports import fits, type_name
from holoflow.core.text import choices

_OF_ZEROMQ = ("compress", "quality", "encrypt")


def read_links(
    wired: Sequence[Wired],
    unresolved_operators: Sequence[UnresolvedOperator],
    fragments: Mapping[str, Fragment] | None,
    default: str,
    report: Report,
) -> tuple[Flow, ...]:
    """Return the flows with their links, reporting link settings that cannot apply.

    Args:
        wired: The flows, as written.
        unresolved_operators: All operators.
        fragments: The app's fragments; None if it has none.
        default: Link of flows that set none.
        report: Receives the mistakes.
    """
    reader = _Links(unresolved_operators, fragments, report)
    flows: list[Flow] = []
    crossing: list[tuple[Wired, Flow]] = []
    # An input of a fragment template may make several flows from one entry.
    for _, group in groupby(wired, key=lambda one: id(one.item)):
        together = list(group)
        across = [reader.crosses(one.flow) for one in together]
        if not any(crosses is not False for crosses in across):
            reader.report_inside(together[0])
        for one, crosses in zip(together, across, strict=True):
            link = (one.entry and one.entry.link) or default
            flow = replace(one.flow, link=link if crosses else "auto")
            flows.append(flow)
            if crosses:
                crossing.append((one, flow))
                reader.report_compression(one, flow)
                reader.report_hosts(one, flow)
    reader.report_mixture(crossing)
    return tuple(flows)


class _Links:
    def __init__(
        self,
        unresolved_operators: Sequence[UnresolvedOperator],
        fragments: Mapping[str, Fragment] | None,
        report: Report,
    ) -> None:
        self.unresolved_operators = {
            unresolved.name: unresolved for unresolved in unresolved_operators
        }
        self.fragments = fragments
        self.place = {
            operator: name
            for name, fragment in (fragments or {}).items()
            for operator in fragment.operators
        }
        self.report = report

    def crosses(self, flow: Flow) -> bool | None:
        """Whether `flow` leads from one fragment to another; None if a mistake hides it."""
        if self.fragments is None:
            return False
        names = self.place.get(flow.source.operator), self.place.get(flow.target.operator)
        return None if None in names else names[0] != names[1]

    def report_inside(self, one: Wired) -> None:
        """Report link settings of a flow that no link carries."""
        for key in _said(one, "link"):
            where = "in an app without fragments"
            if self.fragments is not None:
                where = f"inside fragment {short(self.place[one.flow.target.operator])}"
            wrong = f"{short(key)} of a flow {where}, which no link carries"
            right = "remove it, or place its two ends in different fragments"
            self.report.add(one.item.keys[key], wrong, right)

    def report_compression(self, one: Wired, flow: Flow) -> None:
        """Report settings that do not fit the flow's link or its messages."""
        if flow.link in ("shared_memory", "ucx"):
            for key in _said(one):
                if flow.link == "ucx" and key == "encrypt" and not flow.encrypt:
                    continue  # ucx never encrypts, so this is true
                wrong = f"{short(key)} of a flow that {flow.link} carries"
                self.report.add(one.item.keys[key], wrong, f"write link: zeromq, or remove {key}")
            return
        if "quality" in _said(one) and flow.compress != "jpeg":
            right = "write compress: jpeg, or remove quality"
            self.report.add(one.item.keys["quality"], "'quality' is for JPEG only", right)
        ports = self.unresolved_operators[flow.source.operator].ports
        kind = ports.outputs[flow.source.port].type if ports else Image
        if flow.compress == "jpeg" and not any(fits(k, Image) for k in (kind, *get_args(kind))):
            wrong = f"JPEG is for images; {short(str(flow.source))} sends {type_name(kind)}"
            self.report.add(one.item.keys["compress"], wrong, "write compress: zstd")

    def report_hosts(self, one: Wired, flow: Flow) -> None:
        """Report shared memory between two hosts."""
        ends = (self.place[end.operator] for end in (flow.source, flow.target))
        hosts = [(self.fragments or {})[name].host or "this one" for name in ends]
        if flow.link == "shared_memory" and hosts[0] != hosts[1]:
            wrong = f"shared memory cannot carry messages from host {short(hosts[0])} to "
            at = one.item.get("link") or one.item
            self.report.add(at.at, wrong + short(hosts[1]), "write link: auto, or zeromq")

    def report_mixture(self, crossing: Sequence[tuple[Wired, Flow]]) -> None:
        """Report ucx links in only a part of the app."""
        by_ucx = [(one, flow) for one, flow in crossing if flow.link == "ucx"]
        others = [(one, flow) for one, flow in crossing if flow.link != "ucx"]
        if not (by_ucx and others):
            return
        one, flow = min(by_ucx, others, key=len)[0]
        link = one.item.get("link")
        wrong = (
            f"ucx carries all flows between fragments or none, but {len(by_ucx)} of "
            f"{len(crossing)} say so"
        )
        right = "write link: ucx on all of them, or under defaults: alone"
        if flow.link == "ucx":
            right += "; or on none, including this one"
        self.report.add(link.at if link else one.item.at, wrong, right)


def _said(one: Wired, *more: str) -> list[str]:
    """Return the keys, of those of a zeromq link and `more`, that differ from the default."""
    given = one.entry.model_fields_set if one.entry is not None else set()
    keys = [key for key in (*more, *_OF_ZEROMQ) if key in given]
    return [key for key in keys if getattr(one.entry, key) not in ("auto", "none", None)]


_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
_NO_LIMITS = {"from", "to", "when_missed", "window", "fail"}


def read_fragments(
    value: Value | None,
    unresolved_operators: list[UnresolvedOperator],
    groups: list[TemplateUse],
    scheduler: Scheduler | None,
    hang: float,
    report: Report,
) -> dict[str, Fragment]:
    """Return the checked fragments; every operator must be in exactly one.

    `scheduler` is that of the app, and `hang` the default of fragments.
    """
    members: dict[str, list[UnresolvedOperator]] = {
        unresolved.name: [unresolved] for unresolved in unresolved_operators
    }
    members.update({group.name: group.members for group in groups})
    entries = value.mapping if value else {}
    found: dict[str, Fragment] = {}
    placed: dict[UnresolvedOperator, str] = {}
    unclear = False
    for name, item in entries.items():
        at = value.keys[name] if value else item.at
        entry = check(
            FragmentSchema, item, report, Wording("key", f" of fragment {short(name)}", at)
        )
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
            for unresolved in members[operator.data]:
                if unresolved in placed:
                    wrong = f"operator {short(unresolved.name)} is in two fragments"
                    right = f"it already is in {short(placed[unresolved])}"
                    if placed[unresolved] == name:
                        wrong, right = f"{short(unresolved.name)} is named twice", "name it once"
                    report.add(operator.at, wrong, right)
                    continue
                placed[unresolved] = name
                here.append(unresolved.name)
        if entry is not None:
            found[name] = _fragment(name, tuple(here), entry, hang, item, at, report)
            _check_fragment(found[name], entry, item, scheduler, report)
    if entries and not unclear:
        names = choices(entries, " or ")
        for unresolved in unresolved_operators:
            if unresolved not in placed:
                right = f"add it to the operators of {names}"
                report.add(
                    unresolved.top[1], f"operator {short(unresolved.name)} is in no fragment", right
                )
    return found


def _fragment(
    name: str,
    operators: tuple[str, ...],
    entry: FragmentSchema,
    hang: float,
    item: Value,
    at: Location,
    report: Report,
) -> Fragment:
    return Fragment(
        name,
        operators,
        host=entry.host,
        port=entry.port,
        gpu=entry.gpu,
        cores=tuple(entry.cores),
        exclusive=entry.exclusive,
        scheduler=read_scheduler(
            item.get("scheduler"), f"the scheduler of {short(name)}", operators, report
        ),
        environment=_environment(item.get("environment"), report),
        memory=int(entry.memory) if entry.memory is not None else None,
        hang=hang if entry.hang is None else entry.hang,
        restart=entry.restart,
        restarts=entry.restarts,
        location=at,
    )


def _environment(value: Value | None, report: Report) -> dict[str, str]:
    """Return the checked variables; numbers and booleans are kept as written."""
    found: dict[str, str] = {}
    for name, item in value.mapping.items() if value else ():
        if not re.fullmatch(ENVIRONMENT_PATTERN, name):
            wrong = f"{short(name)} cannot be the name of an environment variable"
            right = "use only letters, digits and _, and do not start with a digit"
            report.add(value.keys[name] if value else item.at, wrong, right)
        if isinstance(item.data, Broken):
            continue
        if isinstance(item.data, (list, dict)) or item.data is None:
            right = 'write text, a number, true or false; "" is empty'
            report.add(item.at, f"{short(name)} cannot be {shown(plain(item))}", right)
        elif "\0" in item.text:
            report.add(item.at, f"{short(name)} contains a zero byte", "remove it")
        else:
            found[name] = item.text
    return found


def _check_fragment(
    fragment: Fragment,
    entry: FragmentSchema,
    item: Value,
    scheduler: Scheduler | None,
    report: Report,
) -> None:
    """Report keys that conflict with one another."""
    own = item.get("scheduler", "cores")
    pinned = (fragment.scheduler or scheduler or Scheduler()).cores
    outside = sorted(set(pinned) - set(fragment.cores)) if fragment.cores else []
    if outside:
        at = (own or item.mapping["cores"]).at
        whose = "its scheduler" if fragment.scheduler is not None else "the app's scheduler"
        wrong = f"{whose} has workers on {_cores(outside)}, which fragment {short(fragment.name)}"
        right = "add them to cores:, or remove them from the scheduler's"
        report.add(at, f"{wrong} may not use", right)
    if fragment.exclusive and fragment.gpu is None and not fragment.cores:
        wrong = f"fragment {short(fragment.name)} is exclusive, but has no GPU and no cores"
        report.add(item.keys["exclusive"], wrong, "write gpu: or cores: too, or remove it")
    if fragment.gpu is not None and "CUDA_VISIBLE_DEVICES" in fragment.environment:
        at = item.mapping["environment"].keys["CUDA_VISIBLE_DEVICES"]
        report.add(at, "'gpu' sets CUDA_VISIBLE_DEVICES", "remove one of them")
    if "restarts" in entry.model_fields_set and fragment.restart == "never":
        wrong = f"fragment {short(fragment.name)} is never started again"
        report.add(item.keys["restarts"], wrong, "write restart: on-failure or restart: always")


def _cores(numbers: list[int]) -> str:
    return f"core {numbers[0]}" if len(numbers) == 1 else f"cores {choices(numbers)}"


def read_budgets(
    value: Value | None,
    unresolved_operators: list[UnresolvedOperator],
    edges: list[OperatorEdge],
    report: Report,
) -> tuple[Budget, ...]:
    """Return the checked budgets; frames of the first operator must reach the second."""
    by_name = {unresolved.name: unresolved for unresolved in unresolved_operators}
    items = value.data if value is not None and isinstance(value.data, list) else []
    targets = [item.get("to") for item in items]
    known = [by_name.get(str(target.data)) for target in targets if target is not None]
    reach = Reach(
        unresolved_operators, edges, [unresolved for unresolved in known if unresolved is not None]
    )
    found = []
    for item in items:
        entry = check(BudgetSchema, item, report, Wording("key", " of this budget"))
        ends = [item.get("from"), item.get("to")]
        for end in ends:
            if end is not None and isinstance(end.data, str) and end.data not in by_name:
                report.unknown(end.at, "operator", end.data, by_name)
        source, target = (by_name.get(str(end.data)) if end else None for end in ends)
        if source and target and ends[1] and (source is target or not reach.may(source, target)):
            wrong = f"no frame of {short(source.name)} reaches {short(target.name)}"
            report.add(ends[1].at, wrong, "name an operator downstream of it")
        if entry is None:
            continue
        limits = {name: getattr(entry, name.replace(".", "_")) for name in _STATISTICS}
        limits = {name: limit for name, limit in limits.items() if limit is not None}
        if not limits and not set(item.keys) - _NO_LIMITS:
            report.add(item.at, "this budget has no limit", "write one such as p99: 50ms")
        found.append(
            Budget(
                entry.from_, entry.to, limits, entry.when_missed, entry.window, entry.fail, item.at
            )
        )
    return tuple(found)
