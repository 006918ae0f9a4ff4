"""Files that a command writes to extend an app, with the values that it has found."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holoflow.cli import apps
from holoflow.cli.errors import say
from holoflow.core.errors import HoloflowError

_MARK = "# Found by `holoflow "


def target(app: Path, output: Path | None, suffix: str, option: str) -> Path:
    """Return the file to be written: `output`, or `app` with the suffix `.<suffix>.yaml`.

    Raises:
        HoloflowError: That would overwrite something that no command has written, or is within
            the package; `option` is what gives another file.
    """
    if output is None and app.is_relative_to(apps.shipped()):
        raise HoloflowError(
            f"{app.parent.name} ships with holoflow, whose folder is left as it is",
            f"give a file with {option}, such as {option} {suffix}.yaml",
        )
    found = app.with_suffix(f".{suffix}.yaml") if output is None else output
    if not found.parent.is_dir():
        raise HoloflowError(f"there is no folder {found.parent}", "make it, or give another file")
    if found.exists():
        try:
            ours = found.read_text("utf-8").startswith(_MARK)
        except (OSError, UnicodeDecodeError):
            ours = False
        if not ours:
            raise HoloflowError(
                f"{found} is there already, and was not written by such a command",
                f"give another file with {option}, which will extend the app",
            )
    return found


def write(
    file: Path, app: Path, command: str, circumstance: str,
    values: Iterable[tuple[tuple[str, ...], Any]],
) -> None:  # fmt: skip
    """Write `file`, which extends `app` with `values` by their keys in it.

    Args:
        file: Replaced if it exists.
        app: Its app file.
        command: Which command has found the values.
        circumstance: When and where.
        values: The values.
    """
    from holoflow.core.files import write_whole
    from holoflow.tune.settings import block

    base = os.path.relpath(app.resolve(), file.resolve().parent)
    text = f"{_MARK}{command}` {circumstance}.\n" + block(((("extends",), base), *values))
    write_whole(file, text.encode())
    say(f"written: {file}")
