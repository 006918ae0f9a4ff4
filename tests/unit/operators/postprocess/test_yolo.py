"""`postprocess.yolo` finds the boxes that an output was made of."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Arrays, Image
from holoflow.operators.postprocess.yolo import YoloOp
from holoflow.operators.preprocess.letterbox import LetterboxOp

TRUE = [(100, 80, 40, 20, 0), (300, 200, 50, 60, 2), (302, 200, 50, 60, 1)]
"""Centre x and y, width, height, class."""


def output(head, classes=3):
    """Each true box twice, the second time worse and a pixel off, among empty candidates."""
    rows = np.zeros((20, 4 + (head == "v5") + classes), np.float32)
    rows[:, :4] = (320, 320, 10, 10)
    for index, (x, y, w, h, label) in enumerate(TRUE):
        for again in range(2):
            row = rows[5 * index + 3 * again]
            row[:4] = (x + again, y, w, h)
            if head == "v5":
                row[4] = 0.8
            row[4 + (head == "v5") + label] = 0.9 - 0.1 * index - 0.3 * again
    if head == "v8":
        rows = rows.T
    rows = rows[None].copy()
    rows.flags.writeable = False
    return rows


@pytest.mark.parametrize(("head", "factor"), [("v5", 0.8), ("v8", 1.0)])
def test_each_object_is_found_once_with_its_class(head, factor):
    op = YoloOp(head=head, threshold=0.2, names=["a", "b", "c"])
    found = op.process(Arrays(out=output(head)))
    assert found.xyxy.tolist() == [[80, 70, 120, 90], [275, 170, 325, 230], [277, 170, 327, 230]]
    assert found.labels.tolist() == [0, 2, 1]
    np.testing.assert_allclose(found.scores, np.array([0.9, 0.8, 0.7]) * factor, rtol=1e-6)
    assert found.names == ("a", "b", "c")
    assert (found.xyxy.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_classes_may_compete_and_the_threshold_counts():
    outputs = Arrays(out=output("v8"))
    assert YoloOp(head="v8", by_class=False).process(outputs).labels.tolist() == [0, 2]
    assert YoloOp(head="v8", threshold=0.85).process(outputs).labels.tolist() == [0]
    nothing = YoloOp(head="v8", threshold=0.95).process(outputs)
    assert nothing.xyxy.shape == (0, 4)


def test_boxes_come_back_from_the_letterbox():
    image = Image(np.zeros((100, 200, 3), np.uint8), "rgb")
    fitted = LetterboxOp(width=640, height=640).process(image)  # 3.2 times as large, 160 rows lower
    data = np.zeros((1, 5, 2), np.float32)
    data[0, :, 0] = (320, 320, 64, 32, 0.9)  # x, y, width, height
    data[0, :, 1] = (0, 160, 64, 64, 0.8)  # reaches over the corner
    found = YoloOp(head="v8").process(Arrays(out=data, geometry=fitted.geometry))
    np.testing.assert_allclose(found.xyxy, [[90, 45, 110, 55], [0, 0, 10, 10]], atol=1e-4)
    assert found.geometry == image.geometry


def test_the_large_part_runs_on_any_array_library():
    strict = Arrays(out=array_api_strict.asarray(output("v5")))
    found = YoloOp(head="v5").process(strict)
    np.testing.assert_array_equal(
        found.xyxy, YoloOp(head="v5").process(Arrays(out=output("v5"))).xyxy
    )


@pytest.mark.parametrize(
    ("head", "shape", "message"),
    [
        ("v5", (1, 7), r"head: v5 needs .*\(1, candidates, 5 \+ classes\), got \(1, 7\)"),
        ("v5", (1, 10, 5), r"got \(1, 10, 5\)"),
        ("v8", (2, 6, 10), r"head: v8 needs .*\(1, 4 \+ classes, candidates\), got \(2, 6, 10\)"),
        ("v8", (1, 7, 10), r"`names` has 2 classes, .* 3"),
    ],
)
def test_other_shapes_are_named(head, shape, message):
    op = YoloOp(head=head, names=["a", "b"])
    with pytest.raises(ValueError, match=message):
        op.process(Arrays(out=np.zeros(shape, np.float32)))


def test_the_array_is_named_where_there_are_several():
    outputs = Arrays(out=output("v8"), other=np.zeros(3, np.float32))
    assert len(YoloOp(head="v8", array="out").process(outputs)) == 3
    with pytest.raises(ValueError, match="there are the arrays 'out', 'other'; `array` must say"):
        YoloOp(head="v8").process(outputs)
    with pytest.raises(ValueError, match="no array 'boxes'; there are 'out', 'other'"):
        YoloOp(head="v8", array="boxes").process(outputs)


@pytest.mark.parametrize("head", ["v5", "v8"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_box_and_told_once(head, wrong, caplog):
    data = output(head).copy()
    rows = data[0] if head == "v5" else data[0].T
    scores = 4 + (head == "v5")
    for row, column in ((1, 0), (2, 2), (4, scores)):  # place, width, score of class 0
        rows[row, 4 : scores + 1] = 0.99
        rows[row, column] = wrong
    op = YoloOp(head=head, threshold=0.2, by_class=False)
    found = [op.process(Arrays(out=data)).xyxy.tolist() for _ in range(2)]
    clean = YoloOp(head=head, threshold=0.2, by_class=False).process(Arrays(out=output(head)))
    assert found == [clean.xyxy.tolist()] * 2
    assert sum("boxes are invalid" in record.getMessage() for record in caplog.records) == 1


def test_a_box_of_negative_size_is_none():
    data = np.zeros((1, 5, 2), np.float32)
    data[0, :, 0] = (50, 50, -20, 20, 0.9)
    data[0, :, 1] = (50, 50, 20, 20, 0.8)
    assert YoloOp(head="v8").process(Arrays(out=data)).xyxy.tolist() == [[40, 40, 60, 60]]


def test_it_is_told_where_nothing_is_known_of_the_picture(caplog):
    op = YoloOp(head="v8")
    for _ in range(2):
        assert op.process(Arrays(out=output("v8"))).geometry is None
    assert [r.getMessage()[:39] for r in caplog.records] == [
        "the geometry of the picture behind the "
    ]
    caplog.clear()
    known = Image(np.zeros((640, 640), np.uint8), "gray").geometry
    assert YoloOp(head="v8").process(Arrays(out=output("v8"), geometry=known)).geometry == known
    assert not caplog.records
