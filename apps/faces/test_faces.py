"""The face in the clip is found where it is, in every frame."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.engine import RunOptions, execute
from holoflow.plan import plan

APP = Path(__file__).parent / "app.yaml"

# By eye, in pixels of the clip: brow to chin, cheek to cheek.
FACES = {
    0: (65, 38, 112, 98), 20: (64, 35, 111, 98), 45: (53, 42, 100, 99),
    70: (55, 33, 103, 98), 95: (39, 41, 88, 104), 119: (47, 37, 98, 103),
}  # fmt: skip
EYES = {0: ((75, 61), (97, 55)), 45: ((62, 63), (85, 57)), 119: ((64, 57), (86, 51))}


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(sides.prod() / (sum(areas) - sides.prod()))


def run(
    engine: str,
    output: Path,
    settings: dict[str, str] | None = None,
    file: Path = APP,
    frames: int | None = None,
) -> list[dict]:
    app = load(file, settings=settings or {})
    fetch_all(app)
    options = RunOptions(engine, output, frames=frames, lossless=True, web=False)
    result = execute(plan(app, lossless=True), options)
    assert result.outcome == "done", result.failure
    return [json.loads(line) for line in (output / "faces.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> list[dict]:
    return run("inline", tmp_path_factory.mktemp("faces"))


def test_one_face_in_almost_every_frame(lines):
    assert [line["sequence"] for line in lines] == list(range(120))
    assert sum(len(line["faces"]) == 1 for line in lines) >= 0.95 * len(lines)


@pytest.mark.parametrize("frame", FACES)
def test_the_face_is_found_where_it_is(lines, frame):
    (face,) = lines[frame]["faces"]
    found = np.array(face["xyxy"])
    assert overlap(found, np.array(FACES[frame], float)) > 0.7
    assert face["label"] == "face"


@pytest.mark.parametrize("frame", EYES)
def test_the_eyes_are_found_within_four_pixels(lines, frame):
    points = lines[frame]["landmarks"][0]["points"]
    for name, true in zip(("left eye", "right eye"), EYES[frame], strict=True):
        assert np.hypot(*np.subtract(points[name], true)) < 4


def test_landmarks_lie_in_the_face_with_the_eyes_above_the_mouth(lines):
    for line in lines:
        for face, marks in zip(line["faces"], line["landmarks"], strict=True):
            left, top, right, bottom = face["xyxy"]
            points = marks["points"]
            assert all(left < x < right and top < y < bottom for x, y in points.values())
            for side in ("left", "right"):
                assert points[f"{side} eye"][1] < points["nose"][1] < points[f"{side} mouth"][1]
            for part in ("eye", "mouth"):
                assert points[f"left {part}"][0] < points[f"right {part}"][0]


APART = APP.with_name("apart.yaml")


def test_apart_it_is_the_same_app(lines, tmp_path):
    whole, apart = load(APP), load(APART)
    assert [replace(o, sync=None) for o in apart.operators.values()] == [
        replace(o, location=apart.operators[o.name].location) for o in whole.operators.values()
    ]
    assert [(f.source, f.target) for f in apart.flows] == [
        (f.source, f.target) for f in whole.flows
    ]
    assert plan(apart).notices == ()
    assert run("inline", tmp_path, file=APART, frames=20) == lines[:20]


@pytest.mark.parametrize(
    ("settings", "links"),
    [
        ({}, {"shared_memory"}),
        ({"source_host": "a", "detect_host": "b", "view_host": "c"}, {"zeromq"}),
        ({"view_host": "c"}, {"shared_memory", "zeromq"}),
        ({"link": "zeromq"}, {"zeromq"}),
        ({"link": "ucx"}, {"ucx"}),
    ],
)
def test_apart_on_hosts_of_ones_own(settings, links):
    planned = plan(load(APART, settings=settings))
    assert {flow.link for flow in planned.flows} - {"none"} == links
    assert [p.placement.host for p in planned.processes] == [
        settings.get(f"{name}_host") for name in ("source", "detect", "view")
    ]


def test_a_clip_of_another_shape(lines, tmp_path):
    """The face is found where it was put into a wide, large picture."""
    import av
    import cv2

    clip = fetch_all(load(APP))["clip"]
    with av.open(str(clip)) as source:
        face = next(source.decode(video=0)).to_ndarray(format="rgb24")
    wide = np.full((360, 900, 3), 128, np.uint8)
    wide[36:324, 500:852] = cv2.resize(face, (352, 288))  # twice as large
    with av.open(str(tmp_path / "wide.mkv"), "w") as target:
        stream = target.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 900, 360, "bgr0"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(wide, "rgb24").reformat(format="bgr0")
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))

    found = run("inline", tmp_path, {"clip": str(tmp_path / "wide.mkv")})

    assert len(found) == 3
    for line in found:
        (box,) = line["faces"]
        place = np.array(box["xyxy"])
        expected = 2 * np.array(FACES[0], float) + (500, 36, 500, 36)
        assert overlap(place, expected) > 0.7


def test_the_clip_shows_every_frame(tmp_path):
    import av

    run("holoscan", tmp_path)
    with av.open(str(tmp_path / "faces.mp4")) as clip:
        frames = list(clip.decode(video=0))
    assert len(frames) == 120
    assert (frames[0].width, frames[0].height) == (528, 432)
    assert float(frames[-1].time) == pytest.approx(119 * 1001 / 30000, abs=0.01)
