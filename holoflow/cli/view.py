"""`holoflow view`: a run that has ended, in the page that showed it live."""

from __future__ import annotations

import logging
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit

import typer

from holoflow.cli.errors import say
from holoflow.core.errors import HoloflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from holoflow.report.run_report import RunReport


def view(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run, or its report.json; default: this, or the newest."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 for the usual one, or any free one.")
    ] = 0,
    in_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show a run that has ended in the page that showed it live, until Ctrl-C."""
    from holoflow.cli.report import newest
    from holoflow.report.run_report import read_report

    run = run if run is not None else newest(Path())
    folder = run.parent if run.is_file() else run

    def tell(url: str) -> None:
        typer.echo(f"page: {url}; Ctrl-C ends")
        if in_browser:
            webbrowser.open(url)

    serve(read_report(run), folder, tell, port=port)


def stay(report: RunReport, folder: Path, url: str) -> None:
    """Show a run that has just ended at the address at which it was live, until Ctrl-C."""
    found = urlsplit(url)
    token = parse_qs(found.query).get("token", [None])[0]
    try:
        serve(
            report, folder, lambda _: say(f"the live page stays at {url}; Ctrl-C ends"),
            port=found.port or 0, token=token,
        )  # fmt: skip
    except HoloflowError as error:  # which does not change how the run ended
        say(f"the live page does not stay: {error}")


def serve(
    report: RunReport, folder: Path, tell: Callable[[str], None], *, port: int,
    token: str | None = None,
) -> None:  # fmt: skip
    """Serve the page of a run that has ended, until Ctrl-C.

    Args:
        report: What is known of the run.
        folder: Its output folder.
        tell: Called with the address of the page.
        port: Port; 0 for the usual one, or any free one.
        token: Secret that the address must contain; others can reach the page only with one.

    Raises:
        HoloflowError: A library is missing, or the port is taken.
    """
    from holoflow.cli import terminal
    from holoflow.operators.visualize._page import serve as page

    end = page.ended(report.outcome, report.failure or "", folder)
    server, url = page.serve(
        report.app, lambda: report.snapshot, lambda: report.history,
        log=logging.getLogger("holoflow"), host="127.0.0.1" if token is None else "0.0.0.0",  # noqa: S104
        port=port, token=token, end=end,
    )  # fmt: skip
    over = threading.Event()
    with terminal.heard(over.set):
        tell(url)
        over.wait()
        server.stop(end)
