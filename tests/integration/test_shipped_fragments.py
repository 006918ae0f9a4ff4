"""The reusable fragments that ship do what docs/how-to/use-fragment-templates.md says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import numpy as np
import pytest

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.app.document import parse, plain
from holoflow.app.graph import App, Sync
from holoflow.app.mistakes import Report
from holoflow.app.templates import shipped
from holoflow.core.errors import AppError
from holoflow.core.message import Stamped
from holoflow.core.pictures import Image
from holoflow.engine import RunOptions, execute
from holoflow.operators.capture.camera import CameraOp
from holoflow.plan import plan
from holoflow.plan.draw import draw_text

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "use-fragment-templates.md").read_text(
    encoding="utf-8"
)
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
EXAMPLES = {
    name: re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0] for name, text in SECTIONS.items()
}


def pictures(camera: CameraOp) -> Iterator[Stamped[Image]]:
    """Give three images as a camera of that number might."""
    assert camera.format == "auto"
    for _ in range(3):
        shape = (camera.height or 48, camera.width or 64, 3)
        yield Stamped(Image(np.full(shape, camera.device, np.uint8), camera.colour))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with `my.mp4`, ten frames of 64 x 48 pixels."""
    monkeypatch.chdir(tmp_path)
    with av.open("my.mp4", "w") as clip:
        stream = clip.add_stream("mpeg4", 30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(10):
            pixels = np.full((48, 64, 3), 20 * level, np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        clip.mux(stream.encode())
    return tmp_path


def loaded(text: str) -> App:
    Path("app.yaml").write_text(text)
    return load(Path("app.yaml"), environment={})


def run(text: str) -> Path:
    """Run an app in this process and return its output folder."""
    app = loaded(text)
    fetch_all(app)
    assert draw_text(plan(app), width=200)
    output = Path("output")
    options = RunOptions("inline", output, lossless=True, web=False)
    result = execute(plan(app, lossless=True), options)
    assert result.outcome == "done", result.failure
    return output


def lines(file: Path) -> list[Mapping]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def frames(file: Path) -> list[tuple[int, int]]:
    with av.open(str(file)) as clip:
        return [(frame.width, frame.height) for frame in clip.decode(video=0)]


def test_each_has_a_section_with_all_its_parameters_and_ports():
    assert set(SECTIONS) == set(shipped())
    for name, file in shipped().items():
        report = Report()
        value = parse(file.read_text(encoding="utf-8"), str(file), report)
        assert value is not None
        given = plain(value)
        assert given["fragment"] == name
        assert given["description"]
        assert all(parameter["doc"] for parameter in given["parameters"].values())
        for word in (*given["parameters"], *given.get("inputs", ()), *given.get("outputs", ())):
            assert f"`{word}`" in SECTIONS[name], (name, word)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_right(name: str, folder: Path) -> None:
    app = loaded(EXAMPLES[name])
    files = {operator.location.file for operator in app.operators.values() if operator.location}
    assert str(shipped()[name]) in files
    assert plan(app).notices == ()


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"camera"}))
def test_examples_run(name: str, folder: Path) -> None:
    output = run(EXAMPLES[name])
    if name == "clip":
        assert len(list(output.glob("*.png"))) == 10
    if name == "recorder":
        assert len(lines(output / "recording.jsonl")) == 30
        assert len(lines(output / "recording.jsonl")[0]["boxes"]) == 3
        assert frames(output / "recording.mp4") == [(320, 240)] * 30
        assert frames(output / "thumbnail.mp4") == [(80, 60)] * 30
        assert set(lines(output / "thumbnail.jsonl")[0]) == {
            "sequence", "timestamp", "source", "image",
        }  # fmt: skip


def test_two_cameras(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CameraOp, "start", lambda self: None)
    monkeypatch.setattr(CameraOp, "frames", pictures)
    output = run("""\
app: two
operators:
  left: {use: camera, with: {width: 32, height: 16}}
  right: {use: camera, with: {device: 200, resize: {height: 24}, colour: bgr}}
  left_files: {use: recorder, inputs: {image: left}, with: {name: left}}
  right_files: {use: recorder, inputs: {image: right}, with: {name: right}}
""")
    assert frames(output / "left.mp4") == [(32, 16)] * 3
    assert frames(output / "right.mp4") == [(32, 24)] * 3
    (image,) = {json.dumps(line["image"]) for line in lines(output / "right.jsonl")}
    assert json.loads(image) == {"shape": [24, 32, 3], "dtype": "uint8", "colour": "bgr"}


def test_joining_by_time(folder: Path) -> None:
    text = EXAMPLES["recorder"].replace(
        "boxes: scene.boxes}", "boxes: scene.boxes}, with: {sync: {leader: image, tolerance: 1ms}}"
    )
    assert loaded(text).operators["whole.table"].sync == Sync("image", 0.001)
    assert len(lines(run(text) / "recording.jsonl")) == 30


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("camera", "device: 1", "device: 0", "both need /dev/video0; only one can have it"),
        ("camera", "height: 480", "heigth: 480", "unknown parameter 'heigth' of operator"),
        ("clip", "path: my.mp4", "path: your.mp4", "there is no file 'your.mp4'"),
        ("clip", "path: my.mp4, ", "", "missing parameter 'path' of fragment 'clip'; file, or URL"),
        ("clip", "image: clip", "image: clip.picture", "unknown output 'picture' of 'clip'"),
        ("detector", "width: 320", "width: wide", "'width' cannot be \"wide\"; it is a whole"),
        ("detector", "faces.boxes", "faces.box", "unknown output 'box' of 'faces'; did you mean"),
        ("recorder", "name: thumbnail, ", "", "both need the file recording.mp4"),
        ("recorder", "name: thumbnail", "name: thumbnail, fps: 3", "unknown parameter of fragment"),
        ("web_view", "boxes: scene.boxes", "box: scene.boxes", "unknown input of 'page': 'box'"),
        ("web_view", "title: a scene", "port: 123456", "'port' cannot be 123456"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_the_app(
    name: str, old: str, new: str, message: str, folder: Path
) -> None:
    assert old in EXAMPLES[name]
    with pytest.raises(AppError) as caught:
        loaded(EXAMPLES[name].replace(old, new))
    assert message in str(caught.value)
    assert {mistake.location.file for mistake in caught.value.mistakes} == {"app.yaml"}


@pytest.mark.parametrize("name", shipped())
def test_mistakes_inside_have_its_own_file_and_line(name: str, folder: Path) -> None:
    own = shipped()[name].read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(own, 1) if text.startswith("    type: "))
    own[line - 1] += "x"
    (folder / f"{name}.yaml").write_text("\n".join(own) + "\n")
    with pytest.raises(AppError) as caught:
        loaded(EXAMPLES[name].replace(f"use: {name}", f"use: ./{name}.yaml"))
    (mistake,) = caught.value.mistakes
    assert (mistake.location.file, mistake.location.line) == (f"{name}.yaml", line)
    assert mistake.wrong.startswith("unknown operator type")


def test_they_are_placed_as_a_whole(folder: Path) -> None:
    fragments = loaded(EXAMPLES["detector"]).fragments
    assert fragments["near"].operators == ("clip.video", "clip.resized", "page.page")
    assert len(fragments["model"].operators) == 4
