"""A relay before a TCP port, for networks that are bad in a known way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")


class Relay:
    """Passes connections on to a port of this machine, as well or as badly as it is told.

    Use it in a `with` block; all methods can be called from any thread, at any time.
    """

    def __init__(self, target: int) -> None:
        """Pass connections on to the port `target`; nobody need listen there yet."""
        self.target = target
        self.port = 0
        """Where it listens itself."""
        self.accepted = 0
        """Connections so far."""
        self.passed = 0
        """Bytes that were passed on, both ways together."""
        self.delay = 0.0
        """Seconds that everything takes longer, each way."""
        self.rate: float | None = None
        """Bytes a second, each way of each connection; None is as fast as it goes."""
        self._thaw = asyncio.Event()
        self._thaw.set()
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(self, *raised: object) -> None:
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Break all connections, with what is under way; new ones get through."""
        self._do(self._cut)

    def refuse(self) -> None:
        """Break all connections and let no new ones through, until `accept`."""
        self._open = False
        self._do(self._cut)

    def accept(self) -> None:
        """Let connections through again."""
        self._open = True

    def freeze(self) -> None:
        """Pass nothing on although connections stay: as with a cable that was cut."""
        self._do(self._set_frozen)

    def thaw(self) -> None:
        """Pass on again, beginning with what was held back."""
        self._do(self._set_thawed)

    # -- in the thread

    def _do(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set_frozen(self) -> None:
        self._thaw.clear()

    async def _set_thawed(self) -> None:
        self._thaw.set()

    async def _cut(self) -> None:
        for way in self._ways:
            way.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _close(self) -> None:
        assert self._server is not None
        self._open = False
        self._server.close()
        await self._cut()
        while self._writers:
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        ours: set[asyncio.Task[None]] = set()
        there: asyncio.StreamWriter | None = None
        try:
            if self._open:
                back, there = await asyncio.open_connection("127.0.0.1", self.target)
                self._writers.add(there)
                ways = (self._way(reader, there), self._way(back, writer))
                ours = {asyncio.ensure_future(way) for way in ways}
                self._ways |= ours
                await asyncio.wait(ours, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for way in ours:
                way.cancel()
            await asyncio.gather(*ours, return_exceptions=True)
            self._ways -= ours
            for end in filter(None, (writer, there)):
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()
                self._writers.discard(end)

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, in order, each piece when its time has come."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def write() -> None:
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0, due - self._loop.time()))
                await self._thaw.wait()
                writer.write(piece)
                await writer.drain()
                self.passed += len(piece)
                if self.rate is not None:
                    await asyncio.sleep(len(piece) / self.rate)
                if not piece:
                    return

        writing = asyncio.ensure_future(write())
        try:
            piece = b" "
            while piece:
                piece = await reader.read(65536)
                await pieces.put((self._loop.time() + self.delay, piece))
            await writing
        except OSError:
            pass
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
