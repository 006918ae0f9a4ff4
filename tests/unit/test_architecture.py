"""The walks through the code in the architecture page name what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text()
STEPS = re.findall(r"^\| \d+ \| `([\w/]+\.py)` \| `(\w+)` \|", PAGE, re.MULTILINE)


def test_two_walks_of_twelve_steps() -> None:
    assert len(STEPS) == 24


@pytest.mark.parametrize(("file", "function"), STEPS)
def test_each_step_is_in_the_code(file: str, function: str) -> None:
    tree = ast.parse((REPOSITORY / "holoflow" / file).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert function in names


def test_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`(?:holoflow/)?(\w+/[\w/]+\.py)`", PAGE))
    missing = [name for name in named if not (REPOSITORY / "holoflow" / name).is_file()
               and not (REPOSITORY / name).is_file()]  # fmt: skip
    assert not missing
