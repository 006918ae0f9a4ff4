import numpy as np
import pytest

from holoflow import Image
from holoflow.core.pictures import CHANNELS


def _pixels(shape, dtype, seed=0):
    """Random pixels over the dtype's full scale, read-only: whatever writes to them fails."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        data = random.random(shape).astype(dtype)
    elif dtype.kind == "b":
        data = random.random(shape) < 0.5
    else:
        limits = np.iinfo(dtype)
        data = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    data.flags.writeable = False
    return data


def _image(colour="rgb", height=24, width=31, dtype="uint8", seed=0):
    channels = () if colour == "gray" else (CHANNELS[colour],)
    return Image(_pixels((height, width, *channels), dtype, seed), colour)


@pytest.fixture(scope="session")
def pixels():
    return _pixels


@pytest.fixture(scope="session")
def picture():
    return _image
