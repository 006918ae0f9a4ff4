"""docs/reference/payloads.md says of each field what the docstrings say, and its examples run."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from holoflow.core import message, payload

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "payloads.md").read_text()
TYPES = [getattr(payload, name) for name in payload.__all__]
DATACLASSES = [cls for cls in TYPES if isinstance(cls, type) and dataclasses.is_dataclass(cls)]


@pytest.mark.parametrize("cls", [*DATACLASSES, message.Header, message.Stamped])
def test_every_field_is_told_of_in_the_docstring_and_in_the_document(cls: type) -> None:
    doc = inspect.getdoc(cls) or ""
    items = re.split(r"^- ", doc, flags=re.MULTILINE)[1:]
    told = {re.match(r"`(\w+)`: ", item)[1]: " ".join(item.split()) for item in items}  # type: ignore[index]
    assert list(told) == [field.name for field in dataclasses.fields(cls)]
    section = re.search(rf"^##+ {cls.__name__}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None
    lines = section[1].splitlines()
    assert [line[2:] for line in lines if line.startswith("- ")] == list(told.values())
    assert " ".join(doc.partition("\n\n- ")[0].split()) in section[1]


def test_the_examples_run() -> None:
    names: dict[str, object] = {}
    for example in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(example, names)
    assert isinstance(names["boxes"], payload.Boxes)
