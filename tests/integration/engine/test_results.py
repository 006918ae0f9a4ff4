"""What operators give is held against what they are declared to give, wherever they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.graphs import Engine, Run, Sink, Source, chain, node, on_both, run

from holoflow import Array, Image, Operator, Stamped, Text
from holoflow.app.graph import Node

BAD = 7
ways = pytest.mark.parametrize("way", ["burst", "fused", "unfused"])
kept: list[Any] = []
IMAGE = Image(np.zeros((2, 2, 3), np.uint8))


class Plain(Operator):
    """A sink that needs no header, so that a chain to it runs in bursts."""

    def start(self) -> None:
        kept.clear()

    def process(self, x: Any) -> None:
        kept.append(x)


def run_to_sink(
    way: str, engine: Engine, *nodes: Node, tracked: bool = True
) -> tuple[Run, list[Any]]:
    """Return the run of a chain of `nodes`, and what has come to its end."""
    graph = chain(*nodes, node("sink", Plain if way == "burst" else Sink))
    ran = run(graph, engine, fuse=way != "unfused", tracked=tracked)
    return ran, list(kept) if way == "burst" else ran.payloads()


class AnArray(Operator):
    def process(self, x: Any) -> Image:
        return IMAGE if x < BAD else IMAGE.data  # type: ignore[return-value]


class NoReturn(Operator):
    def process(self, x: Any) -> Image:  # type: ignore[return]  # noqa: RET503
        if x < BAD:
            return IMAGE


class Strings(Operator):
    def process(self, x: Any) -> list[Text]:
        return [Text("a")] if x < BAD else "a"  # type: ignore[return-value]


class Unmarked(Operator):
    def process(self, x: Any) -> Image:
        return IMAGE if x < BAD else Stamped(IMAGE)  # type: ignore[return-value]


class Bare(Operator):
    def process(self, x: Any) -> Stamped[Image]:
        return Stamped(IMAGE) if x < BAD else IMAGE  # type: ignore[return-value]


class OneOfMany(Operator):
    def process(self, x: Any) -> Iterator[Image]:
        yield IMAGE
        if x == BAD:
            yield None  # type: ignore[misc]


class NoIterator(Operator):
    def process(self, x: Any) -> Iterator[int]:
        return iter([1]) if x < BAD else 1  # type: ignore[return-value]


@on_both
@ways
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (AnArray, "declared to give Image, but process returned ndarray"),
        (NoReturn, "process returned None; write `Image | None` if it may send nothing"),
        (Strings, "declared to give list[Text], but process returned str"),
        (Unmarked, "process returned Stamped; write `Stamped[Image]`"),
        (Bare, "Stamped is declared, but process returned Image"),
        (OneOfMany, "process gave None; write `Image | None`"),
        (NoIterator, "process is declared to give an Iterator, but returned int"),
    ],
)
def test_the_operator_that_sent_it_is_named(
    engine: Engine, way: str, tracked: bool, cls: type, words: str
) -> None:
    """At the frame where the type changes, and nothing of it goes on."""
    ran, got = run_to_sink(way, engine, node("source", Source), node("bad", cls), tracked=tracked)
    assert ran.result.failure is not None
    assert ran.result.failure.operator == "bad"
    assert ran.result.failure.frame == f"frame {BAD} of source"
    assert words in ran.result.failure.cause
    assert len(got) == BAD + (cls is OneOfMany)


@on_both
@ways
@pytest.mark.parametrize("live", [True, False], ids=["live", "not live"])
@pytest.mark.parametrize(("wrong", "name"), [("x", "str"), (None, "None"), (Stamped(1), "Stamped")])
def test_a_source_is_named(engine: Engine, way: str, live: bool, wrong: Any, name: str) -> None:
    class Wrong(Operator):
        def frames(self) -> Iterator[int]:
            yield from (1, 2, wrong, 4)

    Wrong.live = live
    ran, got = run_to_sink(way, engine, node("source", Wrong, on_error="skip"))
    assert got == [1, 2, 4]
    assert ran.operator("source").skipped == 1
    stopped, _ = run_to_sink(way, engine, node("source", Wrong))
    assert stopped.result.failure is not None
    assert stopped.result.failure.operator == "source"
    assert f"declared to give int, but frames gave {name}" in stopped.result.failure.cause


class Sometimes(Operator):
    """Gives values of all the types that it is declared to give, in turn, or nothing."""

    def process(self, x: Any) -> int | str | Array | None:
        return (x, str(x), np.int32(x), np.asarray(x), None)[x % 5]


@on_both
@ways
def test_types_may_change_as_declared(engine: Engine, way: str) -> None:
    source = node("source", Source, {"n": 3000})
    ran, got = run_to_sink(way, engine, source, node("some", Sometimes))
    assert ran.result.failure is None
    assert list(map(int, got)) == [x for x in range(3000) if x % 5 < 4]
    assert ran.operator("some").sent == 2400
