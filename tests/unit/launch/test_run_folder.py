"""The folder of a run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.launch import run_folder
from holoflow.launch.run_folder import RunFolder, sweep


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "holoflow-0"
    monkeypatch.setattr(run_folder, "place", lambda: place)
    return place


def test_it_is_its_users_alone_and_goes_with_all_that_is_in_it(base: Path) -> None:
    made = RunFolder("abc")
    assert made.path == base / "abc"
    for path in (base, made.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (made.path / "deep").mkdir()
    (made.path / "deep" / "socket").touch()
    made.remove()
    assert not base.exists()


def test_other_runs_keep_theirs(base: Path) -> None:
    one, other = RunFolder("one"), RunFolder("other")
    one.remove()
    assert [path.name for path in base.iterdir()] == ["other"]
    other.remove()


def test_two_runs_of_one_name_are_refused() -> None:
    made = RunFolder("abc")
    (made.path / "counters").touch()
    with pytest.raises(HoloflowError, match="cannot make the folder of the run"):
        RunFolder("abc")
    made.remove()


def test_a_place_that_others_may_enter_is_refused(base: Path) -> None:
    base.mkdir(mode=0o755)
    with pytest.raises(HoloflowError, match="chmod 700"):
        RunFolder("abc")


def test_the_sweep_takes_what_nobody_holds(base: Path) -> None:
    held = RunFolder("held")
    dead = RunFolder("dead")
    os.close(dead._lock)  # as the system does for a launcher that has died
    (base / ".half").mkdir()
    (base / ".old").mkdir()
    os.utime(base / ".old", (0, 0))
    sweep()
    assert sorted(path.name for path in base.iterdir()) == [".half", "held"]
    held.remove()


def test_where_nothing_has_run_nothing_is_swept(base: Path) -> None:
    sweep()
    assert not base.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_another_user_who_was_there_first_stops_nobody(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.mkdir(mode=0o700)
    os.chown(base, 12345, 12345)
    made = RunFolder("abc")
    assert made.path.parent != base
    assert made.path.parent.parent == base.parent
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700
    again = RunFolder("second")
    assert again.path.parent == made.path.parent
    os.close(again._lock)  # as the system does for a launcher that has died
    sweep()
    assert made.path.exists()
    assert not again.path.exists()
    made.remove()
    assert list(base.parent.iterdir()) == [base]
