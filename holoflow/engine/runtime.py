"""Holoscan's package: whether it is there, and how it is made importable."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from holoflow.errors import HoloflowError

STACK = 32 * 2**20
"""Bytes of stack that Holoscan's threads want."""


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
    """Make `import holoscan` work: load the CUDA runtime that the wheels bring, where they do.

    Holoscan is linked against it, but does not look where pip puts it. Does nothing where
    Holoscan is not installed.
    """
    if importlib.util.find_spec("holoscan") is None:
        return
    # Its warnings about a missing GPU and about stack limits would drown what matters.
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "ERROR")
    os.environ.setdefault("HOLOSCAN_EXECUTOR_LOG_LEVEL", "ERROR")
    for library in _cuda_runtimes():
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < STACK:
        ceiling = STACK if hard == resource.RLIM_INFINITY else min(STACK, hard)
        resource.setrlimit(resource.RLIMIT_STACK, (max(soft, ceiling), hard))


def _cuda_runtimes() -> list[Path]:
    try:
        spec = importlib.util.find_spec("nvidia")
    except (ImportError, ValueError):
        return []
    roots = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    return sorted(lib for root in roots for lib in root.glob("*/lib/libcudart.so.1[23]"))


@cache
def load() -> Any:
    """Import and return `holoscan`; raises HoloflowError that says what to install."""
    preload()
    if importlib.util.find_spec("holoscan") is None:
        raise HoloflowError(
            "Holoscan is not installed; install it with: pip install 'holoflow[cu12]' (it also "
            "runs without a GPU), or run with --engine inline"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the stack limit of a shell not our own
            import holoscan
            import holoscan.conditions
            import holoscan.core
            import holoscan.schedulers
    except ImportError as error:
        raise HoloflowError(f"Holoscan is installed, but cannot be imported: {error}") from error
    return holoscan
