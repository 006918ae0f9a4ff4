"""What a run leaves in shared memory, by name."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holoflow.link.shared_memory.memory import prefix, remove_leftovers


def test_only_that_runs_memory_goes(tmp_path: Path) -> None:
    mine = [f"{prefix('ab')}x.data", f"{prefix('ab')}y"]
    others = [f"{prefix('abc')}x.data", f"{prefix('ab_c')}x", "holoflow_ab", "else"]
    for name in mine + others:
        (tmp_path / name).touch()
    assert remove_leftovers("ab", tmp_path) == sorted(mine)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(others)
    assert remove_leftovers("ab", tmp_path) == []


def test_no_shared_memory_no_leftovers(tmp_path: Path) -> None:
    assert remove_leftovers("ab", tmp_path / "nowhere") == []


@given(st.text(), st.text())
def test_no_runs_names_begin_as_anothers_do(one: str, other: str) -> None:
    assert one == other or not prefix(one).startswith(prefix(other))
    assert len(prefix(one)) < 100
    assert "/" not in prefix(one)
