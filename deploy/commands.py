"""Running other programs: their output in errors, never a half-told failure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from holoflow.core.errors import HoloflowError

SHOWN = 15
"""Last lines of a program's output that an error shows."""


class CommandError(HoloflowError):
    """A program has failed."""

    def __init__(self, what: str, output: str) -> None:
        """Say `what` could not be done, and how the program put it."""
        self.output = output
        lines = [line.rstrip() for line in output.splitlines() if line.strip()][-SHOWN:]
        super().__init__("\n  ".join([what, *lines]))


def run(command: Sequence[str], what: str, *, environment: Mapping[str, str] | None = None) -> str:
    """Run `command` to its end and return what it printed on stdout.

    Raises CommandError with `what` went wrong and the last lines that it printed.
    """
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=os.environ | dict(environment or {}), text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise CommandError(f"{what} {command[0]} cannot be started", str(error)) from None
    if ran.returncode != 0:
        raise CommandError(what, ran.stdout + ran.stderr)
    return ran.stdout
