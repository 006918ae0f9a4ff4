"""Podman for tests: a storage of its own, and settings that work inside of containers, too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.base_image import write_base

BASE = "localhost/holoflow-base:1"
PYTHON = sysconfig.get_python_version()

CONTAINERS = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_backend = "netavark"
network_config_dir = "{folder}/net"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


class Podman:
    """Podman with images and containers of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir(parents=True)
        for name, text in (("containers", CONTAINERS), ("storage", STORAGE)):
            (folder / f"{name}.conf").write_text(text.format(folder=folder))
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",  # builds without rights over namespaces
        }

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman; with `check` its failure is one of the test."""
        return self.run("podman", *arguments, check=check)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program that uses this podman."""
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert not check or ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
        return ran

    def make_base(self) -> str:
        """Make the base image, and return its name."""
        tar = write_base(self.folder / "base")
        path = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        self("import", "--quiet", "--change", path, str(tar), BASE)
        tar.unlink()
        return BASE

    def close(self) -> None:
        """Remove all of it."""
        self("rm", "--all", "--force", "--time", "0", check=False)
        subprocess.run(["umount", str(self.folder / "storage/overlay")], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """Yield podman with nothing in it, in the new `folder`."""
    made = Podman(folder)
    try:
        yield made
    finally:
        made.close()
