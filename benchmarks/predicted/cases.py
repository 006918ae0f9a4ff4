"""The apps that are run and predicted: three fragments in a row, with known work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FRAGMENTS = {"first": "scene", "middle": "work", "last": "end"}
"""The fragments, with the operator of each."""
PLACES: tuple[Mapping[str, str], ...] = (
    {"first": "a", "middle": "a", "last": "a"},
    {"first": "a", "middle": "b", "last": "b"},
    {"first": "a", "middle": "b", "last": "c"},
)
"""One host, two, three."""


@dataclass(frozen=True)
class Case:
    """An app, and the networks that it is tried on."""

    name: str
    size: int
    """Bytes of a message."""
    work: Mapping[str, float]
    """What the middle operator does for each: `sleep` or `spin`, in seconds."""
    end: Mapping[str, float]
    """What the last one does."""
    rate: float = 0.0
    """Frames a second; 0 gives them as fast as they are taken."""
    bandwidths: tuple[str, ...] = ("1gbit", "100mbit")
    encrypt: bool = True


CASES = (
    Case("sleeps 20 and 10 ms, 100 kB", 100_000, {"sleep": 0.020}, {"sleep": 0.010}),
    Case("sleeps 20 and 10 ms, 100 kB, 20 a second", 100_000, {"sleep": 0.020}, {"sleep": 0.010},
         rate=20.0),
    Case("sleeps 5 and 5 ms, 0.9 MB", 921_600, {"sleep": 0.005}, {"sleep": 0.005},
         bandwidths=("1gbit", "200mbit", "50mbit")),
    Case("sleeps 5 and 5 ms, 0.9 MB, not encrypted", 921_600, {"sleep": 0.005}, {"sleep": 0.005},
         bandwidths=("1gbit", "200mbit"), encrypt=False),
    Case("spins 10 and 10 ms, 100 kB", 100_000, {"spin": 0.010}, {"spin": 0.010},
         bandwidths=("1gbit",)),
    Case("spins 10 and 10 ms, 100 kB, 20 a second", 100_000, {"spin": 0.010}, {"spin": 0.010},
         rate=20.0, bandwidths=("1gbit",)),
)  # fmt: skip


def document(case: Case, places: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the app's file; without `places` it names no hosts."""
    flow = {"encrypt": case.encrypt}
    fragments: dict[str, dict[str, Any]] = {
        name: {"operators": [operator]} for name, operator in FRAGMENTS.items()
    }
    if places is not None and len(set(places.values())) > 1:
        for name, host in places.items():
            fragments[name]["host"] = host
    kind = "./operators.py:"
    return {
        "app": "predicted",
        "operators": {
            "scene": {"type": f"{kind}SceneOp", "with": {"size": case.size, "rate": case.rate}},
            "work": {
                "type": f"{kind}WorkOp", "with": dict(case.work),
                "inputs": {"x": {"from": "scene", **flow}},
            },
            "end": {
                "type": f"{kind}EndOp", "with": dict(case.end),
                "inputs": {"x": {"from": "work", **flow}},
            },
        },
        "fragments": fragments,
    }  # fmt: skip
