"""Operators as plain classes: parameters, their errors, and life without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pydantic
import pytest

from holoflow import (
    Duration,
    Image,
    Operator,
    OperatorDefinitionError,
    ParameterError,
    namespace,
    param,
)
from holoflow.core.files import InputPath, OutputPath


class ThresholdOp(Operator):
    """Set pixels below `level` to zero."""

    kind: ClassVar[str] = "no parameter"

    level: float = param(0.5, ge=0, le=1, doc="fraction of full scale")
    mode: Literal["keep", "drop"] = param("keep", doc="what to do")
    wait: Duration = param("20ms", doc="a while")
    _seen: int = 0

    def process(self, image: Image) -> Image:
        xp = namespace(image.data)
        return image.with_data(xp.where(image.data < self.level, 0, image.data))


class SteepOp(ThresholdOp):
    """Inherits parameters and changes one."""

    level: float = param(0.9, doc="steeper")
    extra: int = param(doc="required")


def test_it_is_called_like_any_object() -> None:
    image = Image(np.array([[0.1, 0.9]], np.float32), "gray")
    assert ThresholdOp(level=0.2).process(image).data.tolist() == [[0, pytest.approx(0.9)]]
    assert image.data[0, 0] == np.float32(0.1)


def test_defaults_are_checked_values() -> None:
    op = ThresholdOp()
    assert (op.level, op.mode, op.wait) == (0.5, "keep", 0.02)
    assert list(ThresholdOp.parameters().model_fields) == ["level", "mode", "wait"]


def test_parameters_are_inherited() -> None:
    assert list(SteepOp.parameters().model_fields) == ["level", "mode", "wait", "extra"]
    assert SteepOp(extra=1).level == 0.9


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(ParameterError) as caught:
        ThresholdOp(level=2, mode="burn", lvel=1)
    text = str(caught.value)
    assert "ThresholdOp.level: Input should be less than or equal to 1, got 2" in text
    assert "ThresholdOp.mode" in text
    assert "unknown parameter 'lvel'; did you mean 'level'?" in text
    with pytest.raises(ParameterError, match="parameter 'extra' is required"):
        SteepOp()


def test_an_app_writes_units_and_exact_types() -> None:
    op = ThresholdOp.from_app({"wait": "1s", "level": 1})
    assert isinstance(op, ThresholdOp)
    assert (op.wait, op.level) == (1.0, 1.0)
    for wrong in ({"wait": 1}, {"level": True}, {"level": "0.5"}):
        with pytest.raises(pydantic.ValidationError):
            ThresholdOp.from_app(wrong)


def test_an_unknown_annotation_is_explained() -> None:
    class Lost(Operator):
        level: Nowhere = param(1, doc="?")  # type: ignore[name-defined]  # noqa: F821

        def process(self, x: int) -> int:
            return x

    with pytest.raises(OperatorDefinitionError, match="uses 'Nowhere', which is not defined"):
        Lost.parameters()


def test_a_parameter_without_a_type_is_explained() -> None:
    class Bare(Operator):
        level = param(0.5, doc="?")

        def process(self, x: int) -> int:
            return x

    class Heir(Bare):
        gain: float = param(1.0, doc="?")

    class Hidden(Operator):
        _level: float = param(0.5, doc="?")

    for cls in (Bare, Heir):
        with pytest.raises(OperatorDefinitionError) as caught:
            cls()
        assert "Bare.level: a parameter needs a type" in str(caught.value)
        assert "write `level: float = param(0.5, doc=…)`" in str(caught.value)
    with pytest.raises(OperatorDefinitionError, match="write `level: … = param"):
        Hidden()


def test_paths_of_python_code_become_texts() -> None:
    class Copies(Operator):
        source: InputPath = param(doc="?")
        target: OutputPath = param(Path("a.txt"), doc="?")

    op = Copies(source=Path("folder") / "in.txt")
    assert (op.source, op.target) == (str(Path("folder") / "in.txt"), "a.txt")
    with pytest.raises(ParameterError, match=r"Copies\.source: .* valid string, got 3"):
        Copies(source=3)
    schema = Copies.parameters().model_json_schema()["properties"]["source"]
    assert (schema["type"], schema["format"]) == ("string", "path")


def test_without_an_engine_it_allocates_in_main_memory() -> None:
    array = ThresholdOp().allocate((2, 3), np.uint8)
    assert (array.shape, array.dtype) == ((2, 3), np.uint8)
