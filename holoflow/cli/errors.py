"""Exit statuses, and how an exception becomes a message and one of them."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from holoflow.core import lifecycle
from holoflow.core.errors import HoloflowError, is_shortage, words
from holoflow.core.output import mute
from holoflow.core.text import printable


class ExitStatus(IntEnum):
    """What the exit status of `holoflow` says."""

    DONE = 0
    OPERATOR_FAILED = 1
    """Also a process, or the system had too little of something."""
    APP_WRONG = 2
    """Also a wrong option."""
    OVER_BUDGET = 3
    """A budget was missed for which the app asks to be told so."""
    BUG = 70
    """holoflow itself failed."""
    INTERRUPTED = 130
    READER_GONE = 141
    """Who read our output went away: what a shell shows for SIGPIPE."""


# typer's own error for wrong options, which it prints itself; it has no public name that holds
# for all versions of typer.
_OPTION_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def say(message: str) -> None:
    """Print a message for the user on stderr."""
    typer.echo(printable(message), err=True)


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn every exception of the block into a message on stderr and `typer.Exit`.

    Errors that are meant for the user give their message alone. Anything else is a mistake in
    holoflow: one line, and the traceback in a file, or with `debug` on stderr.
    """
    try:
        lifecycle.ready()
        yield
        sys.stdout.flush()
    except (typer.Exit, typer.Abort, _OPTION_ERROR):
        raise
    except HoloflowError as error:
        say(str(error))
        short = is_shortage(error)
        raise typer.Exit(ExitStatus.OPERATOR_FAILED if short else ExitStatus.APP_WRONG) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    except BrokenPipeError:
        mute(sys.stdout)
        raise typer.Exit(ExitStatus.READER_GONE) from None
    except Exception as error:
        if is_shortage(error) and not debug:
            say(words(error))
            raise typer.Exit(ExitStatus.OPERATOR_FAILED) from None
        if debug:
            traceback.print_exc()
        else:
            cause = f"{type(error).__name__}: {error}".strip().replace("\n", " ")
            say(f"holoflow itself failed: {cause}; the traceback is in {_keep_traceback(error)}")
        raise typer.Exit(ExitStatus.BUG) from None


def _keep_traceback(error: Exception) -> str:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="holoflow-error-", suffix=".log", delete=False
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return file.name
