"""`postprocess.centres` finds the objects that maps were made of."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Arrays, Geometry
from holoflow.operators.postprocess.centres import CentresOp

BOXES = np.array([[13.5, 22, 61.5, 86], [100, 8, 140, 40]], np.float32)
POINTS = np.array([[[25, 40], [50, 41], [37, 70]], [[110, 15], [130, 16], [118, 33]]], np.float32)


def maps(classes=1, stride=4, height=32, width=40):
    """What a model would give for `BOXES` and `POINTS`; the neighbour of each centre, weaker."""
    heat = np.zeros((1, classes, height, width), np.float32)
    scale, offset = (np.zeros((1, 2, height, width), np.float32) for _ in range(2))
    marks = np.zeros((1, 6, height, width), np.float32)
    for index, (box, points) in enumerate(zip(BOXES, POINTS, strict=True)):
        size = box[2:] - box[:2]
        centre = (box[:2] + box[2:]) / 2 / stride
        for step, score in ((0, 0.9), (1, 0.6)):
            column, row = np.floor(centre).astype(int) + np.array([step, 0])
            heat[0, index % classes, row, column] = score - 0.1 * index
            scale[0, :, row, column] = np.log(size / stride)[::-1]
            offset[0, :, row, column] = (centre - [column, row] - 0.5)[::-1]
            marks[0, :, row, column] = ((points - box[:2]) / size)[:, ::-1].reshape(-1)
    made = Arrays(heatmap=heat, scale=scale, offset=offset, landmarks=marks)
    for array in made.values():
        array.flags.writeable = False
    return made


def test_each_object_is_found_once_where_it_is():
    op = CentresOp(points=["left", "right", "mouth"], names=["face"])
    found = op.process(maps())
    np.testing.assert_allclose(found["boxes"].xyxy, BOXES, atol=1e-3)
    np.testing.assert_allclose(found["boxes"].scores, [0.9, 0.8], rtol=1e-6)
    np.testing.assert_allclose(found["keypoints"].points, POINTS, atol=1e-3)
    assert found["keypoints"].names == ("left", "right", "mouth")
    assert found["boxes"].xyxy.dtype == found["keypoints"].points.dtype == np.float32


def test_classes_stride_and_threshold():
    op = CentresOp(stride=2, threshold=0.85)
    found = op.process(maps(classes=2, stride=2, height=64, width=80))
    np.testing.assert_allclose(found["boxes"].xyxy, BOXES[:1], atol=1e-3)
    both = CentresOp(names=["a", "b"]).process(maps(classes=2))
    assert both["boxes"].labels.tolist() == [0, 1]


def test_landmarks_may_be_missing_and_so_may_objects():
    given = maps()
    del given["landmarks"]
    assert CentresOp().process(given)["keypoints"].points.shape == (2, 0, 2)
    nothing = CentresOp(threshold=1.0).process(maps())
    assert nothing["boxes"].xyxy.shape == (0, 4)
    assert nothing["keypoints"].points.shape == (0, 3, 2)


def test_all_comes_back_from_the_letterbox():
    fitted = Geometry.of(250, 200).resampled(125, 100).cropped(-10, -20, 160, 128)
    given = maps()
    given.geometry = fitted
    found = CentresOp().process(given)
    corner = [10, 20]
    expected = np.clip((BOXES.reshape(-1, 2, 2) - corner) / 0.5, 0, [250, 200]).reshape(-1, 4)
    np.testing.assert_allclose(found["boxes"].xyxy, expected, atol=1e-2)
    points = (POINTS - corner) / 0.5
    np.testing.assert_allclose(found["keypoints"].points, points, atol=1e-2)


def test_the_large_part_runs_on_any_array_library():
    strict = Arrays({name: array_api_strict.asarray(array) for name, array in maps().items()})
    found = CentresOp().process(strict)
    np.testing.assert_allclose(found["boxes"].xyxy, BOXES, atol=1e-3)


def test_maps_that_lack_or_do_not_fit_are_named():
    given = maps()
    lacking = Arrays({name: given[name] for name in ("heatmap", "offset")})
    with pytest.raises(ValueError, match="no map 'scale'; there are 'heatmap', 'offset'"):
        CentresOp().process(lacking)
    for name, wrong, form in (
        ("heatmap", given["heatmap"][0], "(1, classes, h, w)"),
        ("scale", given["scale"][:, :1], "(1, 2, h, w)"),
        ("offset", given["offset"][..., :-1], "(1, 2, h, w)"),
        ("landmarks", given["landmarks"][:, :5], "(1, 2 K, h, w)"),
    ):
        with pytest.raises(ValueError, match="must have shape") as error:
            CentresOp().process(Arrays({**given, name: wrong}))
        assert f"the map {name!r}" in str(error.value)
        assert form in str(error.value)
    with pytest.raises(ValueError, match=r"'landmarks' must have shape \(1, 4, h, w\)"):
        CentresOp(points=["a", "b"]).process(given)


def test_what_is_no_number_is_no_object(caplog):
    given = Arrays({name: array.copy() for name, array in maps().items()})
    given["heatmap"][0, 0, 0, 0] = np.nan
    for name, wrong, row in (("scale", 200.0, 1), ("scale", np.nan, 2), ("offset", np.inf, 3)):
        given["heatmap"][0, 0, row, 0] = 0.99
        given[name][0, :, row, 0] = wrong
    found = CentresOp().process(given)
    np.testing.assert_allclose(found["boxes"].xyxy, BOXES, atol=1e-3)
    assert sum("4 of" in r.getMessage() for r in caplog.records) == 1
