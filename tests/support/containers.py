"""Podman for tests: a storage of its own, and settings that work inside of containers, too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.base_image import write_base

PROGRAMS = (
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "catatonit",
    "iptables",
    "docker-registry",
)
"""Debian's packages of these names, too; see tests/system/install.sh."""
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

    def package(self, app: str, name: str = "", *options: str) -> str:
        """Make an image of `app`, and return what it is called."""
        tag = f"localhost/{name or app}:1"
        base = ("--base", BASE, "--tool", "podman")
        program = str(Path(sys.executable).with_name("holoflow"))
        self.run(program, "package", app, "--tag", tag, *base, *options)
        return tag

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


def why_not() -> str:
    """Return why containers cannot be tried here; empty where they can."""
    if os.getuid() != 0:
        return "containers are tried as root"
    if shutil.which("dpkg") is None:
        return "the base image is made of Debian's packages"
    places = os.environ.get("PATH", "") + ":/usr/lib/podman:/usr/sbin:/sbin"
    lacks = [name for name in PROGRAMS if shutil.which(name, path=places) is None]
    return f"{lacks[0]} is not installed (apt-get install {' '.join(lacks)})" if lacks else ""
