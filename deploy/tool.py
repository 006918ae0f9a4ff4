"""The tool that builds images on this machine: docker, podman or buildah."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holoflow.core.errors import HoloflowError
from holoflow.deploy.commands import CommandError, run
from holoflow.deploy.recipe import RECIPE

TOOLS = ("docker", "podman", "buildah")

_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?/")
_ANSWERS = {"docker": "version", "podman": "info", "buildah": "info"}
_PATIENCE = 30.0
_CHECK = "holoflow.cli.container check"
_NOISE = re.compile(r"^(subprocess exited with status|Error: building at STEP|time=)|^\s*$")
"""Lines in the output of a build that say nothing about the cause of a failure."""


@dataclass(frozen=True)
class Tool:
    """A tool that builds images."""

    name: str
    path: str

    def has(self, image: str) -> bool:
        """Whether `image` is on this machine."""
        found = subprocess.run(
            [self.path, "inspect", "--type", "image", image], capture_output=True, check=False
        )
        return found.returncode == 0

    def pull(self, image: str, platform: str) -> None:
        """Fetch `image`; raises HoloflowError if that fails."""
        run(
            [self.path, "pull", "--quiet", "--platform", platform, image],
            f"the base {image!r} cannot be pulled; name another with --base:",
        )

    def python(self, image: str) -> str | None:
        """Return the version of Python in `image`, such as 3.12; None if that is unknown."""
        if self.name == "buildah":  # cannot run anything
            return None
        asked = subprocess.run(
            [self.path, "run", "--rm", "--network", "none", "--entrypoint", "python3", image,
             "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        return asked.stdout.strip() if asked.returncode == 0 else None

    def build(self, context: Path, tag: str, platform: str) -> None:
        """Build the image `tag` from the recipe in `context`; equal contexts give equal layers.

        Raises:
            HoloflowError: The build fails; an earlier image with this tag is unchanged.
        """
        try:
            run(
                [self.path, "build", *self._options(), "--platform", platform,
                 "--file", str(context / RECIPE), "--tag", tag, str(context)],
                f"the image cannot be built ({self.name}):",
                environment={"SOURCE_DATE_EPOCH": "0", "DOCKER_BUILDKIT": "1"},
            )  # fmt: skip
        except CommandError as error:
            raise explained(error) from None

    def _options(self) -> Sequence[str]:
        if self.name == "docker":  # the builder reads SOURCE_DATE_EPOCH
            return ["--pull=false", "--build-arg", "SOURCE_DATE_EPOCH=0"]
        # Layers of failed builds are not kept; only this format supports health checks.
        return ["--pull=never", "--layers=false", "--force-rm", "--timestamp=0", "--format=docker"]

    def size(self, image: str) -> int:
        """Return the bytes of `image`, including its base."""
        if self.name == "buildah":
            listed = run([self.path, "images", "--json", image], f"{image} cannot be looked at:")
            found = re.search(r'"size":\s*"([\d.]+) ([KMG]?)B"', listed)
            units = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}
            return int(float(found[1]) * units[found[2]]) if found else 0
        command = [self.path, "image", "inspect", "--format", "{{.Size}}", image]
        return int(run(command, f"{image} cannot be looked at:"))

    def push(self, image: str) -> None:
        """Push `image` to its registry; raises HoloflowError if that fails."""
        # Registries on this machine have no certificates, which docker knows by itself.
        plain = self.name != "docker" and _LOOPBACK.match(image)
        run(
            [self.path, "push", "--quiet", *(["--tls-verify=false"] if plain else []), image],
            f"{image} is built, but cannot be pushed:",
        )


def find_tool(name: str | None = None) -> Tool:
    """Return the tool with that name, or the first of `TOOLS` that works.

    Raises:
        HoloflowError: There is none; the message says how to install one.
    """
    silent = []
    for candidate in (name,) if name else TOOLS:
        path = shutil.which(candidate)
        if path is None:
            continue
        if _works(path, _ANSWERS.get(candidate, "version")):
            return Tool(candidate, path)
        silent.append(candidate)
    if silent:
        raise HoloflowError(
            f"{' and '.join(silent)} cannot be used here (docker needs its daemon: docker version "
            "says more)",
            "another way: apt-get install podman",
        )
    raise HoloflowError(
        f"{' or '.join((name,) if name else TOOLS)} is needed here to build images",
        "install one, such as: apt-get install podman",
    )


def _works(path: str, question: str) -> bool:
    try:
        asked = subprocess.run(
            [path, question], capture_output=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def explained(error: CommandError) -> HoloflowError:
    """Return the error of a build: what its last step printed, and what to do about it."""
    if re.search("no space left on device", error.output, re.IGNORECASE):
        return HoloflowError(
            f"{error}\nthe disk is full: make room where images are kept, or remove some"
        )
    *_, last = re.split(r"^(?:\[[^]]*\] )?STEP .*\n", error.output, flags=re.MULTILINE)
    said = [line for line in last.splitlines() if not _NOISE.search(line)]
    if not said:
        return error
    if _CHECK in error.output.rpartition("STEP ")[2]:
        return CommandError("no image was made, as the app would not run in it:", "\n".join(said))
    return CommandError(str(error).splitlines()[0], "\n".join(said))
