"""A small HTTP server in one thread, which slow and silent clients can neither fill nor delay."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from maskgate.protocol.errors import ConfigurationError

#: A scrape needs milliseconds. Whoever takes longer is cut off.
_REQUEST_TIMEOUT_S = 2.0
#: Connections at once. One more ends the oldest, so that the newest, which may be a health check,
#: is served.
_MAX_CONNECTIONS = 32
_MAX_HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers: the HTTP status, the type of the body and the body."""

    status: int
    content_type: str
    body: bytes


@contextmanager
def listening(host: str, port: int, answer: Callable[[str], Answer]) -> Iterator[int]:
    """Answer GET requests by their path inside the ``with``; yields the port.

    Raises:
        ConfigurationError: the port is not free, or the address is not this machine's.
    """
    with _bound(host, port) as server, asyncio.Runner() as runner:
        loop = runner.get_loop()
        # What goes wrong with a client is not this worker's trouble: nothing is logged.
        loop.set_exception_handler(lambda *_: None)
        connections = _Connections(answer)
        loop.run_until_complete(
            asyncio.start_server(connections.serve, sock=server, limit=_MAX_HEAD_BYTES)
        )
        thread = threading.Thread(target=loop.run_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        msg = f"MASKGATE_METRICS_PORT: can't listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(msg) from None


class _Connections:
    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self._open: dict[asyncio.Task[None] | None, None] = {}  # in the order of their arrival

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer, in bounded time."""
        self._make_room()
        task = asyncio.current_task()
        self._open[task] = None
        try:
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):  # also TimeoutError
                async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                    await self._respond(reader, writer)
        finally:
            self._open.pop(task, None)
            writer.transport.abort()

    def _make_room(self) -> None:
        if len(self._open) >= _MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            if oldest:
                oldest.cancel()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(_encoded(self._answer_to(head)))
        writer.close()
        await writer.wait_closed()  # when everything is sent

    def _answer_to(self, head: bytes) -> Answer:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        if method != "GET":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"use GET\n")
        return self._answer(rest.partition(" ")[0].partition("?")[0])


def _encoded(answer: Answer) -> bytes:
    status = HTTPStatus(answer.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + answer.body
