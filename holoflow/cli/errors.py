"""Exit statuses, and how exceptions become messages and exit statuses."""

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
    """The exit statuses of `holoflow`."""

    DONE = 0
    OPERATOR_FAILED = 1
    """An operator or a process failed, or the system was short of something."""
    APP_WRONG = 2
    """The app or an option is invalid."""
    OVER_BUDGET = 3
    """A budget with `fail: true` was missed."""
    BUG = 70
    """holoflow itself failed."""
    INTERRUPTED = 130
    READER_GONE = 141
    """The reader of our output has gone: what a shell shows for SIGPIPE."""


# typer's own error for invalid options, which it prints itself; it has no public name that is
# the same in all versions of typer.
_OPTION_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def say(message: str) -> None:
    """Print a message for the user on stderr."""
    typer.echo(printable(message), err=True)


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn every exception of the block into a message on stderr and `typer.Exit`.

    Errors meant for the user are shown as their message alone. Anything else is a bug in holoflow:
    one line, with the traceback in a file, or with `debug` on stderr.
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
