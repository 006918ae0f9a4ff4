"""Which provider is taken."""

import pytest

from holoflow import ParameterError
from holoflow.operators.inference.onnx import choose, short

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))
KNOWN = [TENSORRT, CUDA, CPU]


def test_cuda_before_cpu_where_nothing_is_said():
    assert choose([], KNOWN, [CPU, CUDA]) == [CUDA, CPU]
    assert choose([], KNOWN, [CPU]) == [CPU]


def test_the_first_of_the_wanted_that_is_there():
    assert choose(["tensorrt", "CUDA", "cpu"], KNOWN, [CPU, CUDA]) == [CUDA, CPU]
    assert choose(["cpu"], KNOWN, [CPU, CUDA]) == [CPU]


def test_none_of_the_wanted_is_there():
    with pytest.raises(ParameterError, match="none of cuda is available; this machine has cpu"):
        choose(["cuda"], KNOWN, [CPU])


def test_short_names():
    assert [short(name) for name in KNOWN] == ["tensorrt", "cuda", "cpu"]
