"""Running other programs, with what they print in errors."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from holoflow.core.errors import HoloflowError

SHOWN = 15
"""Number of last lines of a program's output that an error shows."""


class CommandError(HoloflowError):
    """A program that was run has failed."""

    def __init__(self, what: str, output: str) -> None:
        """Report that `what` failed, with the last lines of the program's `output`."""
        self.output = output
        lines = [line.rstrip() for line in output.splitlines() if line.strip()][-SHOWN:]
        super().__init__("\n  ".join([what, *lines]))


def run(command: Sequence[str], what: str, *, environment: Mapping[str, str] | None = None) -> str:
    """Run `command` to its end and return what it printed on stdout.

    Args:
        command: The program and its arguments.
        what: Start of the error message, such as "the image cannot be built:".
        environment: Its environment; None for that of this process.

    Raises:
        CommandError: It cannot be started, or fails.
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
