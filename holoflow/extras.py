"""Import of optional libraries, with an error that names the extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from holoflow.errors import MissingExtraError


def optional(module: str, extra: str) -> Any:
    """Import and return `module`, which the extra `extra` installs.

    Raises `MissingExtraError` where the module (or its package) is not installed; an
    ImportError from inside an installed library passes through unchanged.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(module.split(".")[0], extra) from None
