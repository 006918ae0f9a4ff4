"""The Holoscan package: whether it is installed, how it is imported, and its CUDA runtime."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import resource
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError

STACK = 32 * 2**20
"""Bytes of stack that Holoscan's threads need."""


@cache
def available() -> bool:
    """Whether Holoscan is installed and can be imported."""
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


@cache
def load() -> Any:
    """Import and return `holoscan`.

    Raises:
        HoloflowError: It cannot be imported; the message says what to install.
    """
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


def load_runtime() -> None:
    """Load the `libcudart` of NVIDIA's wheels if Holoscan is installed; takes half a ms.

    Holoscan is linked against it but does not know where pip installs it, so that `import
    holoscan` fails without a CUDA toolkit. A library that is already loaded is found by name.
    """
    if _found("holoscan") is None:
        return
    for folder in _found("nvidia") or ():
        for library in sorted(Path(folder).glob("*/lib/libcudart.so.1[23]")):
            with contextlib.suppress(OSError):  # built for another machine: Holoscan reports it
                ctypes.CDLL(str(library))


def _found(package: str) -> list[str] | None:
    """Return the folders of `package`; None if it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return list(spec.submodule_search_locations or ()) if spec else None
