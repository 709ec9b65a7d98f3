"""A TCP proxy with network faults: latency, low bandwidth, stalls, resets, lost data, refusals."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

from tests.servers.ports import free_port

_CHUNK_BYTES = 65_536
#: How often a stalled connection checks whether it may go on.
_TURN_S = 0.01
#: SO_LINGER with 0 s: closing sends RST at once instead of FIN.
_ABRUPT = struct.pack("ii", 1, 0)


class FaultProxy:
    """Listens on a free port and forwards to ``target_port`` inside its ``with`` block.

    Its public attributes may be changed at any time.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.latency_s = 0.0  # added to every chunk, in each direction
        self.bytes_per_s: float | None = None  # of each connection, in each direction
        self.stalled = False  # data waits, none is lost
        self._black_hole = False
        self._target_port = target_port
        self._sockets: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def accept(self) -> None:
        """Accept new connections (again)."""

        async def listen() -> None:
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

        self._do(listen())

    def refuse(self) -> None:
        """Reset every connection and refuse new ones."""

        async def close() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._do(close())
        self.reset()

    def reset(self) -> None:
        """Reset every connection; new ones are accepted."""

        async def reset_all() -> None:
            for writer in list(self._sockets):
                self._abort(writer)

        self._do(reset_all())

    def swallow(self) -> None:
        """Half-open: connections stay open, new ones are accepted, and all data is dropped."""
        self._black_hole = True

    def calm(self) -> None:
        """Undo every fault; after a half-open phase, reset the connections that lost data."""
        self.latency_s, self.bytes_per_s, self.stalled = 0.0, None, False
        if self._black_hole:
            self._black_hole = False
            self.reset()
        self.accept()

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result(10)

    async def _finish(self) -> None:
        """Cancel every connection's task and let the loop run once more to close the sockets."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(_TURN_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sockets.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._sockets.add(onward)
            ways = [
                asyncio.create_task(self._pump(reader, onward)),
                asyncio.create_task(self._pump(back, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass  # the target is down, so the client's connection is reset, too
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._abort(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                while self.stalled:  # noqa: ASYNC110  (another thread sets it)
                    await asyncio.sleep(_TURN_S)
                if self._black_hole:
                    continue
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if self.bytes_per_s:
                    await asyncio.sleep(len(chunk) / self.bytes_per_s)
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        self._sockets.discard(writer)
        connection = writer.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
        writer.transport.abort()
