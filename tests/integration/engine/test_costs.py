"""What the engine spends on a frame, in numbers that do not depend on how busy the machine is.

Each is the slope between a short and a long run, so that start and end are not in it. The limits
are about twice what was counted, since where a time slice ends depends on the clock.
"""

from __future__ import annotations

import functools
import gc
import inspect
import json
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import Engine, Pass, chain, node, on_both

import holoflow
from holoflow import Image, Operator, param
from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.app.graph import App
from holoflow.engine import RunOptions, execute
from holoflow.plan import plan

PACKAGE = Path(holoflow.__file__).parent
ENGINE = tuple(str(PACKAGE / room) for room in ("core", "engine", "holoscan", "link", "stats"))
"""Where code counts as the engine's: not the operators, nor their libraries."""
FACES = PACKAGE.parent / "apps" / "faces" / "app.yaml"


class Count(Operator):
    """A source."""

    n: int = param(10, doc="frames")

    def frames(self) -> Iterator[int]:
        return iter(range(self.n))


class End(Operator):
    """Keeps nothing."""

    def process(self, x: Any) -> None:
        pass


def five(frames: int) -> App:
    """A source, five operators that pass on what comes, and an end."""
    passing = (node(f"pass{number}", Pass) for number in range(5))
    return chain(node("source", Count, {"n": frames}), *passing, node("end", End))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of tiny pictures, and the assets of `faces`."""
    import av

    fetch_all(load(FACES))
    path = tmp_path_factory.mktemp("clip") / "tiny.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(10):
            pixels = np.full((32, 32, 3), 20 * number, np.uint8)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def video(clip: Path, folder: Path) -> App:
    """`faces` without page and table."""
    changed = {
        "camera": {"with": {"path": str(clip), "loop": True, "paced": False}},
        "picture": {"with": {"height": 32}},
        "fitted": {"with": {"width": 32, "height": 32}},
        "screen": None,
        "table": None,
    }
    file = folder / "app.yaml"
    file.write_text(json.dumps({"extends": str(FACES), "app": "video", "operators": changed}))
    return load(file)


def run(
    graph: App, folder: Path, frames: int, *, fuse: bool = True, engine: Any = "inline"
) -> None:
    options = RunOptions(engine=engine, output=folder, frames=frames, web=False)
    result = execute(plan(graph, fuse=fuse), options)
    assert result.failure is None
    assert {operator.frames for operator in result.last.operators} == {frames}


def calls(work: Callable[[], None]) -> int:
    """Functions, also built in ones, that the engine's code calls meanwhile."""
    counted = 0
    own: dict[str, bool] = {}

    def count(frame: Any, event: str, _argument: Any) -> None:
        nonlocal counted
        if event in ("call", "c_call"):
            name = frame.f_code.co_filename
            if name not in own:
                own[name] = name.startswith(ENGINE)
            counted += own[name]

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return counted


def blocks(work: Callable[[], None]) -> int:
    """Blocks of memory that are left behind."""
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    return sys.getallocatedblocks() - before


def system_calls(work: Callable[[], None]) -> int:
    """Reads, writes, and waits."""

    def counted() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        io = dict(line.split(": ") for line in lines)
        waits = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        return int(io["syscr"]) + int(io["syscw"]) + waits

    before = counted()
    work()
    return counted() - before


def slope(
    count: Callable[[Callable[[], None]], int],
    work: Callable[[int], None],
    short: int,
    long: int,
) -> float:
    """How much `count` grows with a frame."""
    work(short)  # what is made once is there
    fewer, more = count(lambda: work(short)), count(lambda: work(long))
    return (more - fewer) / (long - short)


needs_proc = pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")


@pytest.mark.parametrize(("fuse", "most"), [(True, 40), (False, 800)], ids=["fused", "unfused"])
def test_a_chain_makes_few_calls(fuse: bool, most: int, tmp_path: Path) -> None:
    """Of 7 operators: 20 calls a frame were counted fused, 410 unfused."""
    counted = slope(calls, lambda n: run(five(n), tmp_path, n, fuse=fuse), 200, 1200)
    assert counted < most


@on_both
@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])
def test_a_chain_leaves_no_memory_behind(engine: Engine, fuse: bool, tmp_path: Path) -> None:
    """A block of memory in 400 frames, or fewer, was counted: the bins of distributions."""

    def work(frames: int) -> None:
        run(five(frames), tmp_path, frames, fuse=fuse, engine=engine.name)

    assert slope(blocks, work, 1_000, 6_000) < 0.05


@needs_proc
@pytest.mark.parametrize(
    ("engine", "fuse", "most"),
    [("inline", True, 0.1), ("holoscan", True, 0.1), ("inline", False, 1.0)],
    ids=["fused", "fused, holoscan", "unfused"],
)
def test_a_chain_makes_few_system_calls(
    engine: str, fuse: bool, most: float, tmp_path: Path
) -> None:
    """0.004 a frame were counted fused, 0.06 unfused; the machine is sampled ten times a second."""

    def work(frames: int) -> None:
        run(five(frames), tmp_path, frames, fuse=fuse, engine=engine)

    assert slope(system_calls, work, 1_000, 11_000) < most


@pytest.mark.slow
def test_a_video_pipeline_makes_few_calls(clip: Path, tmp_path: Path) -> None:
    """Of 8 operators in 7 stages: 1,500 calls a frame were counted, and 2 blocks left behind."""
    graph = video(clip, tmp_path)
    assert slope(calls, lambda n: run(graph, tmp_path, n), 10, 40) < 3_000
    assert slope(blocks, lambda n: run(graph, tmp_path, n), 20, 80) < 10


@needs_proc
@pytest.mark.slow
def test_a_video_pipeline_makes_few_system_calls(clip: Path, tmp_path: Path) -> None:
    """76 a frame were counted: the clip and its results, and threads of codecs and the model."""
    graph = video(clip, tmp_path)
    assert slope(system_calls, lambda n: run(graph, tmp_path, n), 20, 80) < 300


@on_both
def test_pictures_are_not_copied_between_operators(
    engine: Engine, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every picture that an operator takes lies where another, or the source, has put it."""
    graph = video(clip, tmp_path)
    made: dict[int, Image] = {}  # kept, so that no other is made in its place
    taken: list[int] = []

    def address(image: Image) -> int:
        return image.data.__array_interface__["data"][0]

    def watch(cls: type) -> None:
        process = cls.process
        hints = inspect.signature(process)

        @functools.wraps(process)
        def watched(*arguments: Any, **inputs: Any) -> Any:
            given = hints.bind(*arguments, **inputs).arguments
            taken.extend(address(value) for value in given.values() if isinstance(value, Image))
            result = process(*arguments, **inputs)
            if isinstance(result, Image):
                made[address(result)] = result
            return result

        monkeypatch.setattr(cls, "process", watched)

    for cls in {one.cls for one in graph.operators.values()}:
        if cls.ports().source:
            draw = cls.frames

            def frames(self: Any, draw: Any = draw) -> Iterator[Any]:
                for stamped in draw(self):
                    made[address(stamped.payload)] = stamped.payload
                    yield stamped

            monkeypatch.setattr(cls, "frames", frames)
        else:
            watch(cls)
    run(graph, tmp_path, 5, engine=engine.name)
    # By resize, letterbox, tensor, overlay and the writer.
    assert len(taken) == 5 * 5
    assert set(taken) <= made.keys()
