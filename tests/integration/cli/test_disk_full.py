"""Where the disk with the output is full, it is said who failed, and nothing half-made is left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

OPERATORS = """
from collections.abc import Iterator

from holoflow import Operator


class CountOp(Operator):
    def frames(self) -> Iterator[int]:
        yield from range(1000)


class WriteOp(Operator):
    def process(self, number: int) -> None:
        with (self.context.output / "all").open("ab") as file:
            file.write(bytes(4096))
"""
APP = """
app: writes
operators:
  count: {type: ./operators.py:CountOp}
  write: {type: ./operators.py:WriteOp, inputs: {number: count}}
"""


def run(folder: Path, how: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the app, its output folder mounted with options `how`; list what is in it at the end."""
    (folder / "operators.py").write_text(OPERATORS)
    (folder / "app.yaml").write_text(APP)
    (folder / "out").mkdir()
    mount = f"mount -t tmpfs -o {how} none out"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], cwd=folder).returncode:
        # Elsewhere it is a right that not everybody has.
        assert os.environ.get("CI") != "true", "unshare -rm must work in CI"
        pytest.skip("no mounts here")
    script = f'{mount} && "$@"; status=$?; find out -type f -printf "%f %s %m\\n"; exit $status'
    command = [sys.executable, "-m", "holoflow", "run", ".", "--output", "out", *options]
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command, "--engine", "inline"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def test_the_operator_is_named_and_no_report_is_half_there(tmp_path: Path) -> None:
    done = run(tmp_path, "size=40k")
    assert done.returncode == 1, done.stderr
    assert "operator 'write' failed on frame" in done.stderr
    assert "No space left on device" in done.stderr
    assert "its report cannot be written" in done.stderr
    assert "report" not in done.stdout.splitlines()[-1]
    left = [line.split()[0] for line in done.stdout.splitlines() if line[-3:].isdigit()]
    assert left == ["all"]


def test_a_report_is_its_users_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "size=20m", "--frames", "3")
    assert done.returncode == 0, done.stderr
    listed = [line.split() for line in done.stdout.splitlines() if line.startswith("report.")]
    assert sorted((name, mode) for name, _, mode in listed) == [
        ("report.html", f"{stat.S_IRUSR | stat.S_IWUSR:o}"),
        ("report.json", f"{stat.S_IRUSR | stat.S_IWUSR:o}"),
    ]


def test_a_folder_that_cannot_be_written_to_is_found_before_anything_starts(tmp_path: Path) -> None:
    done = run(tmp_path, "ro")
    assert done.returncode == 2, done.stderr
    assert "nothing can be written to the output folder out: Read-only file system" in done.stderr
