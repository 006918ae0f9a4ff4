"""What there is on a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holoflow.plan.machine import MachineResources, read_machine


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root folder of a machine without GPUs."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for folder in ("bin", "dev", "sys/fs/cgroup/memory"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("nvidiactl", "nvidia-uvm", "nvidia-caps", "null", "video0"):
        (tmp_path / "dev" / name).touch()
    return tmp_path


def devices(root: Path, count: int) -> None:
    for number in range(count):
        (root / "dev" / f"nvidia{number}").touch()


def test_this_machine() -> None:
    machine = read_machine()
    assert machine.cores == os.sched_getaffinity(0)
    assert 1e8 < machine.memory < 1e15


def test_no_gpu(root: Path) -> None:
    assert read_machine(root, {}).gpus == ()
    assert read_machine(root, {"CUDA_VISIBLE_DEVICES": "0"}).gpus == ()


def test_gpus_by_their_devices(root: Path) -> None:
    devices(root, 2)
    assert read_machine(root, {}).gpus == ("0", "1")


def test_gpus_by_the_driver(root: Path) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (root / "proc/driver/nvidia/gpus" / name).mkdir(parents=True)
    assert read_machine(root, {}).gpus == ("0", "1", "2")


def test_gpus_by_what_nvidia_lists(root: Path) -> None:
    program = root / "bin" / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\necho 'GPU 0: NVIDIA X (UUID: GPU-1)'\necho '  MIG 1g Device 0: (UUID: MIG-2)'\n"
    )
    program.chmod(0o755)
    assert read_machine(root, {}).gpus == ("0",)
    program.write_text("#!/bin/sh\necho 'Failed to initialize NVML'\nexit 9\n")
    assert read_machine(root, {}).gpus == ()
    program.write_text("no program\n")
    program.chmod(0o755)
    assert read_machine(root, {}).gpus == ()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", ()), ("-1", ()), ("1", ("1",)), ("1,0", ("1", "0")), ("0,7,1", ("0",)),
        ("GPU-ab12, 1", ("GPU-ab12", "1")), ("MIG-x", ("MIG-x",)), ("NoDevFiles", ()),
    ],
)  # fmt: skip
def test_gpus_that_are_visible(root: Path, visible: str, expected: tuple[str, ...]) -> None:
    devices(root, 2)
    assert read_machine(root, {"CUDA_VISIBLE_DEVICES": visible}).gpus == expected


def test_memory_of_a_container(root: Path) -> None:
    whole = read_machine(root, {}).memory
    (root / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert read_machine(root, {}).memory == whole
    (root / "sys/fs/cgroup/memory.max").write_text("50000000\n")
    assert read_machine(root, {}).memory == 50_000_000
    (root / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert read_machine(root, {}).memory == 50_000_000


def test_a_machine_is_a_value() -> None:
    assert MachineResources(frozenset({0}), (), 1) == MachineResources(frozenset({0}), (), 1)
