"""What the app measures is what plain NumPy and SciPy find in the same frames."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from holoflow import Geometry, Image
from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.engine import RunOptions, execute
from holoflow.operators.preprocess.crop import CropOp
from holoflow.operators.preprocess.resize import ResizeOp
from holoflow.plan import plan

APP = Path(__file__).parent / "app.yaml"
PIXEL = 1.021  # mm
REPEATED = (11, 28)
"""Frames that the cine has twice in a row."""


def run(engine: str, output: Path, **settings: str) -> list[dict]:
    """The lines that the app writes."""
    app = load(APP, settings=settings)
    fetch_all(app)
    result = execute(plan(app, lossless=True), RunOptions(engine, output, lossless=True, web=False))
    assert result.outcome == "done", result.failure
    return [json.loads(line) for line in (output / "measures.jsonl").read_text().splitlines()]


def mask(line: dict) -> np.ndarray:
    """The mask that a line holds."""
    runs = [np.full(length, name == "moving") for name, length in line["mask"]["runs"]]
    return np.concatenate(runs).reshape(line["mask"]["size"])


def expected() -> list[np.ndarray]:
    """The largest moving structure of each frame, by other means than the app's."""
    app = load(APP)
    fetch_all(app)
    frames = pydicom.pixels.pixel_array(app.operators["cine"].parameters["path"])
    structures, before = [], None
    for frame in frames[:, 14 : 14 + 194, 40 : 40 + 246]:
        gray = np.rint(frame @ [0.299, 0.587, 0.114])
        # Lee's filter
        mean = ndimage.uniform_filter(gray, 5, mode="nearest")
        speckle = (0.25 * mean) ** 2
        variance = ndimage.uniform_filter(gray**2, 5, mode="nearest") - mean**2
        scene = np.maximum(variance - speckle, 0) / (1 + 0.25**2)
        noisy = scene + speckle
        gain = np.divide(scene, noisy, out=np.zeros_like(scene), where=noisy > 0)
        calm = np.rint(mean + gain * (gray - mean))

        low, high = np.percentile(calm, [0, 99.5], method="nearest")
        bright = np.rint(255 * np.clip((calm - low) / (high - low), 0, 1) ** 0.65)
        change = np.zeros_like(bright) if before is None else np.abs(bright - before)
        before = bright

        parts, count = ndimage.label(change > 0.12 * 255, np.ones((3, 3)))
        sizes = ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1))
        if count == 0 or max(sizes) < 40:
            structures.append(np.zeros(parts.shape, bool))
        else:
            structures.append(parts == 1 + np.argmax(sizes))
    return structures


@pytest.mark.parametrize("engine", ["holoscan", "inline"])
def test_the_largest_moving_structure_is_measured(engine: str, tmp_path: Path) -> None:
    lines = run(engine, tmp_path)

    assert [line["sequence"] for line in lines] == list(range(30))
    for line, structure in zip(lines, expected(), strict=True):
        moving = mask(line)
        agreeing = np.count_nonzero(moving & structure)
        either = np.count_nonzero(moving | structure)
        assert agreeing >= 0.95 * either, line["sequence"]
        if not either:
            assert line["structure"] == []
            assert line["measured"] == "nothing moves"
            continue
        rows, columns = np.nonzero(moving)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert [part["xyxy"] for part in line["structure"]] == [box]
        area, width, height = map(int, re.findall(r"\d+", line["measured"].replace("mm²", "")))
        assert area == round(len(rows) * PIXEL**2)
        assert width == round((box[2] - box[0]) * PIXEL)
        assert height == round((box[3] - box[1]) * PIXEL)


def test_nothing_moves_where_a_frame_repeats(tmp_path: Path) -> None:
    lines = run("inline", tmp_path)

    still = [line["sequence"] for line in lines if line["measured"] == "nothing moves"]
    assert still == [0, *REPEATED]


def test_the_valve_is_found_while_it_opens(tmp_path: Path) -> None:
    """Looked up by eye: a leaflet is at about column 172 and row 124 of the cine then."""
    lines = run("inline", tmp_path)

    for sequence in (16, 17):
        (part,) = lines[sequence]["structure"]
        left, top, right, bottom = part["xyxy"]
        assert left <= 172 - 40 <= right
        assert top <= 124 - 14 <= bottom


@pytest.mark.parametrize("factor", [1, 2, 0.5])
def test_the_measures_stay_in_a_larger_and_a_smaller_picture(factor: float) -> None:
    data = np.zeros((60, 80), np.uint8)
    data[10:30, 40:70] = 255
    whole = Image(data, "gray", Geometry.of(80, 60, (0.5, 0.25)))
    picture = ResizeOp(scale=factor, interpolation="nearest").process(whole)
    part = CropOp(left=round(30 * factor)).process(picture)
    measure = load(APP).operators["measure"].cls()
    found = measure.process(part)
    assert found["text"].text == "area 75 mm²\nextent 8 x 10 mm"
    assert found["boxes"].on(whole.geometry).xyxy.tolist() == [[40, 10, 70, 30]]
    assert (found["mask"].on(whole.geometry).data == data // 255).all()


def test_without_a_scale_it_measures_in_pixels(tmp_path: Path) -> None:
    text = APP.read_text().replace("./measure.py", str(APP.with_name("measure.py")))
    copy = tmp_path / "app.yaml"
    copy.write_text(re.sub(r"\n *spacing:.*", "", text))
    app = load(copy)
    fetch_all(app)
    execute(plan(app), RunOptions("inline", tmp_path, frames=3, web=False))

    line = json.loads((tmp_path / "measures.jsonl").read_text().splitlines()[2])
    pixels = line["mask"]["counts"]["moving"]
    left, top, right, bottom = line["structure"][0]["xyxy"]
    extent = f"extent {right - left:.0f} x {bottom - top:.0f} pixels"
    assert line["measured"] == f"area {pixels} pixels\n{extent}"


def test_the_clip_has_every_frame(tmp_path: Path) -> None:
    import av

    run("inline", tmp_path)
    with av.open(str(tmp_path / "ultrasound.mp4")) as clip:
        sizes = [(frame.width, frame.height) for frame in clip.decode(video=0)]
    assert sizes == [(738, 582)] * 30
