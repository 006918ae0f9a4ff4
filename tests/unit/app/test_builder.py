"""Apps built in code: the same document as in a file, checked by the same reader."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from holoflow import App, AppError, HoloflowError, Image, Operator, load, param
from holoflow.app.catalogue import find_class


class GrayOp(Operator):
    level: float = param(0.5, ge=0, le=1, doc="fraction of full scale")

    def process(self, image: Image) -> Image:
        return image


class ListOp(Operator):
    def process(self, images: list[Image], count: int | None = None) -> None: ...


class AnyOp(Operator):
    def process(self, **values: Image) -> None: ...


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def faces() -> App:
    app = App("faces", scheduler={"workers": 3}, description="finds faces")
    camera = app.add("camera", "capture.synthetic", size=44, length=np.int64(30))
    left = app.add("left", GrayOp, {"on_error": "skip"}, level=0.25)
    right = app.add("right", GrayOp)
    show = app.add("show", ListOp)
    app.flow(f"{camera}.image", left, queue=4, when_full="drop_oldest")
    app.flow(f"{camera}.image", "right.image")
    app.flow([left], "show.images")
    app.flow(right, "show.images")
    app.fragment("edge", [camera, left], cores=[0])
    app.fragment("view", [right, show])
    return app


NAME = f"{GrayOp.__module__}:GrayOp"


def test_the_file_that_says_the_same():
    assert (
        faces().yaml().replace(GrayOp.__module__, "ops")
        == """\
app: faces
description: finds faces

operators:
  camera:
    type: capture.synthetic
    with: {size: 44, length: 30}
  left:
    type: ops:GrayOp
    with: {level: 0.25}
    on_error: skip
    inputs: {image: {from: camera.image, queue: 4, when_full: drop_oldest}}
  right:
    type: ops:GrayOp
    inputs: {image: camera.image}
  show:
    type: ops:ListOp
    inputs: {images: [left, right]}

fragments:
  edge: {operators: [camera, left], cores: [0]}
  view: {operators: [right, show]}

scheduler: {workers: 3}
"""
    )


def without_places(app):
    nodes = {n: dataclasses.replace(node, location=None) for n, node in app.operators.items()}
    flows = [dataclasses.replace(flow, location=None) for flow in app.flows]
    fragments = {n: dataclasses.replace(f, location=None) for n, f in app.fragments.items()}
    return app.name, nodes, flows, fragments, app.scheduler, app.description


def test_it_is_checked_as_the_file_is(monkeypatch):
    monkeypatch.setitem(sys.modules, GrayOp.__module__, sys.modules[__name__])
    Path("faces.yaml").write_text(faces().yaml())
    assert without_places(faces().check()) == without_places(load("faces.yaml"))


def test_mistakes_name_operator_and_port():
    app = faces()
    app.document["operators"]["left"]["with"] = {"level": 3, "levle": 1}
    app.document["operators"]["right"]["inputs"]["image"] = "camera.imag"
    app.document["fragments"]["view"]["gpu"] = "x"
    app.document["schduler"] = {}
    with pytest.raises(AppError) as caught:
        app.check()
    assert str(caught.value).splitlines() == [
        "left.level: 'level' cannot be 3; it is a number from 0 to 1",
        "left.levle: unknown parameter 'levle' of operator 'left'; did you mean 'level'?",
        "right.image: unknown output 'imag' of 'camera'; did you mean 'image'?",
        "fragments.view.gpu: 'gpu' cannot be \"x\"; it is a whole number of at least 0",
        "schduler: unknown key 'schduler'; did you mean 'scheduler'?",
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda app: app.flow("left", "show"), "to which input of 'show'?; write show.images or"),
        (lambda app: app.flow("left", "shw"), "unknown operator 'shw'; did you mean 'show'?"),
        (lambda app: app.flow("left", "camera"), "'camera' has no inputs"),
        (lambda app: app.flow("left", app.add("any", AnyOp)), "write any.PORT"),
        (lambda app: app.add("left", GrayOp), "the app has two operators 'left'"),
        (lambda app: app.add("new", GrayOp, level={1, 2}), "new: an app file cannot have '{1, 2}'"),
        (lambda app: app.fragment("edge", []), "the app has two fragments 'edge'"),
        (lambda app: app.flow("left", app.add("new", "capture.vido")), "did you mean"),
    ],
)
def test_what_cannot_be_said_is_an_error_at_once(wrong, said):
    with pytest.raises(HoloflowError) as caught:
        wrong(faces())
    assert said in str(caught.value)


def test_two_classes_of_one_name_are_told_apart():
    def made() -> type:
        class LocalOp(GrayOp):
            pass

        return LocalOp

    app = App("twice")
    app.add("one", made())
    with pytest.raises(HoloflowError, match="two classes"):
        app.add("other", made())


def test_templates_holoscan_and_the_catalogue():
    app = App("all")
    app.use("clip", "clip", path="clip.mp4")
    app.add("small", find_class("preprocess.resize", Path()), width=3)
    app.flow("clip.image", "small.image")
    assert app.document["operators"] == {
        "clip": {"use": "clip", "with": {"path": "clip.mp4"}},
        "small": {
            "type": "preprocess.resize", "with": {"width": 3}, "inputs": {"image": "clip.image"},
        },
    }  # fmt: skip
    with pytest.raises(HoloflowError, match=r"write clip\.PORT"):
        app.flow("small", "clip")
