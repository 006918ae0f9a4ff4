from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.deploy.commands import CommandError, run
from holoflow.deploy.tool import explained, find_tool


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_first_that_works_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HoloflowError, match="apt-get install podman"):
        find_tool()
    program(tmp_path, "docker", "exit 1")
    with pytest.raises(HoloflowError, match="docker needs its daemon"):
        find_tool()
    program(tmp_path, "podman", "exit 0")
    assert find_tool().name == "podman"
    program(tmp_path, "docker", "exit 0")
    assert find_tool().name == "docker"
    assert find_tool("podman").name == "podman"
    with pytest.raises(HoloflowError, match="buildah is needed here"):
        find_tool("buildah")


def test_a_failing_program_is_quoted() -> None:
    with pytest.raises(CommandError, match=r"it fails:\n  one\n  two$"):
        run(["sh", "-c", "echo one; echo two >&2; exit 3"], "it fails:")
    with pytest.raises(CommandError, match="cannot be started"):
        run(["/no/such/program"], "it fails:")
    assert run(["echo", "yes"], "it fails:") == "yes\n"


BUILD = """\
[1/2] STEP 1/2: FROM base
[2/2] STEP 1/2: COPY a b
[2/2] STEP 2/2: RUN {command}
{said}
subprocess exited with status 2
time="now" level=error msg="cleaning"
Error: building at STEP "RUN {command}": exit status 2
"""


def test_of_a_build_the_last_step_is_told() -> None:
    said = BUILD.format(command="make", said="make: no rule")
    error = explained(CommandError("the image cannot be built (podman):", said))
    assert str(error) == "the image cannot be built (podman):\n  make: no rule"


def test_a_check_that_fails_speaks_for_itself() -> None:
    said = BUILD.format(
        command="python3 -m holoflow.cli.container check", said="a.py:1: needs 'scipy'"
    )
    error = explained(CommandError("the image cannot be built (podman):", said))
    assert str(error).splitlines() == [
        "no image was made, as the app would not run in it:", "  a.py:1: needs 'scipy'",
    ]  # fmt: skip


def test_a_full_disk_is_named() -> None:
    said = "STEP 1: COPY a b\nError: write /x: no space left on device"
    error = explained(CommandError("the image cannot be built (podman):", said))
    assert "the disk is full" in str(error)
