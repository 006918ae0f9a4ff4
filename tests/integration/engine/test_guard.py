"""Guarded runs tell of operators that change what they were given, or what they have sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from support.graphs import Batching, Engine, Operator, app, flow, node, on_both, param, run

from holoflow import Arrays, Header, Image


class Pictures(Operator):
    def frames(self) -> Iterator[Image]:
        for level in range(3):
            yield Image(np.full((2, 2), level, np.uint8), "gray")


class Writes(Operator):
    """Changes its input, in a batch if told so, or what it has sent."""

    how: str = param("input", doc="input, batch, sent or nothing")

    def start(self) -> None:
        self._own = np.zeros((2, 2), np.uint8)

    def batching(self) -> Batching | None:
        return Batching(2, 0.001) if self.how == "batch" else None

    def process(self, image: Image, header: Header) -> Arrays:
        if self.how == "input":
            image.data[0, 0] = 9
        if self.how == "sent":
            self._own[0, 0] = header.sequence
            return Arrays(own=self._own)
        return Arrays(copy=image.data + 1)

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Arrays]:
        for item in batch:
            item["image"].data[0, 0] = 9
        return [Arrays() for _ in batch]


class Looks(Operator):
    def process(self, found: Arrays) -> None:
        sum(array.sum() for array in found.values())


def graph(how: str, **fields: Any) -> Any:
    return app(
        [node("s", Pictures), node("w", Writes, {"how": how}, **fields), node("l", Looks)],
        [flow("s", "w.image"), flow("w", "l.found")],
    )


@on_both
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("how", ["input", "batch", "sent"])
def test_who_changes_what_is_shared_fails_and_is_named(
    engine: Engine, how: str, fuse: bool
) -> None:
    failure = run(graph(how), engine, fuse=fuse).result.failure
    assert failure is not None
    assert failure.operator == "w"
    assert failure.frame == f"frame {1 if how == 'sent' else 0} of s"
    assert "copy before changing them" in failure.cause


@on_both
def test_who_copies_does_not(engine: Engine) -> None:
    assert run(graph("nothing"), engine).result.failure is None


@on_both
def test_nothing_is_read_only_in_other_runs(engine: Engine) -> None:
    assert run(graph("input"), engine, guarded=False).result.failure is None
