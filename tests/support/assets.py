"""A web server and a package index on this machine, and assets from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from holoflow.assets.source import Asset
from holoflow.core.errors import Location

PAYLOAD = bytes(range(256)) * 400
"""What assets hold here, unless a test says otherwise."""

Answer = Callable[[BaseHTTPRequestHandler], None]


def send(body: bytes, *, status: int = 200, announced: int | None = None) -> Answer:
    """Answer with `body`, after announcing another length where that is given."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if announced is None else announced))
        request.end_headers()
        request.wfile.write(body)

    return answer


@dataclass
class Server:
    """Answers each request for a path with the next of its answers, the last one for ever."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url(path)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        answers = self.answers.get(request.path) or [send(b"", status=404)]
        (answers.pop(0) if len(answers) > 1 else answers[0])(request)


def asset(url: str, content: bytes = PAYLOAD, name: str = "model") -> Asset:
    """Return an asset that expects `content`."""
    return Asset(name, url, hashlib.sha256(content).hexdigest(), Location("apps/x/app.yaml", 7, 3))
