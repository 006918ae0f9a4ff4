"""Serving a live page: of a run that goes on, and of one that has ended."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holoflow.core.errors import HoloflowError
from holoflow.operators.visualize import web

if TYPE_CHECKING:
    from holoflow.core.operator import LiveParameter
    from holoflow.operators.visualize._page.server import End, Server
    from holoflow.stats.snapshot import Sample, Snapshot

MOST_FILES = 20
"""Files of a run that are named at its end."""


def serve(
    title: str, snapshot: Callable[[], Snapshot | None], history: Callable[[], tuple[Sample, ...]],
    *, log: logging.Logger, host: str = "127.0.0.1", port: int = 0, token: str | None = None,
    parameters: Callable[[], Sequence[LiveParameter]] = tuple,
    change: Callable[[str, str, Any], None] | None = None, end: End | None = None,
) -> tuple[Server, str]:  # fmt: skip
    """Serve a page; return its server, which is to be stopped, and its address.

    Args:
        title: Title of the page.
        snapshot: Returns the newest state of the run.
        history: Returns its curves so far.
        log: Where failures are logged.
        host: Address to listen on.
        port: Port; 0 for the usual one, or any free one if that is taken.
        token: Secret that the address must contain; None makes one if others can reach `host`.
        parameters: Returns the live parameters of the app.
        change: Changes one; None: nobody may.
        end: How the run has ended, if it has.

    Raises:
        HoloflowError: A library is missing, or the port is taken.
    """
    web.require_libraries()
    from holoflow.operators.visualize._page.guard import LOOPBACK
    from holoflow.operators.visualize._page.server import Parameters, Server

    listener = _listen(host, port)
    port = listener.getsockname()[1]
    if token is None and host not in LOOPBACK:
        token = secrets.token_urlsafe(24)
    server = Server(
        listener, title=title, token=token, log=log, snapshot=snapshot, history=history,
        parameters=Parameters(parameters, change), end=end,
    )  # fmt: skip
    server.start()
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104
    name = f"[{name}]" if ":" in name else name
    return server, f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in (port,) if port else (web.USUAL_PORT, 0):
        try:
            return socket.create_server((host, tried), family=family)
        except OSError as error:
            failure = error
    raise HoloflowError(
        f"cannot listen on {host}:{port}: {failure.strerror}", "choose another `host` or `port`"
    )


def ended(outcome: str, failure: str, output: Path, since: float = 0.0) -> End:
    """Return how a run has ended, with the files in its `output` folder.

    Args:
        outcome: `done`, `failed` or `interrupted`.
        failure: Which operator failed, on which frame, and why; empty if none did.
        output: The output folder.
        since: When the run began, in seconds since the epoch; older files are not its own.
    """
    from holoflow.operators.visualize._page.server import End, EndedFile

    files = []
    with contextlib.suppress(OSError):  # whatever was put there, or taken away
        for path in sorted(output.iterdir()):
            stat = path.stat()
            if stat.st_mtime >= since and not path.name.startswith("."):
                folder = path.is_dir()
                size = None if folder else stat.st_size
                files.append(EndedFile(path.name + "/" * folder, size))
    return End(outcome, failure, str(output.absolute()), tuple(files[:MOST_FILES]))
