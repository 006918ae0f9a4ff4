"""What is found in a picture is told in pixels of its source, whatever ways join."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.graphs import (
    GREEDY,
    INLINE,
    Engine,
    Header,
    Operator,
    Sink,
    app,
    flow,
    node,
    on_both,
    run,
)
from typing_extensions import TypedDict

from holoflow import Arrays, Batching, Boxes, Geometry, Image, hosted, param
from holoflow.app.graph import Node
from holoflow.core.passed_geometry import pass_geometry, shared
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanOperator
from holoflow.operators.inference._messages import run_together
from holoflow.operators.postprocess.yolo import YoloOp
from holoflow.operators.preprocess.letterbox import LetterboxOp
from holoflow.operators.preprocess.resize import ResizeOp

core = runtime.load().core
SPACING = (0.5, 0.25)


class Scene(Operator):
    def frames(self) -> Iterator[Image]:
        for _ in range(3):
            geometry = Geometry.of(320, 240, SPACING)
            yield Image(np.zeros((240, 320, 3), np.uint8), "rgb", geometry)


class Region(Operator):
    """A first detector, and what is cut out where it found something."""

    by_hand: bool = param(True, doc="whether it cuts without telling where")

    def process(self, fitted: Image, image: Image) -> Image:
        x0, y0, x1, y1 = 100, 60, 220, 180
        if self.by_hand:
            return image.with_data(image.data[y0:y1, x0:x1])
        return image.cropped(x0, y0, x1, y1)


class Head(Operator):
    """A model that finds a box of 20 x 20 pixels around (50, 50) in whatever it sees."""

    FOUND = np.array([50, 50, 20, 20, 0.9], np.float32).reshape(1, 5, 1)

    def process(self, image: Image) -> Arrays:
        return Arrays(found=self.FOUND)


class Several(TypedDict):
    found: Arrays
    size: int


class SeveralHead(Head):
    def process(self, image: Image) -> Several:  # type: ignore[override]
        return {"found": super().process(image), "size": image.width}


class LazyHead(Head):
    def process(self, image: Image) -> Iterator[Arrays]:  # type: ignore[override]
        yield super().process(image)


class BatchHead(Head):
    def batching(self) -> Any:
        return Batching(2, 0.0)

    def process_batch(self, batch: Any) -> list[Arrays]:
        return run_together(
            [Arrays(x=np.zeros(1)) for _ in batch],
            lambda joined: Arrays(found=np.repeat(self.FOUND, len(joined["x"]), axis=0)),
        )


class Found(Sink):
    def process(self, x: Boxes, header: Header) -> None:
        assert x.geometry is not None
        super().process((x.xyxy[0].tolist(), x.geometry.spacing_mm), header)


def yolo(name: str = "yolo") -> Node:
    return node(name, YoloOp, {"head": "v8"})


@on_both
@pytest.mark.parametrize("head", [Head, SeveralHead, LazyHead, BatchHead])
def test_what_a_model_gives_knows_the_picture_it_saw(engine: Engine, head: type) -> None:
    """Also where it says nothing of it, as inference does."""
    out = "head.found" if head is SeveralHead else "head"
    graph = app(
        [
            node("scene", Scene), node("fit", LetterboxOp, {"width": 640, "height": 640}),
            node("small", ResizeOp, {"scale": 0.5}), node("head", head), yolo(),
            node("sink", Found),
        ],
        [
            flow("scene", "fit.image"), flow("fit", "small.image"), flow("small", "head.image"),
            flow(out, "yolo.outputs"), flow("yolo", "sink.x"),
        ],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.payloads() == [([40, 0, 60, 20], SPACING)] * 3


@on_both
@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [(True, ([40, 40, 60, 60], None)), (False, ([140, 100, 160, 120], SPACING))],
)
def test_a_picture_keeps_its_own_geometry_through_a_join(
    engine: Engine, by_hand: bool, expected: Any
) -> None:
    graph = app(
        [
            node("scene", Scene), node("fit", LetterboxOp, {"width": 640, "height": 640}),
            node("roi", Region, {"by_hand": by_hand}), node("head", Head), yolo(),
            node("sink", Found),
        ],
        [
            flow("scene", "fit.image"), flow("fit", "roi.fitted"), flow("scene", "roi.image"),
            flow("roi", "head.image"), flow("head", "yolo.outputs"), flow("yolo", "sink.x"),
        ],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.payloads() == [expected] * 3


class Model(core.Operator):  # type: ignore[name-defined, misc]
    """An operator of Holoscan's that makes other tensors of what it gets."""

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        op_input.receive("in")
        op_output.emit({"found": Head.FOUND.copy()}, "out")


