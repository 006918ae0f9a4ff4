"""The server of a live page: one thread with its own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from holoflow.core.errors import HoloflowError
from holoflow.core.listener import FULL, Listener, Refusals, Seldom
from holoflow.core.operator import LiveParameter
from holoflow.live.protocol import LONGEST_REQUEST, read_request
from holoflow.operators.visualize._marks import PALETTE
from holoflow.operators.visualize._page.board import Update
from holoflow.operators.visualize._page.frame import Frame
from holoflow.operators.visualize._page.guard import HEADERS, Guard
from holoflow.operators.visualize._page.watch import Newest, Updater
from holoflow.report.diagnosis.decision import amiss
from holoflow.stats.snapshot import Sample, Snapshot

_PAGE, _DRAWING = files(__package__), files("holoflow.plan.draw")
_SCRIPTS = (
    "page", "dashboard", "controls", "curves", "elements", "end", "graph", "line", "marks", "state",
    "words",
)  # fmt: skip
FILES = {
    "/": (_PAGE / "index.html", "text/html"),
    **{f"/{name}.js": (_PAGE / f"{name}.js", "text/javascript") for name in _SCRIPTS},
    "/page.css": (_PAGE / "page.css", "text/css"),
    "/dashboard.css": (_PAGE / "dashboard.css", "text/css"),
    "/graph.css": (_DRAWING / "graph.css", "text/css"),
}
PATIENCE = 1.0
"""Seconds for viewers to disconnect at the end."""
ALIVE = 1.0
"""Seconds between messages that show a viewer that the app answers."""
LARGEST = 16 << 10
"""Most bytes of a request's head."""
KEPT = 2
"""Seconds for which a connection is kept open between two requests."""
BACKLOG = 64
"""Connections that are accepted at a time, before others are served."""

_ALIVE = {"kind": "alive"}
_seldom = Seldom()


@dataclass(frozen=True)
class EndedFile:
    """A file, or a folder of files, that a run has written."""

    name: str
    """Relative to the output folder; that of a folder in it ends in `/`."""
    size: int | None
    """Bytes; None for a folder."""


@dataclass(frozen=True)
class End:
    """How a run ended, for its viewers."""

    outcome: str
    """`done`, `failed` or `interrupted`."""
    failure: str = ""
    """Which operator failed, on which frame, and why; empty if none did."""
    output: str = ""
    """The output folder, where the report will be."""
    files: tuple[EndedFile, ...] = ()
    """What operators have written there so far."""


@dataclass(frozen=True)
class Parameters:
    """The live parameters of an app."""

    all: Callable[[], Sequence[LiveParameter]]
    """Returns all of them, as they are now."""
    change: Callable[[str, str, Any], None] | None
    """Changes one: operator, parameter, value; raises HoloflowError if it cannot. None: nobody
    may."""


