"""`visualize.web`: a live view in the browser."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, Any

from holoflow.core.errors import HoloflowError, optional
from holoflow.core.message import Header
from holoflow.core.objects import Boxes, Keypoints
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image, Mask
from holoflow.core.samples import Text
from holoflow.operators.visualize._pixels import Scale

if TYPE_CHECKING:
    from holoflow.operators.visualize._page.server import End, Server

LIBRARIES = ("simplejpeg", "starlette", "uvicorn", "websockets")
USUAL_PORT = 8350
LISTEN = "HOLOFLOW_LISTEN"
"""Environment variable with the address to listen on. It is for a container, whose only address
beyond loopback can be reached only as its runtime permits."""
MOST_FILES = 20
"""Files of the run that are named at its end."""
OLDEST = 3600.0
"""Seconds; a picture that is apparently older has the time of another day."""


class WebOp(Operator):
    """Show the stream live in a browser.

    The address is announced when the app starts. Boxes, masks, keypoints and text are drawn by the
    browser, sharply and to be switched on and off, also if they were found in another picture of
    the same source (a larger or smaller one, or a part of it). Viewers get the newest frame
    whenever they have shown the previous one: slow viewers hold up nobody, and without viewers
    nothing is encoded. Beside the picture (button Flow) a dashboard shows where frames spend their
    time. In addition, `/stream.mjpg` is for `<img>` and curl, and `/snapshot.jpg` is the newest
    frame, both without anything drawn.

    The page can be reached from this machine only, unless `host`, or the environment variable
    `HOLOFLOW_LISTEN`, is an address that others can reach. Then it requires a token, which is part
    of the announced address; the connection is not encrypted.

    Example:
        screen:
          type: visualize.web
          inputs: {image: camera, boxes: detect}
          with: {port: 8400}
    """

    port: int = param(
        0, ge=0, le=65535, doc=f"port; 0 means {USUAL_PORT}, or any free one if that is taken"
    )
    host: str | None = param(
        None, min_length=1,
        doc=f"address to listen on, 0.0.0.0 for all; by default ${LISTEN}, else 127.0.0.1",
    )  # fmt: skip
    token: str | None = param(
        None, min_length=16, pattern=r"^[A-Za-z0-9_-]+$",
        doc="secret that the address must contain; by default a new one in each run if others "
        "can reach `host`, else none",
    )  # fmt: skip
    title: str = param("", doc="title of the page; empty for the operator's name")
    quality: int = param(80, ge=1, le=100, doc="quality of the JPEG pictures")

    def __init__(self, **parameters: Any) -> None:
        """Set the parameters; the server starts with `start()`."""
        super().__init__(**parameters)
        self._server: Server | None = None
        self._scale = Scale()
        self._began = 0.0
        """When it started, in seconds since the epoch."""

    def claims(self) -> tuple[str, ...]:
        """Return the port, if it is fixed."""
        return (f"port {self.port}",) if self.port else ()

    def start(self) -> None:
        """Serve the page and announce its address; raises HoloflowError if the port is taken."""
        if not self.context.web:
            return
        self._scale = Scale(self.context.warn_once)
        self._began = time.time()
        for library in LIBRARIES:
            optional(library, "web")
        from holoflow.operators.visualize._page.server import LOOPBACK, Server

        host = self.host or os.environ.get(LISTEN) or "127.0.0.1"
        listener = self._listen(host)
        port = listener.getsockname()[1]
        token = self.token
        if token is None and host not in LOOPBACK:
            token = secrets.token_urlsafe(24)
        title = self.title or self.context.name
        context = self.context
        self._server = Server(
            listener, title=title, token=token, log=context.log,
            snapshot=context.snapshot, history=context.history,
        )  # fmt: skip
        name = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104
        name = f"[{name}]" if ":" in name else name
        query = f"?token={token}" if token else ""
        url = f"http://{name}:{port}/{query}"
        self._server.start()
        self.context.announce("live page", url)

    def process(
        self,
        header: Header,
        image: Image,
        boxes: Boxes | None = None,
        mask: Mask | None = None,
        keypoints: Keypoints | None = None,
        text: Text | None = None,
    ) -> None:
        """Show a frame; raises ValueError if it cannot be shown."""
        if self._server is None:
            return
        from holoflow.operators.visualize._marks import on
        from holoflow.operators.visualize._page.frame import Frame

        age = (self.context.now() - header.timestamp) / 1e9
        self._server.put(
            Frame(
                header, image, on(image, boxes), on(image, mask), on(image, keypoints), text,
                quality=self.quality,
                scale=self._scale,
                arrived=time.monotonic(),
                age=age if 0 <= age < OLDEST else None,
            )
        )  # fmt: skip

    def stop(self) -> None:
        """Tell viewers how the run ended, and close the server."""
        if self._server is not None:
            self._server.stop(self._end())
            self._server = None

    def _end(self) -> End:
        from holoflow.operators.visualize._page.server import End, EndedFile

        outcome, failure = self.context.outcome()
        folder, files = self.context.output, []
        with contextlib.suppress(OSError):  # whatever was put there, or taken away
            for path in sorted(folder.iterdir()):
                stat = path.stat()
                if stat.st_mtime >= self._began:
                    name, size = (
                        (f"{path.name}/", None) if path.is_dir() else (path.name, stat.st_size)
                    )
                    files.append(EndedFile(name, size))
        return End(outcome, failure, str(folder.absolute()), tuple(files[:MOST_FILES]))

    def _listen(self, host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for port in (self.port,) if self.port else (USUAL_PORT, 0):
            try:
                return socket.create_server((host, port), family=family)
            except OSError as error:
                failure = error
        raise HoloflowError(
            f"{self.context.name}: cannot listen on {host}:{self.port}: {failure.strerror}",
            "choose another `host` or `port`",
        )
