import numpy as np
import pytest

from holoflow import HoloflowError, Image
from holoflow.holoscan.data import to_tensors


@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: {"a": array}, Image])
def test_an_array_with_a_mask_is_no_tensor(wrap):
    masked = np.ma.masked_array(np.zeros((2, 2, 3), np.uint8), False)
    with pytest.raises(HoloflowError, match="would lose its mask"):
        to_tensors(wrap(masked))
