"""The faces app, deployed as it is written to be, finds what it finds in a plain run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.containers import Podman

PROGRAMS = Path(sys.executable).parent
APP = "faces/apart"
FRAMES = 30
OPTIONS = ("--frames", str(FRAMES), "--lossless")
PATIENCE = 300.0

pytestmark = pytest.mark.timeout(600)  # an image is built


def holoflow(*arguments: str) -> None:
    command = [str(PROGRAMS / "holoflow"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def until(containers: Podman, container: str, *command: str) -> None:
    """Wait until `command` succeeds in a container."""
    deadline = time.monotonic() + PATIENCE
    while (ran := containers("exec", container, *command, check=False)).returncode:
        assert time.monotonic() < deadline, ran.stdout + ran.stderr
        time.sleep(0.1)


def check_ended(containers: Podman, *names: str) -> None:
    """Wait until containers end, and see that they end well."""
    for name in names:
        status = containers("wait", name).stdout.strip()
        assert status == "0", containers("logs", name).stdout


def found(containers: Podman, container: str, folder: Path) -> list[str]:
    """Return the faces of each frame that a container has written."""
    containers("cp", f"{container}:/output/faces.jsonl", str(folder))
    return (folder / "faces.jsonl").read_text().splitlines()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The faces of each frame in a plain run."""
    folder = tmp_path_factory.mktemp("alone")
    holoflow("run", "faces", *OPTIONS, "--no-web", "--output", str(folder))
    lines = (folder / "faces.jsonl").read_text().splitlines()
    assert len(lines) == FRAMES
    return lines


def test_through_compose(
    containers: Podman, faces_image: str, alone: list[str], tmp_path: Path
) -> None:
    holoflow("deploy", "compose", APP, "--image", faces_image, "-o", str(tmp_path), "--", *OPTIONS)
    compose = (str(PROGRAMS / "podman-compose"), "-f", str(tmp_path / "compose.yaml"))
    names = [f"faces-apart_{service}_1" for service in ("source", "detect", "view")]
    try:
        containers.run(*compose, "up", "-d", "detect", "view")
        for name in names[1:]:
            health = ("python3", "-m", "holoflow.cli.container", "health")
            until(containers, name, *health)
            # Nobody has sent anything yet.
            assert containers("exec", name, *health, "--ready", check=False).returncode == 1
        containers.run(*compose, "up", "-d", "source")
        check_ended(containers, *names)
        assert found(containers, names[-1], tmp_path) == alone
    finally:
        containers.run(*compose, "down", "--volumes", check=False)


def test_through_kubernetes(
    containers: Podman, faces_image: str, alone: list[str], tmp_path: Path
) -> None:
    # Two Pods: one link is encrypted, and two fragments share memory.
    hosts = ("--set", "detect_host=box", "--set", "view_host=box")
    holoflow(
        "deploy", "kubernetes", APP, "--image", faces_image, *hosts, "--metrics",
        "--storage", "1GiB", "-o", str(tmp_path), "--", *OPTIONS,
    )  # fmt: skip
    manifest = str(tmp_path / "app.yaml")
    try:
        containers("kube", "play", str(tmp_path / "secrets.yaml"))
        containers("kube", "play", manifest)
        check_ended(containers, "source-holoflow", "box-holoflow")
        assert found(containers, "box-holoflow", tmp_path) == alone
    finally:
        containers("kube", "down", manifest, check=False)
        containers("volume", "rm", "--all", check=False)
        containers("secret", "rm", "--all", check=False)


def test_units_on_two_machines(hosts, alone: list[str], tmp_path: Path) -> None:
    """What units would start, started by hand; systemd itself need not run here."""
    machines = hosts("edge", "box")
    settings = [f"--set={name}_host=box" for name in ("detect", "view")]
    folder = tmp_path / "units"
    holoflow(
        "deploy", "systemd", APP, "--set=source_host=edge", *settings, "-o", str(folder), "--",
        *OPTIONS, "--no-web",
    )  # fmt: skip
    started = []
    for machine in machines:
        unit = (folder / f"holoflow-faces-apart-{machine.name}.service").read_text()
        (line,) = re.findall(r"^ExecStart=(.*)", unit, re.MULTILINE)
        command = shlex.split(line)
        command[command.index("--output") + 1] = str(machine.home / "out")
        keys = machine.home / "keys.json"
        keys.write_bytes((folder / "keys" / f"{machine.name}.json").read_bytes())
        environment = {"HOLOFLOW_KEYS_FILE": str(keys)}
        with (machine.home / "log").open("w") as log:
            started.append(machine.popen(command, env=environment, stdout=log, stderr=log))
    for machine, program in zip(machines, started, strict=True):
        assert program.wait(PATIENCE) == 0, (machine.home / "log").read_text()
    assert (machines[1].home / "out" / "faces.jsonl").read_text().splitlines() == alone
