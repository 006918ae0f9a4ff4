"""`visualize.web`: a live view in the browser."""

from __future__ import annotations

import os
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
    from holoflow.operators.visualize._page.server import Server

LIBRARIES = ("simplejpeg", "starlette", "uvicorn", "websockets")
USUAL_PORT = 8350
LISTEN = "HOLOFLOW_LISTEN"
"""Environment variable with the address to listen on. It is for a container, whose only address
beyond loopback can be reached only as its runtime permits."""
OLDEST = 3600.0
"""Seconds; a picture that is apparently older has the time of another day."""


def require_libraries() -> None:
    """Raise HoloflowError if a library that the page needs is missing."""
    for library in LIBRARIES:
        optional(library, "web")


class WebOp(Operator):
    """Show the stream live in a browser.

    The address is announced when the app starts. Boxes, masks, keypoints and text are drawn by the
    browser, sharply and to be switched on and off, also if they were found in another picture of
    the same source (a larger or smaller one, or a part of it). Viewers get the newest frame
    whenever they have shown the previous one: slow viewers hold up nobody, and without viewers
    nothing is encoded. Beside the picture (button Flow) a dashboard shows where frames spend their
    time. In addition, `/stream.mjpg` is for `<img>` and curl, and `/snapshot.jpg` is the newest
    frame, both without anything drawn.

    Live parameters of all operators can be changed there (button Parameters), by those who may open
    the page, unless the app runs with `--read-only`.

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
        0,
        ge=0,
        le=65535,
        doc=f"port; 0 means {USUAL_PORT}, or any free one if that is taken",
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
        context = self.context
        if not context.web:
            return
        from holoflow.operators.visualize._page.serve import serve

        self._scale = Scale(context.warn_once)
        self._began = time.time()
        try:
            self._server, url = serve(
                self.title or context.name, context.snapshot, context.history, log=context.log,
                host=self.host or os.environ.get(LISTEN) or "127.0.0.1", port=self.port,
                token=self.token, parameters=context.parameters, change=context.change,
            )  # fmt: skip
        except HoloflowError as error:
            raise HoloflowError(f"{context.name}: {error.wrong}", error.right) from None
        context.announce("live page", url)

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
            from holoflow.operators.visualize._page.serve import ended

            watched = self._server.watched  # else nobody needs to know
            outcome, failure = self.context.outcome() if watched else ("done", "")
            self._server.stop(ended(outcome, failure, self.context.output, self._began))
            self._server = None
