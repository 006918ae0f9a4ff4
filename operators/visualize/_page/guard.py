"""Who may open a live page, and what it may load."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names under which only this machine can be reached."""

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every response: the page loads nothing from elsewhere and cannot be embedded."""


class Guard:
    """Passes a permitted request to `app`, and answers 403 to any other.

    `allowed` is called with the peer (host, port) of each request that may see pictures or numbers.

    Without a token, the request must name this machine as its host, which a foreign site that
    points its own name here (DNS rebinding) does not. A page of another origin may not connect
    (cross-site WebSocket hijacking). With a token, everything except the files in `open_paths`
    requires it.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, open_paths: frozenset[str],
        allowed: Callable[[tuple[str, int]], None],
    ) -> None:  # fmt: skip
        self._app = app
        self._allowed = allowed
        self._token = token
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = tuple(scope["client"] or ("", 0))  # None if it has disconnected
        refusal = self._refusal(scope)
        if refusal is None:
            if scope["path"] not in self._open_paths:
                self._allowed(scope["client"])
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":  # refused before it is accepted: also 403
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            answer = PlainTextResponse(refusal + "\n", 403, dict(HEADERS))
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._token is None and _hostname(host) not in LOOPBACK:
            return f"refused: this page is served to 127.0.0.1 and localhost only, not to {host!r}"
        if origin is not None and urlsplit(origin).netloc != host:
            return f"refused: a page from {origin!r} may not look at this one"
        if self._token is not None and scope["path"] not in self._open_paths:
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if not secrets.compare_digest(given.encode(), self._token.encode()):
                return "refused: the address must end in ?token=..., as the app announced it"
        return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
