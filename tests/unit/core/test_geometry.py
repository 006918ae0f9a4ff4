"""Geometry goes with the pixels: what is found in a picture lies where its source has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holoflow import Arrays, Boxes, Geometry, Image, Keypoints, Mask, Operator
from holoflow.operators.preprocess.crop import CropOp
from holoflow.operators.preprocess.letterbox import LetterboxOp
from holoflow.operators.preprocess.resize import ResizeOp

SPACING = (0.5, 0.25)
SCENE = Image(np.zeros((30, 40, 3), np.uint8), "rgb", Geometry.of(40, 30, SPACING))


def crop(draw: st.DrawFn, image: Image) -> Operator:
    left, top = draw(st.integers(0, image.width - 1)), draw(st.integers(0, image.height - 1))
    return CropOp(left=left, top=top, width=draw(st.integers(1, image.width - left)))


def enlarge(draw: st.DrawFn, image: Image) -> Operator:
    factor = draw(st.integers(1, 3))
    return ResizeOp(width=factor * image.width, height=image.height, interpolation="nearest")


def fit(draw: st.DrawFn, image: Image) -> Operator:
    factor, border = draw(st.integers(1, 3)), draw(st.integers(0, 5))
    width, height = factor * image.width, factor * image.height + border
    align = draw(st.sampled_from(["centre", "top_left"]))
    return LetterboxOp(width=width, height=height, align=align, interpolation="nearest")


@st.composite
def exact(draw: st.DrawFn) -> tuple[tuple[int, ...], Image, Image]:
    """A rectangle that is bright in a scene, what operators that lose nothing make of the scene,
    and what they make of one that is bright everywhere."""
    left, top = draw(st.integers(0, 39)), draw(st.integers(0, 29))
    box = (left, top, draw(st.integers(left + 1, 40)), draw(st.integers(top + 1, 30)))
    data = np.zeros((30, 40), np.uint8)
    data[box[1] : box[3], box[0] : box[2]] = 255
    image = Image(data, "gray", SCENE.geometry)
    whole = image.with_data(np.full_like(data, 255))
    for make in draw(st.lists(st.sampled_from([crop, enlarge, fit]), max_size=4)):
        operator = make(draw, image)
        image, whole = operator.process(image), operator.process(whole)
    return box, image, whole


def extent(bright: np.ndarray) -> np.ndarray:
    """The only box around what is bright; it must be there."""
    (y, x) = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    return np.array([[x[0], y[0], x[-1] + 1, y[-1] + 1]], np.float64)


@settings(max_examples=150, deadline=None)
@given(exact())
def test_what_is_found_in_any_picture_lies_where_the_scene_has_it(
    drawn: tuple[tuple[int, ...], Image, Image],
) -> None:
    box, image, whole = drawn
    bright = image.data > 0
    if not bright.any():
        return
    seen = extent(bright)
    found = Boxes(seen, geometry=image.geometry).on(SCENE.geometry)
    (left, top, right, bottom) = found.xyxy[0]
    # Of a rectangle that was cut, what is left of it.
    shown = Boxes(extent(whole.data > 0), geometry=image.geometry).on(SCENE.geometry).xyxy[0]
    expected = [*np.maximum(box[:2], shown[:2]), *np.minimum(box[2:], shown[2:])]
    np.testing.assert_allclose([left, top, right, bottom], expected, atol=1e-9)
    x0, y0, x1, y1 = seen[0]
    down, across = image.spacing_mm
    assert (x1 - x0) * across == pytest.approx((right - left) * SPACING[1])
    assert (y1 - y0) * down == pytest.approx((bottom - top) * SPACING[0])
    # A mask of the picture is bright there, too, and nowhere else.
    mask = Mask(bright, geometry=image.geometry).on(SCENE.geometry).data
    y, x = np.mgrid[:30, :40] + 0.5
    np.testing.assert_array_equal(mask, (left <= x) & (x < right) & (top <= y) & (y < bottom))


side = st.integers(1, 40)
ANY = st.lists(
    st.one_of(
        st.builds(lambda w, h: LetterboxOp(width=w, height=h), side, side),
        st.builds(lambda w, h: ResizeOp(width=w, height=h), side, side),
        st.builds(lambda f: ResizeOp(scale=f), st.floats(0.3, 3)),
        st.just(CropOp(left=0, top=0)),
    ),
    max_size=5,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("strict", [False, True])
@settings(max_examples=40)
@given(operators=ANY, drawn=st.lists(st.tuples(*[st.integers(-99, 99)] * 4), max_size=4))
def test_boxes_and_points_go_there_and_back(operators, drawn, dtype, strict) -> None:
    image = SCENE
    for operator in operators:
        image = operator.process(image)
    assert image.geometry.of_source == SCENE.geometry
    xyxy = np.array(drawn, dtype).reshape(-1, 4)
    given_as = array_api_strict.asarray if strict else np.asarray
    there = Boxes(given_as(xyxy), geometry=SCENE.geometry).on(image.geometry)
    assert there.geometry == image.geometry
    back = np.asarray(there.on(SCENE.geometry).xyxy)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, xyxy, atol=1e-2 if dtype == np.float32 else 1e-9)
    points = Keypoints(given_as(xyxy.reshape(-1, 2, 2)), geometry=SCENE.geometry)
    np.testing.assert_array_equal(
        np.asarray(points.on(image.geometry).points).reshape(-1, 4), np.asarray(there.xyxy)
    )


def test_other_pixels_at_the_same_places_keep_the_geometry_and_others_begin_anew() -> None:
    part = SCENE.cropped(4, 2, 20, 12)
    assert part.with_data(part.data[::-1]).geometry is part.geometry
    by_hand = part.with_data(part.data[:5])
    assert by_hand.geometry == Geometry.of(16, 5)
    assert by_hand.spacing_mm is None
    assert part.resampled(part.data[::2, ::2]).spacing_mm == (1.0, 0.5)
    assert np.shares_memory(part.data, SCENE.data)


def test_lists_are_taken_and_geometries_can_be_looked_up() -> None:
    made = Geometry(4, 3, [4, 3], [1, 1], [0, 0], source_spacing_mm=[0.5, 1])  # type: ignore[arg-type]
    assert made == Geometry.of(4, 3, (0.5, 1))
    assert hash(made) == hash(Geometry.of(4, 3, (0.5, 1)))


def test_a_spacing_may_hold_in_a_part_only() -> None:
    whole = replace(SCENE.geometry, source_region=(10, 0, 40, 20))
    half = whole.resampled(20, 15).cropped(2, 0, 18, 15)
    assert half.spacing_at(3, 0, 18, 10) == (1.0, 0.5)
    assert half.spacing_at(2, 0, 18, 10) is None
    assert half.spacing_at(3, 0, 18, 11) is None


def test_what_the_mask_does_not_reach_is_background() -> None:
    part = SCENE.cropped(38, 0, 40, 2).geometry
    strict = array_api_strict.ones((2, 2), dtype=array_api_strict.uint8)
    whole = Mask(strict, geometry=part).on(SCENE.geometry)
    assert np.argwhere(np.asarray(whole.data)).tolist() == [[0, 38], [0, 39], [1, 38], [1, 39]]


@pytest.mark.parametrize("found", [
    Boxes(np.ones((1, 4))), Keypoints(np.ones((1, 2, 2))), Mask(np.ones((2, 3), np.uint8)),
])  # fmt: skip
def test_what_knows_no_picture_stays_as_it_is(found) -> None:
    assert found.on(SCENE.geometry) is found


Z = np.zeros


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Geometry(-1, 2, (3, 4)), "must be 0 or more"),
        (lambda: Geometry(1, 2, (3, 4), scale=(0, 1)), "scale must be two finite"),
        (lambda: Geometry(1, 2, (3, 4), scale=(1, float("nan"))), "scale must be two finite"),
        (lambda: Geometry(1, 2, (3, 4), offset=(float("inf"), 1)), "offset must be two"),
        (lambda: Geometry.of(3, 4, (0, 1)), "above 0 mm"),
        (lambda: Geometry.of(0, 4).resampled(1, 1), "0 x 4 pixels cannot be resampled to 1 x 1"),
        (lambda: Image(Z((2, 3)), "gray", SCENE.geometry), "40 x 30 pixels, its data have 3 x 2"),
        (lambda: replace(SCENE, data=Z((2, 3, 3))), "Image.cropped and Image.resampled"),
        (lambda: Mask(Z((2, 3), int), geometry=SCENE.geometry), "its data have 3 x 2"),
        (
            lambda: Mask(Z((0, 3), int), geometry=Geometry.of(3, 0)).on(SCENE.geometry),
            "source|3 x 0",
        ),
        (lambda: SCENE.cropped(0, 0, 41, 1), "columns 0 to 41 of 40"),
        (lambda: SCENE.cropped(5, 0, 5, 1), "does not lie inside"),
        (
            lambda: Boxes(Z((1, 4)), geometry=Geometry.of(9, 9)).on(SCENE.geometry),
            "source has 9 x 9 pixels have no place in one whose source has 40 x 30",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_an_array_named_geometry_is_not_taken_for_one() -> None:
    with pytest.raises(TypeError, match=r'passed as \{"geometry": array\}'):
        Arrays(geometry=Z(3))
    assert list(Arrays({"geometry": Z(3)})) == ["geometry"]
