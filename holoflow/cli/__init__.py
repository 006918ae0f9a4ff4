"""The command line, with one module per command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the `holoflow` command; ends the process with its exit status."""
    if sys.argv[1:2] and sys.argv[1] in ("check", "graph", "ops", "plan", "schema"):
        # They compute nothing, and threads of NumPy's BLAS spin for 0.1 s before they sleep.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from holoflow.cli.program import program
    from holoflow.core.lifecycle import leave

    # Closed by the caller: output goes nowhere, and no file must take over the descriptor.
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = os.O_RDONLY if number == 0 else os.O_WRONLY
            opened = os.open(os.devnull, mode)
            os.dup2(opened, number)
            if opened != number:
                os.close(opened)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        program(prog_name="holoflow")
    except OSError as error:  # printing failed before any command began
        from holoflow.cli.errors import ExitStatus, say
        from holoflow.core.errors import words

        say(words(error))
        leave(ExitStatus.OPERATOR_FAILED)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)
