"""A run begins only where its processes may have as many files open as they need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.launched import JOINED, OPERATORS

from holoflow.app import load
from holoflow.launch.descriptors import needed
from holoflow.plan import plan

pytest.importorskip("zmq")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "operators.py").write_text(OPERATORS)
    app = tmp_path / "app.yaml"
    app.write_text(JOINED.replace("link: auto", "link: zeromq"))
    return app


def run(app: Path, limit: str) -> subprocess.CompletedProcess[str]:
    """Run `app` where `ulimit` was called with `limit`."""
    command = f'ulimit {limit} && exec "$0" -m holoflow run "$1" --output "$1.out"'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, str(app)], capture_output=True, text=True
    )


@pytest.mark.parametrize("limit", ["-n {}", "-S -n 30"], ids=["enough", "raised"])
def test_all_frames_arrive_where_enough_files_may_be_open(app: Path, limit: str) -> None:
    done = run(app, limit.format(most(app)))
    assert done.returncode == 0, done.stdout + done.stderr
    kept = Path(f"{app}.out/keep.txt").read_text().split()
    assert kept == [str(number) for number in range(1, 41)]


def test_what_is_needed_is_said_before_anything_is_started(app: Path) -> None:
    allowed = most(app) - 1
    done = run(app, f"-n {allowed}")
    assert done.returncode == 1
    assert f"fragment 'ill' needs about {allowed + 1}, a process may have {allowed}" in done.stderr
    assert "`ulimit -n 1024`" in done.stderr
    assert done.stdout == ""


def most(app: Path) -> int:
    return max(needed(plan(load(app)), name) for name in ("feed", "ill", "sink"))
