"""What carries the flows between fragments, and how their messages are packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import get_args

from holoflow.app.drafts import Draft
from holoflow.app.graph import Flow, Fragment
from holoflow.app.report import Report, short
from holoflow.app.wiring import Wired
from holoflow.payload import Image
from holoflow.ports import fits, type_name

_OF_ZEROMQ = ("compress", "quality", "encrypt")


def read_links(
    wired: Sequence[Wired],
    drafts: Sequence[Draft],
    fragments: Mapping[str, Fragment] | None,
    default: str,
    report: Report,
) -> tuple[Flow, ...]:
    """Return the flows with their links, reporting what an input says of them that cannot be.

    `fragments` is None where the app has none; `default` carries a flow that does not say.
    """
    reader = _Links(drafts, fragments, report)
    flows: list[Flow] = []
    crossing: list[tuple[Wired, Flow]] = []
    # An input of a reusable fragment may make several flows of one thing written.
    for _, group in groupby(wired, key=lambda one: id(one.item)):
        together = list(group)
        across = [reader.crosses(one.flow) for one in together]
        if not any(crosses is not False for crosses in across):
            reader.tell_inside(together[0])
        for one, crosses in zip(together, across, strict=True):
            link = (one.piece and one.piece.link) or default
            flow = replace(one.flow, link=link if crosses else "auto")
            flows.append(flow)
            if crosses:
                crossing.append((one, flow))
                reader.tell_packing(one, flow)
                reader.tell_hosts(one, flow)
    reader.tell_mixture(crossing)
    return tuple(flows)


class _Links:
    def __init__(
        self, drafts: Sequence[Draft], fragments: Mapping[str, Fragment] | None, report: Report
    ) -> None:
        self.drafts = {draft.name: draft for draft in drafts}
        self.fragments = fragments
        self.place = {
            operator: name
            for name, fragment in (fragments or {}).items()
            for operator in fragment.operators
        }
        self.report = report

    def crosses(self, flow: Flow) -> bool | None:
        """Whether `flow` leads from one fragment to another; None where a mistake hides it."""
        if self.fragments is None:
            return False
        names = self.place.get(flow.source.operator), self.place.get(flow.target.operator)
        return None if None in names else names[0] != names[1]

    def tell_inside(self, one: Wired) -> None:
        """Report whatever is said of a link where there is none."""
        for key in _said(one, "link"):
            where = "in an app without fragments"
            if self.fragments is not None:
                where = f"inside fragment {short(self.place[one.flow.target.operator])}"
            wrong = f"{short(key)} of a flow {where}, which no link carries"
            right = "remove it, or place its two ends in different fragments"
            self.report.add(one.item.keys[key], wrong, right)

    def tell_packing(self, one: Wired, flow: Flow) -> None:
        """Report what does not go with the flow's link, or with its messages."""
        if flow.link in ("shared_memory", "ucx"):
            for key in _said(one):
                if flow.link == "ucx" and key == "encrypt" and not flow.encrypt:
                    continue  # ucx never does; whoever says so knows
                wrong = f"{short(key)} of a flow that {flow.link} carries"
                self.report.add(one.item.keys[key], wrong, f"write link: zeromq, or remove {key}")
            return
        if "quality" in _said(one) and flow.compress != "jpeg":
            right = "write compress: jpeg, or remove quality"
            self.report.add(one.item.keys["quality"], "'quality' is that of JPEG", right)
        ports = self.drafts[flow.source.operator].ports
        kind = ports.outputs[flow.source.port].type if ports else Image
        if flow.compress == "jpeg" and not any(fits(k, Image) for k in (kind, *get_args(kind))):
            wrong = f"JPEG is for images; {short(str(flow.source))} sends {type_name(kind)}"
            self.report.add(one.item.keys["compress"], wrong, "write compress: zstd")

    def tell_hosts(self, one: Wired, flow: Flow) -> None:
        """Report shared memory between two hosts."""
        ends = (self.place[end.operator] for end in (flow.source, flow.target))
        hosts = [(self.fragments or {})[name].host or "this one" for name in ends]
        if flow.link == "shared_memory" and hosts[0] != hosts[1]:
            wrong = f"shared memory carries nothing from host {short(hosts[0])} to "
            at = one.item.get("link") or one.item
            self.report.add(at.at, wrong + short(hosts[1]), "write link: auto, or zeromq")

    def tell_mixture(self, crossing: Sequence[tuple[Wired, Flow]]) -> None:
        """Report where ucx is to carry a part of the app."""
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
            right += "; or on none, this one neither"
        self.report.add(link.at if link else one.item.at, wrong, right)


def _said(one: Wired, *more: str) -> list[str]:
    """Return which keys of a zeromq link, and of `more`, say something other than the default."""
    given = one.piece.model_fields_set if one.piece is not None else set()
    keys = [key for key in (*more, *_OF_ZEROMQ) if key in given]
    return [key for key in keys if getattr(one.piece, key) not in ("auto", "none", None)]
