"""`postprocess.nms` keeps what the definition says, whatever the boxes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from holoflow import Boxes
from holoflow.operators.postprocess.nms import NmsOp


def overlap(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    shared = width * height
    return shared / (areas - shared) if areas > shared else 0.0


def naive(xyxy, scores, labels, limit, by_class, share):
    """The definition, box by box."""
    kept = []
    for i in sorted(range(len(xyxy)), key=lambda i: (-scores[i], i)):
        rivals = [j for j in kept if not by_class or labels[i] == labels[j]]
        if all(overlap(xyxy[i], xyxy[j]) <= share for j in rivals):
            kept.append(i)
    return kept[:limit]


@st.composite
def boxes(draw):
    count = draw(st.integers(0, 25))
    corner = draw(arrays.arrays(np.int64, (count, 2), elements=st.integers(0, 12)))
    size = draw(arrays.arrays(np.int64, (count, 2), elements=st.integers(0, 8)))
    scores = draw(arrays.arrays(np.int64, count, elements=st.integers(0, 8)))
    labels = draw(arrays.arrays(np.int64, count, elements=st.integers(0, 2)))
    xyxy = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    found = Boxes(xyxy, (scores / 8).astype(np.float32), labels, ("a", "b", "c"), labels + 7)
    for array in (found.xyxy, found.scores, found.labels, found.ids):
        array.flags.writeable = False
    return found


@given(boxes(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.booleans(), st.integers(1, 30))
@settings(max_examples=60)
def test_what_stays_is_what_the_definition_says(found, share, by_class, limit):
    kept = NmsOp(overlap=share, by_class=by_class, limit=limit).process(found)
    index = naive(
        found.xyxy.astype(float).tolist(), found.scores, found.labels, limit, by_class, share
    )
    for name in ("xyxy", "scores", "labels", "ids"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(found, name)[index])
    assert kept.names == found.names


def test_without_scores_the_first_wins():
    found = Boxes(np.array([[0, 0, 9, 9], [0, 0, 10, 10], [20, 0, 30, 10]], np.float32))
    kept = NmsOp().process(found)
    assert kept.xyxy.tolist() == [[0, 0, 9, 9], [20, 0, 30, 10]]
    assert kept.scores is None


@settings(max_examples=60, deadline=None)
@given(boxes(), st.data())
def test_boxes_that_are_none_change_nothing(found, data):
    wrong = st.sampled_from([np.nan, np.inf, -np.inf])
    number = data.draw(st.integers(1, 5))
    xyxy = np.zeros((number, 4), np.float32)
    scores = np.ones(number, np.float32)
    for row in range(number):
        if data.draw(st.booleans()):
            xyxy[row, data.draw(st.integers(0, 3))] = data.draw(wrong)
        else:
            scores[row] = data.draw(wrong)
    xyxy[0], scores[0] = (5, 0, 4, 9), 1  # inside out
    order = data.draw(st.permutations(range(number + len(found))))
    mixed = Boxes(
        np.concatenate([xyxy, found.xyxy])[order],
        np.concatenate([scores, found.scores])[order],
        ids=np.arange(number + len(found))[order],
    )
    kept = NmsOp().process(mixed)
    clean = [index - number for index in order if index >= number]
    expected = NmsOp().process(
        Boxes(found.xyxy[clean], found.scores[clean], ids=np.array(clean, np.int64) + number)
    )
    assert kept.ids.tolist() == expected.ids.tolist()
