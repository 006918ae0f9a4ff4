"""Tests that need a part of the system are left out, by name, where it is missing.

With CI=true they are run, and fail, so that CI never passes without them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

NEEDS = {"browser": ["chromium"], "compiler": ["cc"], "display": ["Xvfb", "_tkinter"]}
"""Programs and modules that the fixtures of these names need."""

_left_out: list[str] = []


def missing(needed: str) -> bool:
    """Whether `needed` is neither a program nor a module here."""
    return shutil.which(needed) is None and importlib.util.find_spec(needed) is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CI") == "true":
        return
    lacking = {name: [n for n in needs if missing(n)] for name, needs in NEEDS.items()}
    kept = []
    for item in items:
        lacks = [
            part for name in getattr(item, "fixturenames", ()) for part in lacking.get(name, ())
        ]
        if lacks:
            _left_out.append(f"left out: {item.nodeid}, as {lacks[0]} is not installed")
        else:
            kept.append(item)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _left_out:
        terminalreporter.write_line(line)
