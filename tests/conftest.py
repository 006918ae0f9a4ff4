"""Tests that need a part of the system are left out, by name, where it is missing.

With CI=true they are run, and fail, so that CI never passes without them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest
from support import containers, hosts

NEEDS = {
    "browser": ["chromium"], "compiler": ["cc"], "display": ["Xvfb", "_tkinter"],
    "systemd_analyze": ["systemd-analyze"],
}  # fmt: skip
"""Programs and modules that the fixtures of these names need."""
ASKS = {"hosts": hosts.why_not, "containers": containers.why_not}
"""What says why the fixtures of these names cannot work here; empty where they can."""

_left_out: list[str] = []


def missing(needed: str) -> bool:
    """Whether `needed` is neither a program nor a module here."""
    return shutil.which(needed) is None and importlib.util.find_spec(needed) is None


def reasons(used: set[str]) -> dict[str, str]:
    """Return why fixtures cannot work here, for those of `used` that cannot."""
    found = {name: ask() for name, ask in ASKS.items() if name in used}
    for name in NEEDS.keys() & used:
        lacks = [needed for needed in NEEDS[name] if missing(needed)]
        found[name] = f"{lacks[0]} is not installed" if lacks else ""
    return {name: reason for name, reason in found.items() if reason}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CI") == "true":
        return
    wanted = {item: set(getattr(item, "fixturenames", ())) for item in items}
    lacking = reasons(set().union(*wanted.values()))
    kept = []
    for item, names in wanted.items():
        why = [lacking[name] for name in sorted(names) if name in lacking]
        if why:
            _left_out.append(f"left out: {item.nodeid}, as {why[0]}")
        else:
            kept.append(item)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _left_out:
        terminalreporter.write_line(line)