class Server:
    """Serves a page that shows the newest frame and the state of the run.

    It takes over the listening socket that it is given.

    A viewer requests a frame with a message on the WebSocket and gets the newest one that it has
    not seen, as soon as there is one. So at most one frame is on the way to a viewer, and a viewer
    that does not read gets nothing more and slows nobody down.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        title: str,
        token: str | None,
        log: logging.Logger,
        snapshot: Callable[[], Snapshot | None],
        history: Callable[[], tuple[Sample, ...]],
        parameters: Parameters,
        end: End | None = None,
    ) -> None:
        """Serve on `listener`, until `stop()`.

        Args:
            listener: The listening socket.
            title: Title of the page.
            token: Secret that the address must contain; None for a page for this machine.
            log: Where failures are logged.
            snapshot: Returns the newest state of the run.
            history: Returns its curves so far.
            parameters: Live parameters of the app.
            end: How the run has ended, if it has.
        """
        self._listener = Listener(listener, Refusals(log))
        self._hello = {"kind": "hello", "title": title, "palette": PALETTE}
        self._log = log
        self._run_state = snapshot, history
        self._parameters = parameters
        self._end = end
        self._why = ""
        """Why nothing moves; known while there are viewers."""
        self._viewers: set[asyncio.Task[None]] = set()
        """The tasks that tell viewers of the pictures how the run is."""
        routes: list[Route | WebSocketRoute] = [Route(path, _file) for path in FILES]
        routes += [
            Route("/snapshot.jpg", self._snapshot),
            Route("/stream.mjpg", self._stream),
            Route("/parameters", self._live_parameters, methods=["GET", "POST"]),
            WebSocketRoute("/live", self._live),
            WebSocketRoute("/flow", self._flow),
        ]
        self._app = Guard(
            Starlette(routes=routes), token, frozenset(FILES) - {"/"}, self._listener.renew
        )
        self._thread = threading.Thread(target=self._run, name=f"live page {title}", daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        """Start to serve, until `stop()`."""
        self._thread.start()
        self._ready.wait()

    def put(self, frame: Frame) -> None:
        """Show `frame`; takes microseconds, whoever is watching. From any thread."""
        self._newest.put(frame)

    @property
    def watched(self) -> bool:
        """Whether somebody looks at the pictures."""
        return bool(self._viewers)

    def stop(self, end: End) -> None:
        """Tell viewers how the run ended, and close everything."""
        self._end = end
        with contextlib.suppress(RuntimeError):  # it has failed, and logged it
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            self._log.exception("the live page has failed")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_handle)
        self._stopping = asyncio.Event()
        self._newest: Newest[Frame] = Newest()
        self._updater = Updater(*self._run_state, self._log)
        self._ready.set()
        server = uvicorn.Server(
            uvicorn.Config(
                self._app, log_config=None, access_log=False, lifespan="off", http="h11",
                ws="websockets-sansio", ws_max_size=4096, ws_per_message_deflate=False,
                h11_max_incomplete_event_size=LARGEST, timeout_keep_alive=KEPT, backlog=BACKLOG,
                server_header=False, proxy_headers=False,
            )
        )  # fmt: skip
        logging.getLogger("uvicorn.error").addFilter(_seldom)
        serving = asyncio.create_task(server.serve(sockets=[self._listener]))
        expiring = asyncio.create_task(self._expire())
        await asyncio.wait(
            (serving, asyncio.create_task(self._stopping.wait())),
            return_when=asyncio.FIRST_COMPLETED,
        )
        expiring.cancel()
        self._newest.close()
        self._updater.close()
        if self._viewers:
            await asyncio.wait(self._viewers, timeout=PATIENCE)  # until all know how it ended
        server.should_exit = True
        await asyncio.wait((serving,), timeout=PATIENCE)
        # Viewers that do not read would keep it waiting forever.
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await serving

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._listener.expire()
            if self._viewers:
                self._why = await asyncio.to_thread(self._look)

    def _look(self) -> str:
        """Return why nothing moves, as far as the run's state says; else an empty string."""
        snapshot = self._run_state[0]()
        found = [] if snapshot is None else amiss(snapshot)
        return found[0].evidence if found else ""

    async def _tell(self, viewer: WebSocket) -> None:
        """Tell a viewer each second why nothing moves, or at least that the app answers.

        At the end of the run, tell how it ended, and disconnect.
        """
        told = ""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone
            while not await self._stops(ALIVE):
                news, told = told != self._why, self._why
                await viewer.send_json({"kind": "why", "why": told} if news else _ALIVE)
            if self._end is not None:
                await viewer.send_json({"kind": "end", **asdict(self._end)})
            await viewer.close(reason="the run has ended")

    async def _stops(self, seconds: float) -> bool:
        """Whether the page is to be closed within so many seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _live(self, viewer: WebSocket) -> None:
        """Serve a viewer: text messages request frames, which are sent as `Frame.message`.

        A message says when the frame that the viewer has just shown arrived here (`arrived`, as
        sent with it), or is empty.
        """
        if not await self._accept(viewer):
            return
        frame: Frame | None = None
        await viewer.send_json(self._hello)
        if self._end is not None:
            await viewer.send_json({"kind": "end", **asdict(self._end)})
        telling = asyncio.create_task(self._tell(viewer))
        self._viewers.add(telling)
        try:
            while True:
                delay = _delay(await viewer.receive_text())
                frame = await self._newest.after(frame)
                if frame is None:
                    await telling
                    return
                await viewer.send_bytes(frame.message(delay))
        except (WebSocketDisconnect, KeyError):  # KeyError: not a text message
            return
        finally:
            self._viewers.discard(telling)
            telling.cancel()

    async def _flow(self, viewer: WebSocket) -> None:
        """Serve a viewer of the dashboard: any text message requests the newest `Update`."""
        if not await self._accept(viewer):
            return
        update: Update | None = None
        answering = asyncio.create_task(_answer(viewer))
        with self._updater.viewer() as newest:
            try:
                while True:
                    await viewer.receive_text()
                    known = update.generation if update is not None else 0
                    update = await newest.after(update)
                    if update is None:
                        await viewer.close(reason="the run has ended")
                        return
                    kind = "text" if update.generation == known else "hello"
                    # In a thread, because making it takes a while in large apps, and pictures must
                    # be sent.
                    await viewer.send_text(await asyncio.to_thread(getattr, update, kind))
            except (WebSocketDisconnect, KeyError):  # KeyError: not a text message
                return
            finally:
                answering.cancel()

    async def _accept(self, viewer: WebSocket) -> bool:
        welcome = self._listener.welcome(viewer.scope["client"])
        await (viewer.accept() if welcome else viewer.close())
        return welcome

    async def _snapshot(self, _request: Request) -> Response:
        frame = self._newest.value
        if frame is None:
            return PlainTextResponse("no frame yet\n", 503, {**HEADERS, "Retry-After": "1"})
        return Response(frame.jpeg, headers=dict(HEADERS), media_type="image/jpeg")

    async def _live_parameters(self, request: Request) -> Response:
        """Return the live parameters; change one, if one is posted as JSON."""
        if request.method == "POST":
            try:
                await self._carry_out(request)
            except HoloflowError as error:
                return JSONResponse({"wrong": str(error)}, 422, dict(HEADERS))
        found = await asyncio.to_thread(self._parameters.all)
        made = {
            "fixed": self._parameters.change is None,
            "parameters": [{**asdict(one), "value": json.loads(one.value)} for one in found],
        }
        return JSONResponse(made, headers=dict(HEADERS))

    async def _carry_out(self, request: Request) -> None:
        """Have a parameter changed; raises HoloflowError if it cannot be."""
        change = self._parameters.change
        if change is None:
            raise HoloflowError("the app runs with --read-only")
        # No other site can send this type without asking first, which is not answered.
        if request.headers.get("content-type") != "application/json":
            raise HoloflowError("not a change", "send application/json")
        wanted = read_request(await _limited(request))
        await asyncio.to_thread(change, wanted.operator, wanted.parameter, wanted.value)

    async def _stream(self, request: Request) -> Response:
        if not self._listener.welcome(request.scope["client"]):
            return PlainTextResponse("there are too many viewers\n", 503, dict(HEADERS))
        return StreamingResponse(
            self._parts(),
            headers=dict(HEADERS),
            media_type="multipart/x-mixed-replace; boundary=frame",
        )

    async def _parts(self) -> AsyncIterator[bytes]:
        # The boundary follows each picture at once: browsers show a picture when it has ended.
        yield b"--frame\r\n"
        frame: Frame | None = None
        while (frame := await self._newest.after(frame)) is not None:
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(frame.jpeg)}\r\n\r\n"
            yield head.encode() + frame.jpeg + b"\r\n--frame\r\n"


async def _limited(request: Request) -> bytes:
    """Return the body of a request; raises HoloflowError if it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_REQUEST:
            raise HoloflowError("the change is too long")
    return bytes(body)


async def _answer(viewer: WebSocket) -> None:
    """Show a viewer, each second, that the app answers."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone
        while True:
            await asyncio.sleep(ALIVE)
            await viewer.send_json(_ALIVE)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in FULL):  # which the listener has logged
        loop.default_exception_handler(context)


def _delay(arrived: str) -> float:
    """Return the seconds since `arrived` (a time of `time.monotonic()`); NaN if unknown."""
    try:
        return time.monotonic() - float(arrived)
    except ValueError:
        return math.nan


async def _file(request: Request) -> Response:
    file, kind = FILES[request.url.path]
    return Response(file.read_bytes(), headers=dict(HEADERS), media_type=kind)
