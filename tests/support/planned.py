"""An app of three fragments, and a run of it made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from holoflow.stats.snapshot import FragmentStats, MachineStats, Snapshot, Step, WorkerStats
from support.snapshots import flow, operator, path

OPERATORS = """
from collections.abc import Iterator

import numpy as np

from holoflow import Operator
from holoflow.core.payload import Array


class Give(Operator):
    def frames(self) -> Iterator[Array]:
        for _ in range(100):
            yield np.zeros(50_000, np.uint8)


class Pass(Operator):
    def process(self, x: Array) -> Array:
        return x


class End(Operator):
    def process(self, x: Array) -> None:
        pass
"""
KINDS = {"camera": "Give", "detect": "Pass", "screen": "End"}
WORKING = {"camera": 0.001, "detect": 0.020, "screen": 0.010}
"""Seconds that each call takes."""
FRAGMENTS = {"edge": "camera", "infer": "detect", "view": "screen"}


def write_app(folder: Path, *, fragments: bool = True) -> Path:
    """Write the app into `folder`, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "operators.py").write_text(OPERATORS)
    before = {"detect": "camera", "screen": "detect"}
    document: dict[str, Any] = {
        "app": "watch",
        "fuse": "off",
        "operators": {
            name: {
                "type": f"./operators.py:{kind}",
                **({"inputs": {"x": before[name]}} if name in before else {}),
            }
            for name, kind in KINDS.items()
        },
    }
    if fragments:
        document["fragments"] = {name: {"operators": [one]} for name, one in FRAGMENTS.items()}
    (folder / "app.yaml").write_text(json.dumps(document))
    return folder / "app.yaml"


def watched(size: float | None = 50_000.0, **others: Any) -> Snapshot:
    """Return a run of the app, all in one process, in which no call used a core."""
    operators = tuple(
        operator(
            name, seconds, type=f"./operators.py:{KINDS[name]}", cpu=0.0,
            sent=0 if name == "screen" else 300, source=name == "camera", fragment="watch",
        )
        for name, seconds in WORKING.items()
    )  # fmt: skip
    busy = sum(stats.busy for stats in operators)
    return Snapshot(
        **{
            "app": "watch", "run": "a1b2c3", "time": 1.79e9, "seconds": 6.2,
            "operators": operators,
            "flows": (
                flow("camera.out", "detect.x", size=size),
                flow("detect.out", "screen.x", size=size),
            ),
            "paths": (
                path(
                    Step("work", "camera", ""), Step("work", "detect", "x", 0.04, 0.02),
                    Step("work", "screen", "x", 0.0, 0.01),
                ),
            ),
            "workers": (WorkerStats("watch", "worker 1", busy + 300 * 3 * 1e-4),),
            "fragments": (
                FragmentStats(
                    "watch", 1, "box", "holoscan", "event", 2, 6.2, MachineStats(2, 1.0, 1)
                ),
            ),
            **others,
        }
    )  # fmt: skip
