"""Which classes may travel."""

from __future__ import annotations

import sys
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pytest
from support.wire_heads import decode, encode

from holoflow.app.catalogue import find_class
from holoflow.core.message import Header
from holoflow.core.objects import Boxes
from holoflow.core.pictures import Image
from holoflow.link.wire import Types, WireError

HEADER = Header(0, 1, "camera")


@dataclass(frozen=True)
class Point:
    x: float


@dataclass(frozen=True)
class Line:
    ends: tuple[Point, Point]


@dataclass(frozen=True)
class Drawing:
    lines: list[Line] | None
    image: Image
    next: Drawing | None = None


@dataclass(frozen=True)
class Level:
    value: float
    limit: InitVar[float] = 1.0
    above: bool = field(init=False)

    def __post_init__(self, limit: float) -> None:
        object.__setattr__(self, "above", self.value > limit)


class Result(TypedDict):
    point: Point


def test_dataclasses_of_ports_and_of_their_fields_travel() -> None:
    types = Types.of([Drawing, Image, float, dict])
    inner = Drawing([Line((Point(1), Point(2)))], Image(np.zeros((2, 2, 3))))
    came = decode(*encode(Drawing(None, inner.image, inner), HEADER, types=types), types)
    assert type(came.payload) is Drawing
    assert came.payload.next.lines == inner.lines


def test_annotations_with_several_classes_are_looked_through() -> None:
    hint: Any = dict[str, list[Line] | None]
    types = Types.of([hint])
    assert types.get(Line) is not None
    assert types.get(Point) is not None
    assert types.get(Drawing) is None


def test_only_what_makes_an_object_travels() -> None:
    types = Types.of([Level])
    assert decode(*encode(Level(2), HEADER, types=types), types).payload == Level(2)


def test_names_do_not_depend_on_the_host() -> None:
    types = Types.of([Point])
    assert types.named("Boxes").cls is Boxes
    assert types.named(f"{__name__}:Point").cls is Point


def test_classes_of_an_apps_files_have_names_without_their_folder(tmp_path: Path) -> None:
    text = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Spot:\n    x: int\n"
    classes = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "spots.py").write_text(text)
        classes.append(find_class("./spots.py:Spot", tmp_path / folder))
    here, there = classes
    assert here is not there
    message = encode(here(5), HEADER, types=Types.of([here]))
    came = decode(*message, Types.of([there])).payload
    assert type(came) is there
    assert came.x == 5
    with pytest.raises(WireError, match="two classes would have the name spots:Spot on links"):
        Types.of([here, there])
    for cls in classes:
        del sys.modules[cls.__module__]


def test_a_receiver_that_does_not_know_a_class_refuses_it() -> None:
    message = encode(Point(1), HEADER, types=Types.of([Point]))
    with pytest.raises(WireError, match="Point' is neither named by a port of the app"):
        decode(*message, Types.of([Line][:0]))


def test_annotations_that_only_type_checkers_understand_do_no_harm() -> None:
    @dataclass(frozen=True)
    class Odd:
        point: Unknown  # type: ignore[name-defined]  # noqa: F821

    types = Types.of([Odd, Point])
    assert decode(*encode(Odd(Point(1)), HEADER, types=types), types).payload.point == Point(1)