@pytest.mark.parametrize("engine", [GREEDY], ids=str)
def test_geometry_passes_holoscans_own_operators(engine: Engine) -> None:
    holoscan_operator = HoloscanOperator(Model, {}, (), ("in",), ("out",))
    graph = app(
        [
            node("scene", Scene), node("fit", LetterboxOp, {"width": 640, "height": 640}),
            Node("model", f"{__name__}:Model", Model, holoscan_operator=holoscan_operator), yolo(),
            node("sink", Found),
        ],
        [
            flow("scene", "fit.image"), flow("fit", "model.in"), flow("model", "yolo.outputs"),
            flow("yolo", "sink.x"),
        ],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.payloads() == [([20, 0, 30, 0], SPACING)] * 3


def test_geometry_passes_an_application_written_by_hand() -> None:
    class Last(Operator):
        got: list[Any] = []  # noqa: RUF012

        def process(self, boxes: Boxes) -> None:
            self.got.append((boxes.xyxy[0].tolist(), boxes.geometry))

    last = Last()
    last.got = []

    class ByHand(core.Application):  # type: ignore[name-defined, misc]
        def compose(self) -> None:
            made = [
                hosted(self, operator, name=f"op{index}")
                for index, operator in enumerate(
                    [Scene(), LetterboxOp(width=640, height=640), Head(), YoloOp(head="v8"), last]
                )
            ]
            ports = ("image", "image", "outputs", "boxes")
            for one, other, port in zip(made[:-1], made[1:], ports, strict=True):
                self.add_flow(one, other, {("out", port)})

    ByHand().run()
    assert last.got == [([20, 0, 30, 0], Geometry.of(320, 240, SPACING))] * 3


def test_pictures_that_differ_share_no_geometry() -> None:
    scene = next(Scene().frames())
    part = scene.cropped(0, 0, 9, 9)
    tensor = Arrays(x=part.data, geometry=part.geometry)
    assert shared([part, tensor, Boxes.empty(), Header(0, 0, "")]) == part.geometry
    assert shared([[part, part], Arrays(x=part.data)]) == part.geometry
    assert shared([part, scene]) is None
    assert shared([[part, scene]]) is None
    assert shared([3, Boxes.empty()]) is None


def test_operators_that_give_no_arrays_are_left_as_they_are() -> None:
    fit, head = LetterboxOp(width=64, height=64), Head()
    pass_geometry(fit)
    pass_geometry(head)
    assert "process" not in vars(fit)
    assert "process" in vars(head)


class Unsaid(Operator):
    """Finds a box, and does not say in which pixels."""

    def process(self, image: Image) -> Boxes:
        return Boxes(np.ones((1, 4), np.float32))


class Any4(Sink):
    def process(self, x: Boxes, header: Header) -> None:
        super().process(x.xyxy.tolist(), header)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_boxes_that_say_nothing_of_their_picture_are_told_where_it_matters(
    scale: float, caplog: pytest.LogCaptureFixture
) -> None:
    graph = app(
        [
            node("scene", Scene), node("small", ResizeOp, {"scale": scale}),
            node("find", Unsaid), node("sink", Any4),
        ],
        [flow("scene", "small.image"), flow("small", "find.image"), flow("find", "sink.x")],
    )  # fmt: skip
    assert run(graph, INLINE).payloads() == [[[1, 1, 1, 1]]] * 3
    told = [r.getMessage() for r in caplog.records if "without a geometry" in r.getMessage()]
    assert len(told) == (scale != 1)
    assert all("160 x 120 pixels made from one of 320 x 240" in text for text in told)
