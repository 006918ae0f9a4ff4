"""The Holoscan package: whether it is installed, how it is imported, and its CUDA runtime."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import importlib.util
import os
import resource
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError

STACK = 32 * 2**20
"""Bytes of stack that Holoscan's threads need."""
DISTRIBUTIONS = (
    "holoscan-core-cu13", "holoscan-core-cu12", "holoscan-cu13", "holoscan-cu12", "holoscan",
)  # fmt: skip
"""Packages that bring Holoscan: the first two are what 5.0 is in."""


@cache
def available() -> bool:
    """Whether a Holoscan on which holoflow runs is installed and can be imported."""
    try:
        load()
    except HoloflowError:
        return False
    return True


@cache
def preload() -> None:
    """Make `import holoscan` quiet, and give its threads the stack they need.

    Does nothing if Holoscan is not installed.
    """
    if importlib.util.find_spec("holoscan") is None:
        return
    # Its warnings about a missing GPU and about stack limits would bury what matters.
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "ERROR")
    os.environ.setdefault("HOLOSCAN_EXECUTOR_LOG_LEVEL", "ERROR")
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < STACK:
        ceiling = STACK if hard == resource.RLIM_INFINITY else min(STACK, hard)
        resource.setrlimit(resource.RLIMIT_STACK, (max(soft, ceiling), hard))


def submodule(name: str) -> Any:
    """Import and return `holoscan.<name>`; raises HoloflowError as `load` does."""
    load()
    return importlib.import_module(f"holoscan.{name}")


@cache
def load() -> Any:
    """Import and return `holoscan`.

    Raises:
        HoloflowError: It cannot be imported, or holoflow does not run on it; the message says what
            to install.
    """
    if version := _too_new():
        raise HoloflowError(
            f"Holoscan {version} is installed, holoflow runs on Holoscan 4",
            "install holoflow[cu12] or holoflow[cu13], or use --engine threads",
        )
    preload()
    if importlib.util.find_spec("holoscan") is None:
        raise HoloflowError(
            "Holoscan is not installed",
            "install it with: pip install 'holoflow[cu12]' (it also "
            "runs without a GPU), or run with --engine inline",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the stack limit, which is the shell's
            import holoscan
            import holoscan.conditions
            import holoscan.core
            import holoscan.schedulers
    except ImportError as error:
        raise HoloflowError(f"Holoscan is installed, but cannot be imported: {error}") from error
    return holoscan


def _too_new() -> str | None:
    """Return the version of Holoscan that is installed if it is 5 or later: another API."""
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(name)
            if version and int(version.partition(".")[0]) >= 5:  # none is left by half an uninstall
                return version
    return None


class LibraryFinder:
    """Loads the CUDA libraries of NVIDIA's wheels that an extension module of Holoscan's needs.

    Its modules are linked against them (cudart, nvrtc, npp, …) but do not know where pip installs
    them, so that they cannot be imported without a CUDA toolkit. Python asks it before each
    import; a library that is loaded already is found by its name.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: Any = None) -> None:
        """Load what the module `name` in `path` needs if it is one of those; find nothing."""
        module = name.rpartition(".")[2]
        if not (name.startswith("holoscan.") and module.startswith("_")):
            return
        for folder in path or ():
            for file in Path(folder).glob(f"{module}.*.so"):
                _load(file, set())


def find_libraries() -> None:
    """Have the libraries of NVIDIA's wheels found when Holoscan needs them."""
    if LibraryFinder not in sys.meta_path:
        sys.meta_path.insert(0, LibraryFinder)


def _load(file: Path, tried: set[str]) -> None:
    """Load `file`, and before it each library that it turns out to need and that is installed."""
    while True:
        try:
            ctypes.CDLL(str(file))
            return
        except OSError as error:  # libnppc.so.12: cannot open shared object file: …
            name = str(error).partition(":")[0]
        library = _installed().get(name)
        if library is None or name in tried:
            return  # the import says what is wrong
        tried.add(name)
        _load(library, tried)


@cache
def _installed() -> dict[str, Path]:
    """Return the libraries in NVIDIA's wheels by name."""
    patterns = {"nvidia": "*/lib/*.so*", "tensorrt_libs": "*.so*"}
    return {
        file.name: file
        for package, pattern in patterns.items()
        for folder in _found(package) or ()
        for file in Path(folder).glob(pattern)
    }


def _found(package: str) -> list[str] | None:
    """Return the folders of `package`; None if it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return list(spec.submodule_search_locations or ()) if spec else None
