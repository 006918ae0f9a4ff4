"""The command line; one module a command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `holoflow` command; ends the process with its exit status."""
    from holoflow.cli.program import program

    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    program(prog_name="holoflow")
