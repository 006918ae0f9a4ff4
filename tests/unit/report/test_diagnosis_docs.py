"""The documentation's table of known cases is that of the tests."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from support.slow_apps import SLOW_APPS, row

from holoflow.report.diagnosis.finding import Limit

DOCS = Path(__file__).parents[3] / "docs"
CAUSES = (DOCS / "explanation" / "tracking.md").read_text(encoding="utf-8")
CASES = (DOCS / "measurements" / "tracking.md").read_text(encoding="utf-8")


def test_every_case_is_there() -> None:
    assert [row(slow) for slow in SLOW_APPS if row(slow) not in CASES] == []
    assert len({slow.name for slow in SLOW_APPS}) == len(SLOW_APPS) >= 10


def test_every_cause_is_explained_and_has_a_case() -> None:
    causes = set(get_args(Limit))
    assert {cause for cause in causes if f"**{cause}**" not in CAUSES} == set()
    shown = {slow.cause for slow in SLOW_APPS}
    shown |= {cause for slow in SLOW_APPS for cause, _ in slow.others}
    assert shown == causes - {"unknown", "stall"}  # of which there are no rates
