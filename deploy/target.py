"""For which machine and Python an image is made."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass

from holoflow.core.errors import HoloflowError

BASE = "python:3.12-slim"
"""What an image is based on that needs no GPU."""
GPU_BASE = "nvcr.io/nvidia/clara-holoscan/holoscan:v4.6.0-cuda12-dgpu"
"""What an image is based on that needs one: it has the libraries of CUDA."""
USUAL_PYTHON = "3.12"

ARCHITECTURES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platforms as container tools call them, and their processors as wheels do."""
GLIBC = 36
"""Of Debian 12 it is 2.36; wheels for newer ones are not taken."""

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
        """Its processor, as the names of wheels have it."""
        return ARCHITECTURES[self.platform]

    @property
    def tags(self) -> tuple[str, ...]:
        """Platforms of wheels that fit, the best first."""
        processor = self.processor
        numbered = [f"manylinux_2_{minor}_{processor}" for minor in range(GLIBC, 4, -1)]
        return (*numbered, f"manylinux2014_{processor}", f"linux_{processor}")


def target_for(base: str, platform_name: str | None, python: str | None) -> Target:
    """Return what an image over `base` is made for.

    Without a platform it is this machine's, without a Python that in the name of the base, or
    3.12. Raises HoloflowError for what there are no libraries for.
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
