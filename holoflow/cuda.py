"""The CUDA runtime that pip installs, loaded so that Holoscan finds it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
from pathlib import Path


def load_runtime() -> None:
    """Load the `libcudart` of NVIDIA's wheels, where Holoscan is installed; takes half a ms.

    Holoscan is linked against it and is not told where pip puts it, so that `import holoscan`
    fails without a CUDA toolkit. A library that is loaded already is found by its name.
    """
    if _found("holoscan") is None:
        return
    for folder in _found("nvidia") or ():
        for library in sorted(Path(folder).glob("*/lib/libcudart.so.1[23]")):
            with contextlib.suppress(OSError):  # for another machine: Holoscan says what it lacks
                ctypes.CDLL(str(library))


def _found(package: str) -> list[str] | None:
    """Return the folders of `package`; None if there is no such package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return list(spec.submodule_search_locations or ()) if spec else None
