"""One name stands for one thing: no two public classes share one."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("holoflow", "operators", "fragments", "deploy")


def test_no_two_public_classes_share_a_name() -> None:
    files: dict[str, list[str]] = defaultdict(list)
    for room in ROOMS:  # links from one to another are not followed
        for file in sorted((REPOSITORY / room).rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    files[node.name].append(str(file.relative_to(REPOSITORY)))
    assert {name: where for name, where in files.items() if len(where) > 1} == {}
