"""Apps of any number of operators: chains, trees, joins, in one process or in fragments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

OPERATORS: Final = Path(__file__).parent / "operators.py"

Entries: TypeAlias = dict[str, dict[str, Any]]
"""The `operators:` of an app."""


def _entry(name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": f"{OPERATORS}:{name}", **({"inputs": inputs} if inputs else {}), **more}


def chain(count: int, **more: Any) -> Entries:
    """Return a source with `count` - 1 operators behind it, one after the other."""
    entries = {"o0": _entry("SourceOp", {})}
    for i in range(1, count):
        entries[f"o{i}"] = _entry("PassOp", {"value": f"o{i - 1}"}, **more)
    return entries


def tree(count: int, fan_out: int) -> Entries:
    """Return a source and operators of which each feeds up to `fan_out` others."""
    entries = {"o0": _entry("SourceOp", {})}
    for i in range(1, count):
        entries[f"o{i}"] = _entry("PassOp", {"value": f"o{(i - 1) // fan_out}"})
    return entries


def joins(count: int) -> Entries:
    """Return a source and, one after the other, splits into two ways that are joined by frame."""
    return _splits(count, lambda one, other: _entry("JoinOp", {"value": one, "other": other}))


def merges(count: int) -> Entries:
    """Return the same with ways that are merged."""
    return _splits(
        count, lambda one, other: {"type": "flow.merge", "inputs": {"messages": [one, other]}}
    )


def _splits(count: int, meet: Callable[[str, str], dict[str, Any]]) -> Entries:
    entries = {"o0": _entry("SourceOp", {})}
    last = "o0"
    for i in range(1, count):
        if i % 3:
            entries[f"o{i}"] = _entry("PassOp", {"value": last})
        else:
            last = f"o{i}"
            entries[last] = meet(f"o{i - 2}", f"o{i - 1}")
    return entries


SHAPES: Final[Mapping[str, Callable[[int], Entries]]] = {
    "chain": chain,
    "chain, unfused": lambda count: chain(count, fuse="off"),
    "fan-out 2": lambda count: tree(count, 2),
    "fan-out 64": lambda count: tree(count, 64),
    "joins": joins,
    "merges": merges,
}


def write(path: Path, entries: Entries, *, fragments: int = 1, link: str = "auto") -> Path:
    """Write the app of `entries` to `path`, cut into as many `fragments`; return `path`."""
    app: dict[str, Any] = {"app": path.stem, "operators": entries}
    if fragments > 1:
        names = list(entries)
        bounds = [len(names) * i // fragments for i in range(fragments + 1)]
        app["fragments"] = {
            f"f{i}": {"operators": names[begin:end]}
            for i, (begin, end) in enumerate(pairwise(bounds))
        }
        app["defaults"] = {"link": link}
    path.write_text(json.dumps(app))
    return path
