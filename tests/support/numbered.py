"""An app whose frames are numbered, in three fragments, and what it leaves.

`first` gives small arrays, `middle` works on them, `last` writes down the number of each that
came.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holoflow.stats.snapshot import FlowStats, Snapshot

FRAGMENTS = {"first": "source", "middle": "work", "last": "table"}
"""The fragments, with the operator of each."""
_FAST = {"kind": "greedy", "workers": 1}


def write_app(
    folder: Path,
    link: str = "auto",
    *,
    rate: float = 200,
    seconds: float = 0,
    when_full: str = "block",
    queue: int = 8,
    fragments: Mapping[str, Mapping[str, Any]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write the app into `folder` and return its file.

    `seconds` is what the last operator takes for a frame. `fragments` has keys for each of them;
    `more` are operators that stand in the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("numbered_operators.py"), folder / "operators.py")

    def operator(cls: str, before: str | None = None, **parameters: Any) -> dict[str, Any]:
        came = {"from": before, "link": link, "queue": queue, "when_full": when_full}
        inputs = {} if before is None else {"inputs": {"x": came}}
        return {"type": f"./operators.py:{cls}", "with": parameters, **inputs}

    given, others = fragments or {}, more or {}
    document = {
        "app": "numbered",
        "operators": {
            "source": operator("NumbersOp", rate=rate),
            "work": operator("WorkOp", "source"),
            "table": operator("TableOp", "work", seconds=seconds),
            **others,
        },
        "fragments": {
            name: {"operators": [one, *(others if name == "last" else ())], **given.get(name, {})}
            for name, one in FRAGMENTS.items()
        },
        "scheduler": _FAST,
    }
    path = folder / "app.yaml"
    path.write_text(json.dumps(document, indent=1))
    return path


@dataclass(frozen=True)
class Table:
    """What the last operator has written down."""

    frames: Counter[int]
    """How often each frame came, whatever its number."""
    numbers: tuple[int, ...]
    """The numbers of the frames, as they came."""
    broken: tuple[str, ...]
    """Lines of arrays that were not as they had been sent."""

    @property
    def twice(self) -> list[int]:
        """Frames that came more than once."""
        return [frame for frame, times in self.frames.items() if times > 1]


def read_table(folder: Path) -> Table:
    """Return what was written in the run's `folder`; nothing where nothing was."""
    path = folder / "table.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split(maxsplit=2) for line in lines]
    return Table(
        Counter(int(row[1]) for row in rows),
        tuple(int(row[0]) for row in rows),
        tuple(" ".join(row) for row in rows if len(row) > 2),
    )


def count(folder: Path) -> int:
    """Return how many frames have come so far."""
    path = folder / "table.txt"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def mistakes(
    work: FlowStats, last: FlowStats, table: Table, *, in_hand: int = 0, anew: bool = False,
    twice: int = 0, uncounted: int = 0,
) -> list[str]:  # fmt: skip
    """Say what of the statistics of a run does not go with what has come; nothing where all does.

    `in_hand` is how many frames may have been passed on by a process that died before it could
    say so: they are counted as lost. `anew` says that the source may have begun to count again,
    `twice` how many frames may have come twice, and `uncounted` how many may be lost uncounted.
    """
    came = len(table.frames)
    found = [f"counts do not add up: {shown(b)}" for b in (work, last) if not adds_up(b)]
    lost, counted = work.sent - came, work.lost + last.lost
    if not lost - uncounted <= counted <= lost + in_hand:
        found.append(f"{lost} of {work.sent} frames did not come, {counted} are counted as lost")
    if not last.delivered <= came <= last.delivered + in_hand:
        found.append(f"{last.delivered} are counted as delivered, and {came} came")
    found += [f"came twice: {table.twice[:10]}"] * (len(table.twice) > twice)
    found += [f"broken on the way: {line}" for line in table.broken[:3]]
    if not anew and sorted(set(table.numbers)) != list(table.numbers):
        found.append("numbers of frames are not in order, or are there twice")
    return found


def adds_up(stats: FlowStats) -> bool:
    """Whether what was sent is what was delivered and what was dropped."""
    whole = stats.sent == stats.delivered + stats.lost and stats.waiting == 0
    return whole and min(stats.delivered, *stats.dropped.values(), 0) >= 0


def shown(stats: FlowStats) -> str:
    """Return the statistics in a line."""
    counts = f"{stats.sent} sent, {stats.delivered} delivered, {stats.waiting} waiting"
    return f"{stats.name}: {counts}, dropped {dict(stats.dropped)}"


def flows(snapshot: Snapshot) -> tuple[FlowStats, FlowStats]:
    """Return the statistics of the flow into `work` and of that into `table`."""
    found = {stats.consumer: stats for stats in snapshot.flows}
    return found["work"], found["table"]
