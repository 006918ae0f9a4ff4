"""`preprocess.background` learns what stands still and marks what does not."""

import array_api_strict
import numpy as np
import pytest

from holoflow import Image, ParameterError
from holoflow.operators.preprocess.background import BackgroundOp


def masks(op, frames, colour="gray", via=lambda data: data):
    op.start()
    return [op.process(Image(via(frame), colour)) for frame in frames]


def scene(count, dtype="uint8", channels=(), size=4):
    """A square that moves over a noisy ground, and where it is."""
    random = np.random.default_rng(5)
    frames, truth = [], []
    for index in range(count):
        frame = random.normal(0.3, 0.01, (30, 90, *channels))
        inside = np.zeros((30, 90), bool)
        inside[10 : 10 + size, 3 * index : 3 * index + size] = True
        frame[inside] = 0.8
        scale = 1 if dtype.startswith("float") else np.iinfo(dtype).max
        data = (frame * scale).astype(dtype)
        data.flags.writeable = False
        frames.append(data)
        truth.append(inside)
    return frames, truth


@pytest.mark.parametrize("method", ["gaussian", "mean"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(
    "via", [lambda data: data, lambda data: array_api_strict.asarray(data.copy())]
)
def test_what_moves_is_found(method, dtype, channels, via):
    frames, truth = scene(25, dtype, channels)
    op = BackgroundOp(method=method, deviations=4, selective=True)
    found = masks(op, frames, "bgr" if channels else "gray", via)
    assert not np.asarray(found[0].data).any()
    assert found[0].names == ("background", "foreground")
    # Where the square stood in the first frame, it is the background that seems to have moved.
    began = truth[0]
    for mask, inside in zip(found[2:], truth[2:], strict=True):
        data = np.asarray(mask.data)
        assert data.dtype == np.uint8
        assert data[inside].all()
        assert not data[~inside & ~began].any()


def test_a_step_is_learnt_at_the_rate_that_is_given():
    dark, bright = np.zeros((1, 1)), np.full((1, 1), 0.5)
    op = BackgroundOp(method="mean", rate=0.1, threshold=0.2)
    found = [int(m.data[0, 0]) for m in masks(op, [dark, *[bright] * 20])]
    # After n frames the mean is 0.5 (1 - 0.9^n) away from where it was: foreground while
    # 0.5 * 0.9^n > 0.2, which holds for n up to 8.
    assert found == [0, *[1] * 9, *[0] * 11]


def test_a_gaussian_adapts_to_how_much_a_pixel_varies():
    random = np.random.default_rng(1)
    noisy = [random.normal(0.5, 0.1, (40, 40)) for _ in range(300)]
    op = BackgroundOp(rate=0.05, deviations=3, noise=0.01)
    found = masks(op, noisy)
    # 0.3 % of a normal distribution lie beyond three deviations; the model's are estimates.
    share = np.mean([mask.data.mean() for mask in found[150:]])
    assert 0.001 < share < 0.03
    assert op.process(Image(np.full((40, 40), 1.0), "gray")).data.mean() > 0.9


@pytest.mark.parametrize(("selective", "stays"), [(True, True), (False, False)])
def test_what_stops_stays_foreground_only_if_the_model_is_selective(selective, stays):
    dark, bright = np.zeros((2, 2)), np.ones((2, 2))
    op = BackgroundOp(method="mean", rate=0.2, selective=selective)
    assert bool(masks(op, [dark, *[bright] * 60])[-1].data.all()) is stays


def test_the_variance_never_falls_below_the_noise():
    still = np.full((3, 3), 0.5)
    op = BackgroundOp(rate=0.5, noise=0.02, deviations=2.5)
    masks(op, [still] * 50)
    assert not op.process(Image(still + 0.049, "gray")).data.any()
    op.start()
    masks(op, [still] * 50)
    assert op.process(Image(still + 0.051, "gray")).data.all()


def test_another_shape_and_another_start_begin_anew():
    op = BackgroundOp()
    op.process(Image(np.zeros((4, 4)), "gray"))
    assert not op.process(Image(np.ones((4, 5)), "gray")).data.any()
    op.start()
    assert not op.process(Image(np.zeros((4, 5)), "gray")).data.any()


def test_inputs_stay_as_they_are():
    frames, _ = scene(5, "float32")
    copies = [frame.copy() for frame in frames]
    masks(BackgroundOp(), frames)
    assert all((frame == copy).all() for frame, copy in zip(frames, copies, strict=True))


def test_nonsense_is_refused():
    with pytest.raises(ParameterError, match=r"BackgroundOp\.rate"):
        BackgroundOp(rate=0)
    with pytest.raises(ParameterError, match=r"BackgroundOp\.method"):
        BackgroundOp(method="knn")
