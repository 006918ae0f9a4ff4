"""The machine and the Python for which an image is made."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from holoflow.core.errors import HoloflowError

BASE = "python:3.12-slim"
"""Base of images that need no GPU."""
GPU_BASE = "nvcr.io/nvidia/clara-holoscan/holoscan:v4.6.0-cuda12-dgpu"
"""Base of images that need a GPU: it has the libraries of CUDA."""
USUAL_PYTHON = "3.12"

ARCHITECTURES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platforms by the names of container tools, with the processor in the names of wheels."""
GLIBC = 36
"""Minor version of glibc in Debian 12, 2.36; wheels for newer ones are not used."""

_PYTHONS = ("3.10", "3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Target:
    """A platform and a version of Python."""

    platform: str
    """`linux/amd64` or `linux/arm64`."""
    python: str
    """`3.12`."""

    @property
    def processor(self) -> str:
        """Its processor, as in the names of wheels."""
        return ARCHITECTURES[self.platform]

    @property
    def tags(self) -> tuple[str, ...]:
        """Platforms of compatible wheels, best first."""
        processor = self.processor
        numbered = [f"manylinux_2_{minor}_{processor}" for minor in range(GLIBC, 4, -1)]
        return (*numbered, f"manylinux2014_{processor}", f"linux_{processor}")


def target_for(base: str, platform_name: str | None, python: str | None) -> Target:
    """Return the target of an image based on `base`.

    Args:
        base: Name of the base image.
        platform_name: `linux/amd64` or `linux/arm64`; None for this machine's.
        python: Version of Python; None for that in the name of the base, else 3.12.

    Raises:
        HoloflowError: There are no libraries for it.
    """
    if platform_name is None:
        here = platform.machine()
        found = [name for name, processor in ARCHITECTURES.items() if processor == here]
        platform_name = found[0] if found else f"linux/{here}"
    if platform_name not in ARCHITECTURES:
        raise HoloflowError(
            f"--platform: there are no libraries for {platform_name!r}",
            f"give {' or '.join(ARCHITECTURES)}",
        )
    if python is None:
        named = re.search(r"python:(3\.\d+)", base)
        python = named[1] if named else USUAL_PYTHON
    if python not in _PYTHONS:
        raise HoloflowError(
            f"holoflow does not run on Python {python!r}, but on {', '.join(_PYTHONS)}",
            "give another --base or --python",
        )
    return Target(platform_name, python)
