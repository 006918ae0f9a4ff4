"""Ports read from signatures, and which payloads fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import pytest

from holoflow import Array, Boxes, Header, Image, Latest, Operator, OperatorDefinitionError, Stamped
from holoflow.core.ports import fits


class Found(TypedDict):
    boxes: Boxes
    score: float


class Many(Operator):
    def process(
        self, image: Image, header: Header, newest: Latest[Boxes], mask: Array | None = None,
        **more: int,
    ) -> Iterator[Stamped[Found]]: ...  # fmt: skip


def test_everything_a_signature_says() -> None:
    ports = Many.ports()
    assert list(ports.inputs) == ["image", "newest", "mask"]
    assert ports.inputs["newest"].latest
    assert ports.inputs["newest"].type is Boxes
    assert not ports.inputs["mask"].required
    assert ports.inputs["mask"].type is Array
    assert ports.header == "header"
    assert ports.open_inputs is int
    assert {n: p.type for n, p in ports.outputs.items()} == {"boxes": Boxes, "score": float}
    assert (ports.generator, ports.stamped, ports.several, ports.source) == (
        True,
        True,
        True,
        False,
    )


def test_a_sink_has_no_outputs_and_a_source_no_inputs() -> None:
    class Sink(Operator):
        def process(self, x: Any) -> None: ...

    class Source(Operator):
        def frames(self) -> Iterator[Image]: ...

    assert Sink.ports().outputs == {}
    assert Source.ports().source
    assert Source.ports().outputs["out"].type is Image


@pytest.mark.parametrize(
    ("declared", "optional"),
    [
        (Image, False),
        (Image | None, True),
        (Stamped[Image], False),
        (Stamped[Image | None], True),
        (Stamped[Image] | None, True),
        (Iterator[Image], False),
        (Iterator[Image | None], True),
        (Any, True),
        (Found, True),
    ],
)
def test_what_may_send_nothing_says_so(declared: Any, optional: bool) -> None:
    def process(self: Operator, x: Any) -> Any: ...

    process.__annotations__["return"] = declared
    ports = type("SomeOp", (Operator,), {"process": process}).ports()
    assert {port.optional for port in ports.outputs.values()} == {optional}


@pytest.mark.parametrize(
    ("produced", "consumed", "fit"),
    [
        (Image, Image, True),
        (Image, Boxes, False),
        (Any, Boxes, True),
        (Image, Any, True),
        (Image | Boxes, Image, False),
        (Image, Image | Boxes, True),
        (bool, int, True),
        (list[int], list, True),
        (np.ndarray, Array, True),
        (npt.NDArray[np.float32], Array, True),
        (npt.NDArray[np.float32], np.ndarray, True),
        (Image, Array, False),
        (Array, Image, False),
    ],
)
def test_what_fits(produced: Any, consumed: Any, fit: bool) -> None:
    assert fits(produced, consumed) is fit


def test_any_array_is_an_array() -> None:
    import array_api_strict

    assert isinstance(np.zeros(2), Array)
    assert isinstance(array_api_strict.zeros(2), Array)
    assert not isinstance([1, 2], Array)


class NoType(Operator):
    def process(self, x) -> None: ...


class NoReturn(Operator):
    def process(self, x: int): ...


class Both(Operator):
    def process(self, x: int) -> None: ...
    def frames(self) -> Iterator[int]: ...


class Neither(Operator):
    pass


class NoIterator(Operator):
    def frames(self) -> int: ...


class Stars(Operator):
    def process(self, *x: int) -> None: ...


class Yields(Operator):
    def process(self, x: int) -> int:  # type: ignore[misc]
        yield x


class Awaits(Operator):
    async def process(self, x: int) -> int: ...


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Yields, r"it yields, so its return type must be Iterator\[int\]"),
        (Awaits, "must not be async"),
        (NoType, "parameter 'x' has no type"),
        (NoReturn, "the return type is missing"),
        (Both, "this class has both"),
        (Neither, "this class has neither"),
        (NoIterator, "must be Iterator"),
        (Stars, "cannot be an input"),
    ],
)
def test_a_wrong_signature_is_explained(cls: type[Operator], words: str) -> None:
    with pytest.raises(OperatorDefinitionError, match=words):
        cls.ports()
