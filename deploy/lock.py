"""Locked dependencies: every library with its version and the checksums of its wheels; its SBOM."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from holoflow.core.errors import HoloflowError, MissingExtraError
from holoflow.deploy.commands import CommandError, run
from holoflow.deploy.needs import Needs
from holoflow.deploy.target import GLIBC, Target

ONLY_WITH_GPU = ("cupy-cuda12x", "cupy-cuda13x", "fastrlock")
"""Packages that Holoscan requires, but does without if there is no GPU: 200 MB."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def lock(needs: Needs, target: Target, wheels: Sequence[Path], *, offline: bool = False) -> str:
    """Return the lines of a requirements file for `needs` on `target`, resolved by `uv`.

    Args:
        needs: What the app needs.
        target: The platform and Python of the image.
        wheels: Folders with wheels, among them that of holoflow.
        offline: Use only these folders, and no package index.

    Raises:
        HoloflowError: They cannot be resolved together.
    """
    if find_spec("uv") is None:
        raise MissingExtraError("uv", "package")
    with tempfile.TemporaryDirectory(prefix="holoflow-lock-") as folder:
        wanted, without = Path(folder, "requirements.in"), Path(folder, "excludes.txt")
        _write(wanted, asked(needs))
        _write(without, () if needs.gpu else ONLY_WITH_GPU)
        command = [
            sys.executable, "-m", "uv", "pip", "compile", str(wanted), "--quiet",
            "--python-version", target.python,
            "--python-platform", f"{target.processor}-manylinux_2_{GLIBC}",
            "--excludes", str(without), "--only-binary", ":all:", "--generate-hashes",
            "--no-header", "--no-annotate", "--no-python-downloads", "--no-config",
            *_sources(wheels, offline=offline),
        ]  # fmt: skip
        what = "the libraries of the app cannot be resolved together:"
        return _fetching(command, what, offline, indexes(os.environ))


def asked(needs: Needs) -> list[str]:
    """Return the direct requirements, from which all others follow."""
    return [f"holoflow[{','.join(needs.extras)}]", *needs.requirements]


def versions(locked: str) -> dict[str, str]:
    """Return the version of each library in a lock."""
    return {name.lower(): version for name, version in _PIN.findall(locked)}


def gather(
    locked: str, target: Target, wheels: Sequence[Path], folder: Path, *, offline: bool = False
) -> list[Path]:
    """Put the wheels of a lock into `folder`, with checked hashes, and return them, sorted.

    Wheels are taken from the folders `wheels` if they are there.

    Raises:
        HoloflowError: A wheel is not available.
    """
    with tempfile.TemporaryDirectory(prefix="holoflow-lock-") as scratch:
        file = Path(scratch, "requirements.lock")
        _write(file, [locked])

        def command(*, offline: bool) -> list[str]:
            return [
                sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                "--no-deps", "--require-hashes", "--only-binary", ":all:",
                "--requirement", str(file),
                "--python-version", target.python, "--implementation", "cp",
                *(part for tag in target.tags for part in ("--platform", tag)),
                *_sources(wheels, offline=offline), "--dest", str(folder),
            ]  # fmt: skip

        what = "the libraries of the app cannot be gathered:"
        try:  # usually all are there, and the index need not be asked for each of them
            _fetching(command(offline=True), what, offline)
        except CommandError:
            run(command(offline=False), what)
    return sorted(folder.glob("*.whl"))


def _sources(wheels: Sequence[Path], *, offline: bool) -> list[str]:
    """Return the options with which both pip and uv find wheels."""
    found = [part for folder in wheels for part in ("--find-links", str(folder))]
    return [*found, "--no-index"] if offline else found


def indexes(environment: Mapping[str, str]) -> dict[str, str]:
    """Return uv's variables for the package indexes that pip's variables name."""
    names = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}
    return {
        ours: environment[theirs]
        for theirs, ours in names.items()
        if theirs in environment and ours not in environment
    }


def _fetching(
    command: Sequence[str], what: str, offline: bool, environment: Mapping[str, str] | None = None
) -> str:
    try:
        return run(command, what, environment=environment)
    except CommandError as error:
        if not offline:
            raise
        raise HoloflowError(
            f"{error}\n--offline uses only what was gathered before",
            "gather it with: holoflow package APP --gather",
        ) from None


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_sbom(lock: Path, file: Path) -> None:
    """Write the bill of materials of a lock to `file`, as CycloneDX JSON.

    Equal locks give equal files.

    Raises:
        HoloflowError: It cannot be written.
    """
    if find_spec("cyclonedx_py") is None:
        raise MissingExtraError("cyclonedx_py", "package")
    run(
        [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock),
         "--output-reproducible", "--of", "JSON", "--output-file", str(file)],
        "the bill of materials cannot be written:",
    )  # fmt: skip
