"""The endpoint from which Prometheus fetches the metrics of a run."""

from __future__ import annotations

import errno
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from holoflow.core.errors import HoloflowError, optional
from holoflow.core.listener import Listener, Refusals
from holoflow.report.export.prometheus import Collector
from holoflow.stats.snapshot import Snapshot

LOCAL = "127.0.0.1"
"""An address that cannot be reached from other hosts."""
PATIENCE = 10.0
"""Seconds for which a client may be silent."""
_SELDOM = 0.1
"""Seconds between attempts when the process cannot open more files."""

_log = logging.getLogger("holoflow.metrics")


class MetricsServer:
    """Serves `/metrics` in Prometheus' text format or as OpenMetrics, as the client requests.

    Anyone who can reach the address can read them.
    """

    def __init__(self, address: str = LOCAL, port: int = 9464) -> None:
        """Listen at `address`; with port 0, at any free port.

        Raises:
            HoloflowError: It cannot listen there.
            MissingExtraError: prometheus_client is not installed.
        """
        self._collector = Collector()
        app = optional("prometheus_client", "metrics").make_wsgi_app(self._collector.registry)
        try:
            self._server = _listen(address, port)
        except OSError as error:
            raise _refusal(address, port, error) from None
        self._server.set_app(_only_metrics(app))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the metrics."""
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}/metrics"

    def put(self, snapshot: Snapshot) -> None:
        """Serve `snapshot` from now on."""
        self._collector.put(snapshot)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
        """Do nothing: requests are of no interest to the user."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # Closing waits for all clients, silent ones included.
    block_on_close = False

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Return a connection; wait a little while the process cannot open more files."""
        try:
            return super().get_request()
        except BlockingIOError:
            time.sleep(_SELDOM)
            raise

    def service_actions(self) -> None:
        """Disconnect clients that have been silent for too long. Called regularly."""
        if isinstance(self.socket, Listener):
            self.socket.expire()

    def handle_error(self, *_: Any) -> None:
        """Do nothing: the client went away."""


def _listen(address: str, port: int) -> _Server:
    family, _, _, _, at = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    kind = type("_Server", (_Server,), {"address_family": family})
    server: _Server = kind(at[:2], _Handler)
    server.socket = Listener(server.socket, Refusals(_log))
    return server


def _refusal(address: str, port: int, error: OSError) -> HoloflowError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        wrong = f"metrics: port {port} of {address} is taken"
        return HoloflowError(wrong, f"give another, such as --metrics {other}")
    what = error.strerror or error
    return HoloflowError(f"metrics: cannot listen at {address}, port {port}: {what}")


def _only_metrics(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return app(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"the metrics are at /metrics\n"]

    return answer
