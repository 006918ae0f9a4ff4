"""The command line; one module a command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `holoflow` command; ends the process with its exit status."""
    from holoflow.cli.program import program
    from holoflow.leaving import leave

    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        program(prog_name="holoflow")
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)
