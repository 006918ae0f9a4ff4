"""Apps as text, with `«` before every place where a mistake is expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.app.graph import App
from holoflow.core.errors import AppError, Mistake

OPERATORS = '''
from collections.abc import Iterator
from typing import Any, Literal, TypedDict

from holoflow import Boxes, Duration, Frequency, Image, Latest, Operator, Size, Text, param
from holoflow.core.files import InputPath


class CameraOp(Operator):
    """Make images."""

    path: InputPath | None = param(None, doc="clip")
    paths: list[InputPath] = param([], doc="clips")
    rate: Frequency = param("30hz", gt=0, doc="frames a second")

    def frames(self) -> Iterator[Image]:
        yield from ()


class FileOp(Operator):
    path: InputPath = param(doc="clip")

    def frames(self) -> Iterator[Image]:
        yield from ()


class DeviceOp(Operator):
    device: int = param(0, doc="which")

    def claims(self) -> tuple[str, ...]:
        if self.device == 13:
            raise RuntimeError("no luck")
        return (f"device {self.device}",)

    def frames(self) -> Iterator[Image]:
        yield from ()


class GrayOp(Operator):
    level: float = param(0.5, ge=0, le=1, doc="fraction of full scale")
    size: int | tuple[int, int] = param(5, doc="one side, or both")
    fast: bool = param(False, doc="whether to hurry")
    mode: Literal["near", "far"] = param("near", doc="which")
    names: list[str] = param([], doc="labels")
    wait: Duration = param("1s", doc="how long")

    def process(self, image: Image) -> Image:
        return image


class NeedyOp(Operator):
    count: int = param(ge=1, doc="how many")

    def process(self, image: Image) -> Image:
        return image


class EitherOp(Operator):
    scale: float | None = param(None, doc="factor")
    width: int | None = param(None, doc="columns")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        if (self.scale is None) == (self.width is None):
            raise ValueError("scale and width; give one of them")
        if self.width == 0:
            raise KeyError(0)

    def process(self, image: Image) -> Image:
        return image


class Found(TypedDict):
    boxes: Boxes
    text: Text


class DetectOp(Operator):
    def process(self, image: Image) -> Found:
        return {}


class ScreenOp(Operator):
    def process(
        self, image: Image, boxes: Boxes | None = None, last: Latest[Text] = None
    ) -> None: ...


class LastOp(Operator):
    def process(self, last: Latest[Text] = None, boxes: Boxes | None = None) -> None: ...


class WriterOp(Operator):
    def process(self, **values: Image) -> None: ...
'''

Load = Callable[..., App]
Check = Callable[..., list[Mistake]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that loads an app from text, with files beside it, as `app.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ops.py").write_text(OPERATORS)

    def run(text: str, files: dict[str, str] | None = None, **options) -> App:
        for name, content in (files or {}).items():
            Path(name).write_text(content)
        Path("app.yaml").write_text(text)
        return load(Path("app.yaml"), **{"environment": {}, **options})

    return run


def _places(file: str, text: str) -> list[tuple[str, int, int]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split("«")[:-1]
        column = 1
        for part in parts:
            column += len(part)
            found.append((file, number, column))
    return found


@pytest.fixture
def mistakes(load_text: Load) -> Check:
    """Return a function that loads a wrong app and returns its mistakes.

    They must stand exactly where the text has `«`, in the app as well as in the files beside it.
    """

    def run(text: str, files: dict[str, str] | None = None, **options) -> list[Mistake]:
        files = files or {}
        expected = _places("app.yaml", text)
        for name, content in files.items():
            expected += _places(name, content)
        plain = {name: content.replace("«", "") for name, content in files.items()}
        with pytest.raises(AppError) as caught:
            load_text(text.replace("«", ""), plain, **options)
        found = caught.value.mistakes
        places = [(m.location.file, m.location.line, m.location.column) for m in found]
        assert sorted(places) == sorted(expected), str(caught.value)
        assert len(str(caught.value).splitlines()) == len(found)
        return found

    return run
