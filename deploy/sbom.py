"""A bill of materials: what an image has of others, in CycloneDX."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from holoflow.core.errors import MissingExtraError
from holoflow.deploy.commands import run


def write_sbom(lock: Path, file: Path) -> None:
    """Write the libraries of a lock to `file`, as JSON; equal for equal locks.

    Raises HoloflowError where that does not work.
    """
    if find_spec("cyclonedx_py") is None:
        raise MissingExtraError("cyclonedx_py", "package")
    run(
        [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock),
         "--output-reproducible", "--of", "JSON", "--output-file", str(file)],
        "the bill of materials cannot be written:",
    )  # fmt: skip
