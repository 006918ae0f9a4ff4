"""A web server and a package index on this machine, and a cache of its own."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.assets import PAYLOAD, Server, send

from holoflow.assets import fetching, source


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Plain http: is let through here, so that no certificate is needed."""
    monkeypatch.setattr(source, "WEB_SCHEMES", ("https:", "http:"))
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        made.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        http.shutdown()
        thread.join()


@pytest.fixture
def index(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """A private package index that has the wheel `tiny-data` 1.0, and is the only one."""
    wheel = tmp_path / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_data/payload.bin", PAYLOAD)
        archive.writestr("tiny_data/other.bin", b"other")
        info = "tiny_data-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    server.serve(f"/files/{wheel.name}", send(wheel.read_bytes()))
    page = (
        f'<!DOCTYPE html><html><body><a href="/files/{wheel.name}">{wheel.name}</a></body></html>'
    )

    def html(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        request.wfile.write(page.encode())

    server.serve("/simple/tiny-data/", html)
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which is not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HOLOFLOW_CACHE", str(folder))
    return folder


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before new tries, which are noted instead of waited for."""
    noted: list[float] = []
    monkeypatch.setattr(fetching.time, "sleep", noted.append)
    return noted


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that makes every connection and every start of pip an error."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the network was touched")

    def cut() -> None:
        monkeypatch.setattr("socket.socket.connect", refuse)
        monkeypatch.setattr("socket.getaddrinfo", refuse)
        monkeypatch.setattr("subprocess.Popen", refuse)

    return cut
